"""`jaxcap train`: configs by name, words passed on, and exit codes as of jaxcap.main."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from commands import command

from jaxcap.named_config import shipped

ROOT = Path(__file__).parents[2]
SETTINGS = {
    "PYTHONPATH": str(ROOT),
    "JAX_PLATFORMS": "cpu",
    "JAX_NUM_CPU_DEVICES": "1",
    "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
}


def train(folder, *words):
    """As a program, in another folder."""
    return subprocess.run(
        [sys.executable, "-m", "jaxcap.cli", "train", *words],
        cwd=folder,
        env={**os.environ, **SETTINGS},
        capture_output=True,
        text=True,
        check=False,
    )


def test_configs_are_listed_without_jax(tmp_path):
    code = (
        "import sys; from jaxcap.cli import app; app(['train', '--list'], standalone_mode=False);"
        "print({'jax', 'numpy', 'flax', 'ml_collections'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    *rows, heavy = ran.stdout.splitlines()
    assert [row.split(maxsplit=1) for row in rows] == [list(pair) for pair in shipped().items()]
    assert heavy == "set()"


def test_what_needs_no_run_is_asked_for_none(tmp_path):
    ran = train(tmp_path, "--config", "shapes", "--mode=compile")
    assert (ran.returncode, "needs --config, and --topology" in ran.stderr) == (2, True)
    ran = train(tmp_path, "--config", "shapes")
    assert (ran.returncode, "--workdir" in ran.stderr) == (2, True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Both --config and --workdir are needed, for example: jaxcap train"),
        (["--config", "shape"], "no config 'shape', .* Did you mean 'shapes'?"),
        (["--config", "shapes:lnog"], "has no 'lnog'. Did you mean 'long'?"),
        (["--config=shapes", "--config.optim.lrr=1"], 'Did you mean "lr" instead of "lrr"?'),
        (["--config.batch_size", "-1", "--config", "shapes"], "batch_size is -1; expected 1"),
        (["--config", "shapes", "--mode=evla"], "train|eval|encode|compile"),
        (["--config", "shapes", "--lsit"], "Unknown command line flag 'lsit'"),
        (["--config", "shapes", "more"], "Unexpected argument 'more'"),
    ],
)
def test_a_mistake_is_one_sentence_and_exit_code_2(words, message, tmp_path):
    ran = train(tmp_path, *words, *(["--workdir", "run"] if words else []))
    assert ran.returncode == 2, ran.stderr
    assert ran.stderr.startswith("jaxcap: ")
    assert all(part in ran.stderr for part in message.split(" .* "))
    assert len(ran.stderr.splitlines()) == 1


def test_it_trains(tmp_path):
    tiny = ROOT / "tests" / "tiny_run.py"
    fields = ("--config.seed=3", "--config.steps", "2")
    ran = train(tmp_path, *fields, "--config", f"{tiny}:random", "--workdir", "run")
    assert ran.returncode == 0, ran.stderr
    config = json.loads((tmp_path / "run" / "config.json").read_text())
    assert (config["seed"], config["steps"], config["data"]["crop"]) == (3, 2, 0.5)
    assert (tmp_path / "run" / "scores.json").exists()


def test_help_has_examples():
    told = command("train", "--help").output
    assert "jaxcap train --list\n" in told
    assert "--config.optim.lr=3e-4" in told
