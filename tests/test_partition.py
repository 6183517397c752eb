"""Any mesh gives the same training, and reads what any other mesh has written."""

import dataclasses
import re

import jax
import numpy as np
import pytest
from jax.sharding import PartitionSpec as P

from jaxcap.errors import UserError
from jaxcap.experiment import Experiment
from jaxcap.partition import check_batch, make_mesh, shardings, to_devices
from jaxcap.run import Run
from jaxcap.train_step import make_step, trace_step

MESHES = ({"data": 1}, {"data": 2, "fsdp": 4}, {"data": 2, "tensor": 4})


def mesh_of(sizes):
    return make_mesh(sizes, jax.devices()[: int(np.prod(list(sizes.values())))])


@pytest.fixture(scope="module")
def run(tiny_run):
    return Run(tiny_run)


def on_mesh(run, sizes, changes=None):
    return dataclasses.replace(Experiment.of_run(run, changes or {}), mesh=mesh_of(sizes))


@pytest.fixture(scope="module")
def written(run):
    """What the run wrote on 8 devices."""
    experiment = on_mesh(run, {"data": 8})
    return jax.tree.map(np.asarray, experiment.restore(run, run.latest_step()))


@pytest.mark.parametrize("sizes", MESHES, ids=str)
def test_what_8_devices_wrote_is_read_on_any_mesh(run, written, sizes):
    experiment = on_mesh(run, sizes)
    state = experiment.restore(run, run.latest_step())
    jax.tree.map(np.testing.assert_array_equal, state, written)
    layout = shardings(state, experiment.mesh)
    assert all(jax.tree.leaves(jax.tree.map(lambda leaf, s: leaf.sharding == s, state, layout)))


def test_8_devices_then_4_then_1_hand_a_state_on(run, written, tmp_path):
    """As a run does that is moved to fewer devices, twice."""
    step, four = run.latest_step(), Run(tmp_path)
    four.save(on_mesh(run, {"data": 2, "fsdp": 2}).restore(run, step))
    four.wait()
    state = on_mesh(run, {"data": 1}).restore(four, step)
    assert {leaf.sharding.num_devices for leaf in jax.tree.leaves(state)} == {1}
    jax.tree.map(np.testing.assert_array_equal, state, written)


def steps_on(sizes, run, changes):
    """The state and losses after three steps on the same batches."""
    experiment = on_mesh(run, sizes, changes)
    config = experiment.config
    config.update({"optim": {"warmup": 0, "eps": 1e-3, "ema": 0.5}})  # no noise of tiny gradients
    rng = np.random.default_rng(0)
    with jax.set_mesh(experiment.mesh):
        state, losses, compiled = experiment.fresh_state()[0], [], None
        for _ in range(3):
            tokens = rng.integers(4, experiment.tokenizer.vocab_size, (8, 2, 24), np.int32)
            rows = {
                "image": rng.integers(0, 256, (8, 1, 32, 32, 3), np.uint8),
                "present": np.ones((8, 1), bool),
                "tokens": tokens,
                "mask": rng.random(tokens.shape) < 0.8,
            }
            batch = to_devices(rows, experiment.mesh)
            if compiled is None:
                step = make_step(
                    experiment.model, config, experiment.optimizer, experiment.tokenizer
                )
                compiled = trace_step(step, state, batch).lower().compile()
            state, metrics = compiled(state, batch)
            losses.append(float(metrics["loss"]))
        return state, losses


RECIPES = {
    "adamw": {},
    "muon and lora": {
        "optim.kind": "muon",
        "model.encoder.stem": "convs",
        "model.decoder.canon": 2,
        "model.lora": (("^decoder/.*(query|out|up)", 2),),
    },
}


@pytest.fixture(scope="module", params=RECIPES)
def recipe(request):
    return RECIPES[request.param]


@pytest.fixture(scope="module")
def alone(run, recipe):
    return steps_on({"data": 1}, run, recipe)


@pytest.mark.parametrize("sizes", [{"data": 8}, {"data": 2, "fsdp": 2, "tensor": 2}], ids=str)
def test_steps_on_any_mesh_are_those_of_one_device(run, recipe, alone, sizes):
    state, losses = steps_on(sizes, run, recipe)
    np.testing.assert_allclose(losses, alone[1], rtol=1e-4)
    for part in ("trained", "average"):
        for name, leaf in getattr(alone[0], part).items():
            found = np.asarray(getattr(state, part)[name])
            np.testing.assert_allclose(found, leaf, rtol=1e-3, atol=2e-5, err_msg=name)
    layout = shardings(state, mesh_of(sizes))
    assert all(jax.tree.leaves(jax.tree.map(lambda leaf, s: leaf.sharding == s, state, layout)))


@pytest.fixture(scope="module")
def losses_alone(run):
    return steps_on({"data": 1}, run, {})[1]


@pytest.mark.parametrize("sizes", [{"data": 2}, {"data": 4}, {"fsdp": 8}], ids=str)
def test_losses_are_the_same_on_2_4_and_8_devices(run, losses_alone, sizes):
    np.testing.assert_allclose(steps_on(sizes, run, {})[1], losses_alone, rtol=1e-5)


def captions_on(sizes, run):
    """What is said of the split."""
    experiment = on_mesh(run, sizes, {"search.max_len": 20, "search.beams": 2})
    with jax.set_mesh(experiment.mesh):
        variables = experiment.restore_variables(run, run.best_step())
        return experiment.evaluate(variables, run.best_step(), also=()).predictions


def test_captions_on_any_mesh_are_those_of_one_device(run):
    """Each device leaves the loop when its own images are done, whoever has them with it."""
    sizes = {"data": 2, "fsdp": 2, "tensor": 2}
    assert captions_on(sizes, run) == captions_on({"data": 1}, run)


TRANSFORMER = r"(query|key|value|attention/out|mlp/up|mlp/down)/kernel$|embedding$"


@pytest.mark.parametrize(("axis", "split"), [("fsdp", "kernel$|bedding$"), ("tensor", TRANSFORMER)])
def test_each_device_holds_its_share_of_the_bytes(run, axis, split):
    state = on_mesh(run, {axis: 2, "data": 4}).restore(run, run.latest_step())
    moments = state.opt_state[1]
    for part in (state.trained, state.average, moments.mu, moments.nu):
        names = [name for name in part if re.search(split, name)]
        assert len(names) > 10
        for name in names:
            held = {shard.data.nbytes for shard in part[name].addressable_shards}
            assert held == {part[name].nbytes // 2}, name


def test_every_matrix_of_the_model_is_shared_out(run):
    experiment = on_mesh(run, {"data": 1, "fsdp": 2, "tensor": 2})
    state = experiment.abstract_state()
    whole = {
        name
        for name, leaf in {**state.trained, **state.frozen}.items()
        if leaf.sharding.is_fully_replicated and leaf.ndim > 1
    }
    assert all(name.endswith("positions") for name in whole), whole
    for moments in (state.opt_state[1].mu, state.opt_state[1].nu, state.average):
        assert {n: leaf.sharding for n, leaf in moments.items()} == {
            n: leaf.sharding for n, leaf in state.trained.items()
        }


def test_a_dimension_that_does_not_divide_is_not_shared_out():
    mesh = mesh_of({"fsdp": 2, "tensor": 4})
    tree = {
        name: {"mlp": {"up": {"kernel": jax.ShapeDtypeStruct(shape, np.float32)}}}
        for name, shape in {"fits": (4, 8), "odd": (3, 8), "neither": (3, 6)}.items()
    }
    found = {name: each["mlp"]["up"]["kernel"].spec for name, each in shardings(tree, mesh).items()}
    assert found == {
        "fits": P("fsdp", "tensor"),
        "odd": P(None, "tensor"),
        "neither": P(None, None),
    }


def test_the_first_rule_that_fits_wins():
    leaf = jax.ShapeDtypeStruct((8, 8), np.float32)
    rules = (("a$", ("tensor",)), ("a$", ("fsdp", None)), ("a$", ("tensor", None)))
    found = shardings({"a": leaf, "b": leaf}, mesh_of({"fsdp": 2, "tensor": 4}), rules)
    assert found["a"].spec == P("fsdp", None)
    assert found["b"].spec == P()


def test_one_size_of_a_mesh_may_be_what_is_left():
    assert dict(make_mesh({"data": -1, "tensor": 2}).shape) == {"data": 4, "fsdp": 1, "tensor": 2}


@pytest.mark.parametrize(
    ("sizes", "message"),
    [
        ({"data": 3}, "data=3 x fsdp=1 x tensor=1 does not fit the 8 devices"),
        ({"data": -1, "fsdp": -1}, "one size may be -1"),
        ({"data": -1, "fsdp": 3}, "does not fit"),
        ({"data": 0, "fsdp": 8}, "does not fit"),
        ({"date": 8}, "Did you mean 'data'"),
    ],
)
def test_a_mesh_that_cannot_be(sizes, message):
    with pytest.raises(UserError, match=message):
        make_mesh(sizes)


def test_a_batch_that_cannot_be_shared_out():
    mesh = mesh_of({"data": 2, "fsdp": 2, "tensor": 2})
    check_batch(8, mesh)
    check_batch(8, mesh, 2)
    with pytest.raises(UserError, match=r"6 images cannot .* 4 devices .*data=2 x fsdp=2"):
        check_batch(6, mesh)
    with pytest.raises(UserError, match=r"in 3 parts .* multiple of 12"):
        check_batch(8, mesh, 3)
    with pytest.raises(UserError, match=r"Make eval\.batch_size a multiple of 4"):
        check_batch(6, mesh, name="eval.batch_size")
