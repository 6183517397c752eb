"""What `init_from` started from published weights is trained, each part at its own rate."""

import re
from dataclasses import replace

import jax
import numpy as np
import pytest
from published import photo_table, publish_part
from sources import WORDS
from starting import one_device, starting

from jaxcap.data.pipeline import train_batches
from jaxcap.experiment import Experiment
from jaxcap.interop.table import store
from jaxcap.interop.text import TEXT
from jaxcap.interop.vision import VISION
from jaxcap.interop.weight_files import write_weights
from jaxcap.partition import to_devices
from jaxcap.run import Run
from jaxcap.state import of_role
from jaxcap.train_step import make_step, trace_step

UNUSED = "pooler.dense.weight"
PARTS = (("^encoder/(stem|layer_0)", 0.0), ("^encoder/", 0.1), ("cross_attention", 3.0))


@pytest.fixture(scope="module")
def sources(tmp_path_factory):
    """(a directory of sources, not to be written to; the tensors of vit and of gpt2 by name)."""
    folder = tmp_path_factory.mktemp("sources")
    seen = publish_part("vit+gpt2", "encoder", folder / "vit")
    seen[UNUSED] = np.ones((3, 2), np.float32)
    write_weights(folder / "vit", seen)
    return folder, seen, publish_part("vit+gpt2", "decoder", folder / "gpt2")


@pytest.fixture(scope="module")
def trained(sources, tmp_path_factory):
    """(state before, state after two steps, report) with parts of the encoder frozen or slow."""
    folder = tmp_path_factory.mktemp("trained")
    config = starting(sources[0])
    config.data.source = photo_table(folder / "photos")
    config.optim.parts, config.optim.warmup, config.optim.clip = PARTS, 0, 0.0
    experiment = Experiment.open(config, Run(folder / "run"))
    experiment = replace(experiment, mesh=one_device())
    with jax.set_mesh(experiment.mesh):
        state, report = experiment.fresh_state()
        before = jax.tree.map(np.array, state)
        tokenizer = experiment.tokenizer
        step = make_step(experiment.model, experiment.config, experiment.optimizer, tokenizer)
        batches = train_batches(
            experiment.train_example(), batch_size=8, seed=0, start=0, workers=0
        )
        batch = to_devices(next(batches), experiment.mesh)
        program = trace_step(step, state, batch).lower().compile()
        for _ in range(2):
            state, metrics = program(state, batch)
        batches.close()
    assert np.isfinite(metrics["loss"])
    return before, jax.tree.map(np.array, state), report


def test_every_leaf_is_that_of_its_source(trained, sources):
    before, _, report = trained
    params = {**before.trained, **before.frozen}
    cross = {path for path in params if "/cross_" in path}
    assert report.loaded.keys() == params.keys() - cross
    assert report.fresh.keys() == cross
    assert all(params[path].std() > 0.05 for path in cross if path.endswith("kernel"))
    _, seen, said = sources
    found = store(of_role(params, "encoder"), VISION["vit"].table, 0)
    assert found.keys() == seen.keys() - {UNUSED}
    own = {path: params[path] for path in params.keys() - cross}
    found |= store(of_role(own, "decoder"), TEXT["gpt2"].table, WORDS)
    for name, array in {**seen, **said}.items():
        if name != UNUSED:
            np.testing.assert_array_equal(found[name], array, strict=True)
    query = seen["encoder.layer.1.attention.attention.query.weight"]
    kernel = params["encoder/layer_1/attention/query/kernel"]
    np.testing.assert_array_equal(kernel.reshape(32, 32), query.T)
    jax.tree.map(np.testing.assert_array_equal, before.average, before.trained)


def test_the_report_tells_every_leaf(trained):
    lines = trained[2].lines()
    assert lines[0] == f"{len(trained[2].loaded)} parameters loaded"
    assert f"unused: {UNUSED} [3, 2] x 1" in lines
    fresh = [line for line in lines if line.startswith("fresh: ")]
    assert "fresh: decoder/layers_*/cross_attention/query/kernel [32, 4, 8] x 2" in fresh
    counts = [int(line.rpartition(" x ")[2]) for line in fresh]
    assert sum(counts) == len(trained[2].fresh) == 2 * 10


def test_training_moves_each_part_at_its_rate_and_no_frozen_one(trained):
    before, after, _ = trained
    still = {
        path
        for path in {**before.trained, **before.frozen}
        if re.match("encoder/(stem|layer_0)", path)
    }
    assert before.frozen.keys() == still
    jax.tree.map(np.testing.assert_array_equal, after.frozen, before.frozen)
    moved = {
        path: np.abs(after.trained[path] - leaf).max() for path, leaf in before.trained.items()
    }
    biased = {path for path in moved if path.endswith("key/bias")}  # softmax does not feel them
    assert all(moved[path] > 0 for path in moved.keys() - biased)
    rates = {path: moved[path] for path in moved if path.endswith("up/kernel")}
    slow, fast = rates.pop("encoder/layer_1/mlp/up/kernel"), max(rates.values())
    assert slow == pytest.approx(0.1 * fast, rel=0.2)
    cross = moved["decoder/layers_0/cross_attention/out/kernel"]
    assert cross == pytest.approx(3 * fast, rel=0.2)
