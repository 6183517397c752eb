"""The training command: a mistake is one sentence and exit code 2; its modes leave runs alone."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from tiny_run import SOURCE, get_config

from jaxcap import modes
from jaxcap.errors import UserError

TINY = Path(__file__).parent / "tiny_run.py"
CONFIG = """
from jaxcap.config import base
def get_config(arg=""):
    config = base()
    config.data.source = "shape"
    if arg != "empty":
        config.steps = 3
    if arg == "unknown":
        config.stepz = 3
    if arg == "broken":
        raise RuntimeError("a mistake of the config's own")
    return config
"""


def command(folder, *words):
    (folder / "it.py").write_text(CONFIG)
    return subprocess.run(
        [sys.executable, "-m", "jaxcap.main", *words],
        cwd=folder,
        env={"PYTHONPATH": str(TINY.parents[1]), "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
    )


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--config=it.py", "--config.optim.lrr=1"], 'Did you mean "lr" instead of "lrr"?'),
        (["--config=it.py", "--config.steps=many"], "--config.steps=many"),
        (
            ["--config=it.py", "--config.model.decoder.canon=3"],
            "no field 'canon' to set from the command line",
        ),
        (["--config=it.py", "--mode=trian"], "train|eval|encode|compile"),
        (["--config=it.py", "--wrokdir=run"], "Did you mean: workdir"),
        (["--config=it.py", "run"], "Unexpected argument 'run'"),
        (["--config=no.py"], "There is no config 'no.py', neither as a file nor"),
        (["--config=shapes:lnog"], "Did you mean 'long'?"),
        (["--config=it.py:unknown"], 'Did you mean "steps" instead of "stepz"?'),
        (["--config=it.py:empty"], "leaves steps empty"),
        (["--config=it.py"], "There is no data source 'shape'. Did you mean 'shapes'?"),
        ([], "Both --config and --workdir are needed"),
        (["--config=it.py", "--mode=compile"], "--topology such as v5e:16x16"),
    ],
)
def test_a_mistake_is_one_sentence(words, message, tmp_path):
    ran = command(tmp_path, *words, *(["--workdir=run"] if words else []))
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.startswith("jaxcap: ")
    assert message in ran.stderr
    assert "Traceback" not in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
    assert not (tmp_path / "run").exists()


def test_a_mistake_that_is_not_the_users_has_its_traceback(tmp_path):
    ran = command(tmp_path, "--config=it.py:broken", "--workdir=run")
    assert ran.returncode == 1
    assert "RuntimeError: a mistake of the config's own" in ran.stderr


def test_evaluation_writes_scores_and_leaves_the_config(tiny_run, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(tiny_run, run)
    before = (run / "config.json").read_bytes()
    told = {name: (run / name).read_bytes() for name in ("predictions.json", "scores.json")}
    for name in told:
        (run / name).unlink()
    config = get_config()
    config.log_every = 7
    modes.evaluate(config, str(run))
    assert {name: (run / name).read_bytes() for name in told} == told
    assert (run / "config.json").read_bytes() == before


def test_evaluation_of_what_is_no_run_makes_nothing(tmp_path):
    with pytest.raises(UserError, match="no finished checkpoint"):
        modes.evaluate(get_config(), str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_encoding_keeps_memories_that_training_then_finds(tmp_path, capsys):
    config = get_config()
    config.data.source = SOURCE
    config.data.cache = str(tmp_path / "cache")
    config.optim.parts = (("^encoder/", 0.0),)
    modes.encode(config, str(tmp_path / "run"))
    manifests = sorted((tmp_path / "cache").glob("*/manifest.json"))
    assert [len(json.loads(each.read_text())["files"]) for each in manifests] == [1, 1]
    assert "Encoding 64 images" in capsys.readouterr().out
    modes.train(config, str(tmp_path / "run"))
    assert "Encoding" not in capsys.readouterr().out
    assert len(json.loads((tmp_path / "run" / "predictions.json").read_text())) == 12
