"""Training on drawn captions is the trainer's own: any mesh, any parts, any decoder, any start."""

import dataclasses
import json
import re
import shutil

import jax
import numpy as np
import pytest
from drawing import batch_of, drawing_config

from jaxcap.ahead.collectives import collectives
from jaxcap.config import check
from jaxcap.errors import UserError
from jaxcap.experiment import Experiment
from jaxcap.partition import make_mesh, to_devices
from jaxcap.run import Run
from jaxcap.train import train
from jaxcap.train_step import make_step, trace_step

DECODERS = {
    "lstm soft": {"name": "recurrent", "width": 16, "word_width": 8},
    "lstm hard": {"name": "recurrent", "width": 16, "hard": True},
    "gru merge": {"name": "recurrent", "cell": "gru", "width": 16, "fusion": "merge"},
    "prefix": {
        "name": "transformer",
        "width": 16,
        "depth": 1,
        "heads": 2,
        "mlp_width": 32,
        "fusion": "prefix",
        "norm": "post",
    },
}


def opened(run, folder, mesh=None, **changes):
    """An experiment that starts from a run, with changes to its config, on a mesh."""
    config = drawing_config(run)
    with config.ignore_type():
        config.update_from_flattened_dict(changes)
    experiment = Experiment.open(config, Run(folder))
    sizes = mesh or {"data": 1}
    devices = jax.devices()[: int(np.prod(list(sizes.values())))]
    return dataclasses.replace(experiment, mesh=make_mesh(sizes, devices))


def compiled(experiment):
    """(state, compiled step)."""
    parts = (experiment.model, experiment.config, experiment.optimizer, experiment.tokenizer)
    state, _ = experiment.fresh_state()
    batch = to_devices(batch_of(experiment), experiment.mesh)
    return state, trace_step(make_step(*parts, experiment.reward), state, batch).lower().compile()


def steps(experiment, count=2):
    """(state, the metrics of each step)."""
    with jax.set_mesh(experiment.mesh):
        (state, step), told = compiled(experiment), []
        for number in range(count):
            state, metrics = step(state, to_devices(batch_of(experiment, number), experiment.mesh))
            told.append({name: float(value) for name, value in metrics.items()})
    return state, told


@pytest.fixture(scope="module")
def alone(tiny_run, tmp_path_factory):
    return steps(opened(tiny_run, tmp_path_factory.mktemp("alone")))


def assert_same(found, expected):
    for mine, theirs in zip(found[1], expected[1], strict=True):
        for name, value in theirs.items():
            assert mine[name] == pytest.approx(value, rel=1e-4, abs=1e-5), name
    for name, leaf in expected[0].trained.items():
        np.testing.assert_allclose(found[0].trained[name], leaf, rtol=1e-3, atol=2e-5, err_msg=name)


@pytest.mark.parametrize("sizes", [{"data": 8}, {"data": 2, "fsdp": 2, "tensor": 2}], ids=str)
def test_any_mesh_draws_the_same_and_learns_the_same(tiny_run, tmp_path, alone, sizes):
    assert_same(steps(opened(tiny_run, tmp_path, sizes)), alone)


def test_a_batch_in_parts_is_the_same_step(tiny_run, tmp_path, alone):
    assert_same(steps(opened(tiny_run, tmp_path, accumulate=2)), alone)


def test_the_step_is_one_program_that_asks_the_host_nothing(tiny_run, tmp_path):
    """Nor do devices ask one another while they draw: only for parameters and sums."""
    experiment = opened(tiny_run, tmp_path, {"data": 8})
    with jax.set_mesh(experiment.mesh):
        text = compiled(experiment)[1].as_text()
    assert re.search(r"\bwhile\(", text)  # the search is in it
    assert not re.search("callback|outfeed|infeed|send|recv", text)
    assert {each.kind for each in collectives(text, 8)} <= {"all-reduce"}


@pytest.mark.parametrize("decoder", DECODERS)
def test_any_decoder_learns_of_what_it_draws(tiny_run, tmp_path, decoder):
    config = drawing_config(tiny_run)
    config.init_from = ""
    config.model.decoder = DECODERS[decoder]
    experiment = Experiment.open(config, Run(tmp_path))
    experiment = dataclasses.replace(experiment, mesh=make_mesh({"data": 1}, jax.devices()[:1]))
    before = jax.tree.map(np.asarray, experiment.fresh_state()[0].trained)
    state, told = steps(experiment, count=1)
    assert np.isfinite(list(told[0].values())).all()
    moved = [name for name, leaf in state.trained.items() if (leaf != before[name]).any()]
    assert any(name.startswith("decoder/") for name in moved)
    assert any(name.startswith("encoder/") for name in moved)


@pytest.fixture(scope="module")
def trained(tiny_run, tmp_path_factory):
    """A run of four steps that draws, saved at each second one."""
    config = drawing_config(tiny_run)
    config.steps, config.checkpoint_every, config.log_every, config.eval.every = 4, 2, 1, 4
    folder = tmp_path_factory.mktemp("trained") / "run"
    assert train(config, folder)
    return config, folder


def lines(folder):
    told = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{**line, **dict.fromkeys(TIMES)} for line in told]


TIMES = ("images_per_s", "captions_per_s", "waiting")


def test_a_run_that_draws_goes_on_as_if_it_had_not_been_stopped(trained, tmp_path):
    config, folder = trained
    again = tmp_path / "again"
    shutil.copytree(folder, again)
    shutil.rmtree(again / "checkpoints" / "4")
    assert train(config, again)
    assert lines(again) == lines(folder)
    assert lines(folder)[-2]["kl"] > 0  # of the model that it began with, not of step 2
    for mine, other in zip(*map(parameters, (again, folder)), strict=True):
        np.testing.assert_array_equal(mine, other)


def parameters(folder):
    experiment = Experiment.open(Run(folder).config(), Run(folder))
    return jax.tree.leaves(experiment.restore(Run(folder), 4))


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        ({"min_entropy": 100.0}, r"nats a token.*min_entropy is 100\.0.*of step 0.*optim\.lr"),
        ({"max_kl": 1e-9}, r"nats a caption.*max_kl is 1e-09.*of step 0.*optim\.lr"),
    ],
    ids=["entropy", "divergence"],
)
def test_a_run_ends_at_its_bounds_and_keeps_its_best_checkpoint(tiny_run, tmp_path, bound, message):
    config = drawing_config(tiny_run, **bound)
    config.steps, config.log_every = 3, 2
    with pytest.raises(UserError, match=message):
        train(config, tmp_path)
    assert Run(tmp_path).steps() == [0]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        (
            {"objective.samples": 1},
            r"objective\.samples is 1.*2 or more with the baseline 'others'",
        ),
        ({"objective.samples": -1}, r"objective\.samples is -1"),
        ({"objective.baseline": "mean"}, r"objective\.baseline is 'mean'.*others, greedy"),
        ({"objective.scheduled_sampling": 0.5}, r"scheduled_sampling is 0\.5.*drawn anyway"),
        ({"objective.max_kl": -1.0}, r"objective\.max_kl is -1\.0"),
        ({"objective.min_entropy": -1.0}, r"objective\.min_entropy is -1\.0"),
        ({"reward.repeats": -0.5}, r"reward\.repeats is -0\.5.*0 or more"),
        ({"reward.cider": 0.0}, r"reward\.cider and reward\.bleu are 0"),
    ],
    ids=str,
)
def test_settings_that_nothing_could_be_learnt_by_are_refused(changes, message):
    config = drawing_config("a run")
    config.update_from_flattened_dict(changes)
    with pytest.raises(UserError, match=message):
        check(config)


def test_one_sample_will_do_beside_the_greedy_caption():
    config = drawing_config("a run", baseline="greedy", samples=1)
    check(config)
