"""The step of a real config, compiled for sixteen chips that are not here."""

import importlib.util
import math
import os
import re
import subprocess
import sys
from pathlib import Path
from runpy import run_path

import jax
import pytest

from jaxcap.models import build
from jaxcap.state import init_variables

if importlib.util.find_spec("libtpu") is None:
    pytest.skip("needs libtpu: pip install -e '.[tpu]'", allow_module_level=True)

ROOT, CHIPS = Path(__file__).parents[2], 16


def report(*flags, config="configs/coco.py", topology=f"v5e:4x{CHIPS // 4}"):
    """What `--mode=compile` prints, by the first word of each line; in a process of its own."""
    words = [f"--config={config}", "--mode=compile", f"--topology={topology}", *flags]
    told = subprocess.run(
        [sys.executable, "-m", "jaxcap.main", *words],
        cwd=ROOT,
        env={**os.environ, "JAX_PLATFORMS": "cpu"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert told.stderr == ""
    lines = [re.sub(" +", " ", line).split(maxsplit=1) for line in told.stdout.splitlines()]
    return {head: [rest for each, rest in lines if each == head] for head, _ in lines}


def number(pattern, lines):
    return float(re.search(pattern, "\n".join(lines))[1])


def test_a_step_sends_its_parameters_twice_and_their_gradients_once():
    told = report(f"--config.mesh.fsdp={CHIPS}", "--config.batch_size=512")
    config = run_path(str(ROOT / "configs" / "coco.py"))["get_config"]()
    model = build(config.model, config.tokenizer.vocab_size, config.data.max_len + 1)
    params, _ = jax.eval_shape(lambda: init_variables(model, config, jax.random.key(0)))
    size = sum(math.prod(leaf.shape) for leaf in params.values())
    passes = 3 * (CHIPS - 1) / CHIPS * 2 * size  # bfloat16, for the two passes and the update
    sent = 2**20 * sum(float(line.split(": ")[1].split()[0]) for line in told["Collectives"])
    assert passes < sent < 1.25 * passes
    state = 4 * 4 * size / CHIPS  # parameters, their average and two moments
    held = 2**30 * number(r"([\d.]+) state", told["Memory"])
    assert state < held < 1.6 * state  # with the batch, and filled up to tiles
    assert number(r"([\d.]+) of 16 GiB", told["Memory"]) < 4
    assert told["Bound"] == ["by compute; at best 100% of its FLOPs"]


def test_a_search_sends_nothing():
    told = report("--what=caption", "--config.eval.batch_size=256")
    assert "Collectives" not in told
    assert number(r"compute ([\d.]+) ms", told["At"]) > 0


def test_an_axis_of_the_mesh_may_be_a_part_of_a_side_of_the_torus():
    told = report(
        "--config.mesh.fsdp=8",
        "--config.batch_size=64",
        config="configs/coco.py:runlocal",
        topology="v5p:4x4x4",
    )
    assert told["Mesh"] == ["data=8 x fsdp=8 x tensor=1 on v5p:4x4x4, 64 chips"]
