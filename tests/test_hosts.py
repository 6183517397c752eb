"""Real processes over loopback are one run, however they find each other."""

import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import jax
import numpy as np
import pytest
import tiny_run
from events import texts

from jaxcap.experiment import Experiment
from jaxcap.modes import evaluate_run
from jaxcap.run import Run

HERE = Path(__file__).parent
STEPS, DEVICES = 60, 4


def flags(process, processes, port):
    """By hand."""
    return [f"--coordinator=127.0.0.1:{port}", f"--processes={processes}", f"--process={process}"]


def slurm(process, processes, port):
    """What srun tells its tasks."""
    return {
        "SLURM_JOB_ID": "7",
        "SLURM_STEP_NODELIST": "127.0.0.1",
        "SLURM_NTASKS": str(processes),
        "SLURM_PROCID": str(process),
        "SLURM_LOCALID": str(process),
        "JAX_COORDINATOR_PORT": str(port),
    }


def gke(process, processes, port):
    """What GKE tells the pods of a slice."""
    return {
        "JAX_FORCE_TPU_INIT": "1",
        "TPU_WORKER_HOSTNAMES": ",".join(["127.0.0.1"] * processes),
        "TPU_WORKER_ID": str(process),
        "MEGASCALE_COORDINATOR_ADDRESS": "127.0.0.1",
        "MEGASCALE_NUM_SLICES": "1",
        "MEGASCALE_SLICE_ID": "0",
        "JAX_COORDINATOR_PORT": str(port),
    }


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@pytest.fixture(scope="module")
def command(tmp_path_factory):
    """Runs the training command as some processes that have four devices between them."""
    folder = tmp_path_factory.mktemp("hosts")

    def start(name, processes, told=None, programs=None, also=()):
        port, running = free_port(), []
        for process in range(processes):
            found = told(process, processes, port) if told else []
            words = [
                *(programs[process] if programs else ("-m", "jaxcap.main")),
                f"--config={tiny_run.__file__}:random",
                f"--workdir={folder / name}",
                f"--config.steps={STEPS}",
                "--config.checkpoint_every=4",
                "--config.log_every=1",
                "--config.mesh.data=2",
                "--config.mesh.fsdp=2",
                *(found if isinstance(found, list) else ["--distributed"]),
                *also,
            ]
            settings = {
                "JAX_PLATFORMS": "cpu",
                "JAX_NUM_CPU_DEVICES": str(DEVICES // processes),
                "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
                **(found if isinstance(found, dict) else {}),
            }
            running.append(
                subprocess.Popen(
                    [sys.executable, *words],
                    env={**os.environ, **settings},
                    stdout=subprocess.PIPE,
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        try:
            outputs = [process.communicate(timeout=600) for process in running]
        finally:
            for process in running:
                process.kill()
        return [process.returncode for process in running], outputs, folder / name

    return start


@pytest.fixture(scope="module")
def alone(command):
    """The run of one process."""
    codes, outputs, folder = command("alone", 1)
    assert codes == [0], outputs
    return folder


def losses(folder):
    rows = map(json.loads, (folder / "metrics.jsonl").read_text().splitlines())
    return [[row["step"], row["loss"], row["grad_norm"]] for row in rows if "loss" in row]


def assert_same(folder, alone):
    np.testing.assert_allclose(losses(folder), losses(alone), rtol=1e-5)
    assert (folder / "predictions.json").read_text() == (alone / "predictions.json").read_text()


def test_two_processes_are_one_run(command, alone, tmp_path):
    codes, outputs, folder = command("flags", 2, flags, also=["--config.writers=tensorboard"])
    assert codes == [0, 0], outputs
    assert_same(folder, alone)
    captions = dict(texts(folder, STEPS))  # of a model that lies on devices of both
    said = {each["caption"] for each in json.loads((folder / "predictions.json").read_text())}
    assert len(captions) == 8
    assert set(captions.values()) <= said
    (first, _), (second, _) = outputs
    assert f"step {STEPS}/{STEPS}" in first
    assert "step" not in second
    run = Run(folder)  # restored on the eight devices of this process
    states = [Experiment.of_run(each, {}).restore(each, STEPS) for each in (run, Run(alone))]
    assert all(leaf.sharding.num_devices == 8 for leaf in jax.tree.leaves(states))
    for name, leaf in states[1].trained.items():
        if not name.endswith("key/bias"):  # whose gradient is nothing but rounding
            found = states[0].trained[name]
            np.testing.assert_allclose(found, leaf, rtol=1e-3, atol=1e-4, err_msg=name)
    evaluate_run(Experiment.of_run(run, {}), run, tmp_path)
    said = (tmp_path / "predictions.json").read_text()
    assert said == (folder / "predictions.json").read_text()


def test_stopped_and_finished_by_others_it_is_the_same(command, alone):
    """One of SLURM's tasks is told to stop, and all of them save a step; GKE's pods go on."""
    dying = [("-m", "jaxcap.main"), (str(HERE / "dying_run.py"), "SIGTERM", "5")]
    codes, outputs, folder = command("stopped", 2, slurm, dying)
    assert codes == [128 + signal.SIGTERM] * 2, outputs
    step = Run(folder).latest_step()
    assert 5 < step < STEPS
    assert f"Stopped by SIGTERM; saved step {step}" in outputs[0][0]
    codes, outputs, folder = command("stopped", 2, gke)
    assert codes == [0, 0], outputs
    assert f"Going on from step {step}" in outputs[0][0]
    assert_same(folder, alone)


SLOW = """
import time
from jaxcap import main, memory_store
write = memory_store.write_text
memory_store.write_text = lambda *file: time.sleep(3) or write(*file)
main.main()
"""


def test_memories_that_one_process_keeps_are_found_by_all(command, tmp_path):
    frozen = (
        f"--config.data.cache={tmp_path}",
        "--config.data.crop=1.0",
        "--config.model.encoder.dropout=0.0",
        "--config.optim.parts=(('^encoder/', 0.0),)",
        "--config.steps=2",
    )
    programs = [("-c", SLOW), ("-m", "jaxcap.main")]
    codes, outputs, folder = command("kept", 2, flags, programs, frozen)
    assert codes == [0, 0], outputs
    assert len(losses(folder)) == 2
    assert len(list(tmp_path.glob("*/manifest.json"))) == 2


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--distributed"], "were not found"),
        (["--coordinator=127.0.0.1:1"], "belong together"),
        (["--processes=2", "--process=0"], "belong together"),
        (["--coordinator=here", "--processes=2", "--process=0"], "expected HOST:PORT"),
    ],
)
def test_what_joins_nobody_is_refused(words, message, tmp_path):
    command = [sys.executable, "-m", "jaxcap.main", f"--workdir={tmp_path}", *words]
    ran = subprocess.run(
        [*command, f"--config={HERE / 'tiny_run.py'}"],
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=False,
        timeout=180,
    )
    assert (ran.returncode, message in ran.stderr) == (2, True), ran.stderr
    assert "Traceback" not in ran.stderr
