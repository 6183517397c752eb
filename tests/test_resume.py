"""A run that was killed and went on is the run that was not, bit for bit."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest

from jaxcap.experiment import Experiment
from jaxcap.run import Run

HERE = Path(__file__).parent
STEPS = 8


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """Runs the training command of a run directory, as a process of its own with one device."""
    folder = tmp_path_factory.mktemp("resume")
    settings = {
        "JAX_PLATFORMS": "cpu",
        "JAX_NUM_CPU_DEVICES": "1",
        "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        "JAX_COMPILATION_CACHE_DIR": str(folder / "compiled"),
        "JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0",
    }

    def start(name, *program, workers=0):
        ran = subprocess.run(
            [
                sys.executable,
                *(program or ("-m", "jaxcap.main")),
                f"--config={HERE / 'tiny_run.py'}:random",
                f"--workdir={folder / name}",
                f"--config.steps={STEPS}",
                "--config.checkpoint_every=4",
                "--config.log_every=1",
                "--config.optim.warmup=2",
                f"--config.data.workers={workers}",
            ],
            env={**os.environ, **settings},
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        return ran, folder / name

    return start


@pytest.fixture(scope="module")
def unbroken(command):
    ran, folder = command("unbroken")
    assert ran.returncode == 0, ran.stderr
    return folder


def killed(command, name, workers):
    """Returns only when the pipes are closed: that is when its workers have ended too."""
    ran, folder = command(name, str(HERE / "dying_run.py"), "SIGKILL", "6", workers=workers)
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert Run(folder).latest_step() == 4
    assert [line["step"] for line in metrics(folder)] == [1, 2, 3, 4, 5, 6]
    return folder


def metrics(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


def losses(folder):
    kept = ("step", "loss", "grad_norm", "tokens", "accuracy")
    return [[line[name] for name in kept] for line in metrics(folder) if "loss" in line]


def state(folder):
    run = Run(folder)
    restored = Experiment.of_run(run, {}).restore(run, STEPS)
    return jax.tree.map(np.asarray, restored)


def assert_same(folder, unbroken):
    jax.tree.map(np.testing.assert_array_equal, state(folder), state(unbroken))
    assert losses(folder) == losses(unbroken)
    assert (folder / "predictions.json").read_bytes() == (
        unbroken / "predictions.json"
    ).read_bytes()


def test_killed_stopped_and_finished_it_is_the_unbroken_run(command, unbroken):
    killed(command, "killed", workers=0)
    ran, folder = command("killed", str(HERE / "dying_run.py"), "SIGTERM", "5")
    assert ran.returncode == 128 + signal.SIGTERM, ran.stderr
    assert "Going on from step 4" in ran.stdout
    assert "Stopped by SIGTERM; saved step 6" in ran.stdout
    assert Run(folder).latest_step() == 6
    ran, folder = command("killed")
    assert ran.returncode == 0, ran.stderr
    assert "Going on from step 6" in ran.stdout
    assert_same(folder, unbroken)


def test_with_worker_processes_too(command, unbroken):
    killed(command, "workers", workers=2)
    ran, folder = command("workers", workers=2)
    assert ran.returncode == 0, ran.stderr
    assert "Going on from step 4" in ran.stdout
    assert_same(folder, unbroken)


def test_the_steps_of_the_unbroken_run_differ(unbroken):
    """Or the tests above would show nothing."""
    found = losses(unbroken)
    assert [row[0] for row in found] == list(range(1, STEPS + 1))
    assert len({row[1] for row in found}) == STEPS
