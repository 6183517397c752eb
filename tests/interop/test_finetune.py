"""From a published captioner to one of one's own and back, by the commands as they are typed."""

import ast
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from published import photo_table, publish
from typer.testing import CliRunner

from jaxcap import Captioner
from jaxcap.cli import app
from jaxcap.interop.weight_files import read_weights
from jaxcap.state import flat

ROOT = Path(__file__).parents[2]
FINETUNE = ROOT / "configs" / "finetune.py"
ADAPTED = r"decoder\.transformer\.h\.\d\.(attn|crossattention)\.(c_attn|q_attn|c_proj)\.weight"


def convert(*words):
    ran = CliRunner().invoke(app, ["convert", *map(str, words)])
    assert ran.exit_code == 0, ran.output
    return ran.stdout


def params_of(run):
    """What captions, by path, adapters merged."""
    return flat(Captioner.load(run).variables["params"])


@pytest.fixture(scope="module")
def tuned(tmp_path_factory):
    """Imported, given adapters with the flags of the config's docstring, trained, exported."""
    folder = tmp_path_factory.mktemp("tuned")
    source, imported, run, out = (folder / name for name in ("source", "imported", "run", "out"))
    publish("vit+gpt2", source)
    told = convert(source, imported)
    before = params_of(imported)
    doc = ast.get_docstring(ast.parse(FINETUNE.read_text()))
    lora = shlex.split(" ".join(re.findall(r'--config\S+="[^"]+"', doc)))
    flags = {
        "data.source": photo_table(folder / "photos"),
        "data.captions": 1,
        "steps": 2,
        "batch_size": 8,
        "eval.batch_size": 8,
        "optim.lr": 0.01,
        "optim.warmup": 0,
    }
    trained = subprocess.run(
        [
            *(sys.executable, "-m", "jaxcap.main"),
            *(f"--config={FINETUNE}:{imported}", f"--workdir={run}"),
            *(f"--config.{name}={value}" for name, value in flags.items()),
            *lora,
        ],
        cwd=ROOT,
        env={**os.environ, "JAX_PLATFORMS": "cpu", "JAX_DISABLE_MOST_OPTIMIZATIONS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert trained.returncode == 0, trained.stderr
    shutil.rmtree(run / "checkpoints" / "0")  # two photographs do not tell which is the better
    told += convert(run, out, "--to", "hf")
    return SimpleNamespace(folder=folder, run=run, out=out, before=before, told=told)


def test_the_commands_say_what_they_did(tuned):
    count = len(read_weights(tuned.folder / "source"))
    first, *rest = tuned.told.splitlines()
    assert int(re.fullmatch(r"(\d+) parameters loaded", first)[1]) > count  # some lie together
    assert rest == [f"Written to {tuned.folder / 'imported'}.", f"Written to {tuned.out}."]


def test_the_config_is_that_of_the_run_and_of_the_flags(tuned):
    config = json.loads((tuned.run / "config.json").read_text())
    assert config["model"]["lora"] == [["^decoder/.*attention", 8]]
    assert config["optim"]["parts"] == [["^lora/", 1.0], ["", 0.0]]
    assert config["search"]["beams"] == 3
    assert (config["tokenizer"]["kind"], config["data"]["image_size"]) == ("hf", 32)


def test_adapters_alone_were_trained(tuned):
    after = params_of(tuned.run)
    moved = {path for path in after if (after[path] != tuned.before[path]).any()}
    assert after.keys() == tuned.before.keys()
    assert moved == {path for path in after if re.search(r"^decoder/.*attention/.*kernel$", path)}


def test_the_export_is_the_source_with_the_adapters_in_it(tuned):
    source, out = (read_weights(folder) for folder in (tuned.folder / "source", tuned.out))
    assert source.keys() == out.keys()
    moved = {name for name in out if (out[name] != source[name]).any()}
    assert moved == {name for name in out if re.fullmatch(ADAPTED, name)}
    convert(tuned.out, tuned.folder / "again")
    again, params = params_of(tuned.folder / "again"), params_of(tuned.run)
    assert again.keys() == params.keys()
    for path, leaf in params.items():
        np.testing.assert_array_equal(again[path], leaf)
    card = (tuned.out / "README.md").read_text()
    assert "| Started from | imported |" in card
    assert "| Data | csv:table.csv, split train |" in card
    assert "| Steps | 2 of 2, 8 images each |" in card
