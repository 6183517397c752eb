"""Every optimizer against PyTorch's or its paper; on a mesh, and saved in mid-training."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcap.config import base
from jaxcap.errors import UserError
from jaxcap.optim import KINDS, optimizer
from jaxcap.partition import make_mesh, shardings
from jaxcap.run import Run
from jaxcap.state import TrainState

STEPS = 6
SHAPES = {
    "decoder/layers_0/mlp/up/kernel": (128, 130),  # large enough for a row and a column of squares
    "decoder/layers_0/mlp/up/bias": (130,),
    "decoder/layers_0/self_attention/query/kernel": (128, 2, 128),
    "encoder/patches/kernel": (2, 2, 3, 8),
    "decoder/words/positions": (4, 6),
}
FLAT = {name: SHAPES[name] for name in list(SHAPES)[:2]}  # PyTorch factors what has more axes else
RATES = {"adadelta": 1.0, "sgd": 0.01, "muon": 0.1}


def settings(kind, **changes):
    config = base().optim
    config.update({"kind": kind, "warmup": 0, "schedule": "constant", "clip": 0.0})
    config.update({"weight_decay": 0.0, "lr": RATES.get(kind, 0.02), **changes})
    return config


def normal(seed, shapes):
    rng = np.random.default_rng(seed)
    return {name: rng.standard_normal(shape, np.float32) / 2 for name, shape in shapes.items()}


def trained(config, shapes):
    """The parameters after each of `STEPS` steps."""
    params = jax.tree.map(jnp.asarray, normal(0, shapes))
    tx = optimizer(config, STEPS, params)
    state, path = tx.init(params), []
    for seed in range(1, STEPS + 1):
        updates, state = tx.update(jax.tree.map(jnp.asarray, normal(seed, shapes)), state, params)
        params = optax.apply_updates(params, updates)
        path.append(params)
    return path


ORACLES = {  # settings here, and PyTorch's optimizer with its own
    "adam": ({"b1": 0.8, "b2": 0.9, "eps": 1e-3}, "Adam", {"betas": (0.8, 0.9), "eps": 1e-3}),
    "adamw": (
        {"b1": 0.8, "b2": 0.9, "eps": 1e-3, "weight_decay": 0.3},
        "AdamW",
        {"betas": (0.8, 0.9), "eps": 1e-3, "weight_decay": 0.3},
    ),
    "adadelta": ({"b2": 0.8, "eps": 1e-3}, "Adadelta", {"rho": 0.8, "eps": 1e-3}),
    "rmsprop": (
        {"b1": 0.7, "b2": 0.8, "eps": 1e-3},
        "RMSprop",
        {"momentum": 0.7, "alpha": 0.8, "eps": 1e-3},
    ),
    "sgd": ({"b1": 0.7}, "SGD", {"momentum": 0.7}),
    # PyTorch's rate is a share of the parameter's size, or of its second eps if that is larger: 1.
    "adafactor": ({"b1": 0.0, "b2": 1.0, "eps": 1e-15}, "Adafactor", {"eps": (1e-15, 1.0)}),
}


@pytest.mark.parametrize("kind", ORACLES)
def test_it_is_that_of_pytorch(kind):
    torch = pytest.importorskip("torch")
    changes, name, theirs = ORACLES[kind]
    config = settings(kind, **changes)
    leaves = {
        path: torch.nn.Parameter(torch.tensor(array, dtype=torch.float64))
        for path, array in normal(0, FLAT).items()
    }
    decays = {"weight_decay": 0.0, **theirs}
    groups = [
        {"params": [leaf], **decays, "weight_decay": decays["weight_decay"] * (leaf.ndim > 1)}
        for leaf in leaves.values()
    ]
    other = getattr(torch.optim, name)(groups, lr=config.lr)
    for seed, params in enumerate(trained(config, FLAT), 1):
        for path, array in normal(seed, FLAT).items():
            leaves[path].grad = torch.tensor(array, dtype=torch.float64)
        other.step()
        for path, leaf in leaves.items():
            assert params[path].dtype == jnp.float32
            found = leaf.detach().numpy()
            np.testing.assert_allclose(params[path], found, rtol=1e-5, atol=2e-6, err_msg=path)


def test_lion_is_that_of_its_paper():
    """Chen et al., arXiv 2302.06675, Algorithm 2."""
    config = settings("lion", b1=0.8, b2=0.6, weight_decay=0.3)
    params = normal(0, FLAT)
    momentum = {name: np.zeros(shape) for name, shape in FLAT.items()}
    for seed, found in enumerate(trained(config, FLAT), 1):
        for name, g in normal(seed, FLAT).items():
            decay = 0.3 if params[name].ndim > 1 else 0.0
            step = np.sign(0.8 * momentum[name] + 0.2 * g) + decay * params[name]
            params[name] = params[name] - config.lr * step
            momentum[name] = 0.6 * momentum[name] + 0.4 * g
            np.testing.assert_allclose(found[name], params[name], rtol=1e-5, atol=1e-6)


def test_adafactor_has_a_momentum_and_an_end_of_its_memory():
    """What PyTorch's has not: Zhai et al., arXiv 2106.04560, section 3.3."""
    config, name = settings("adafactor", b1=0.7, b2=0.4, eps=0.1), "encoder/patches/kernel"
    shapes = {name: SHAPES[name]}
    params, square, momentum = normal(0, shapes)[name], 0.0, 0.0
    for seed, found in enumerate(trained(config, shapes), 1):
        g, decay = normal(seed, shapes)[name], min(0.4, 1 - seed**-0.8)
        square = decay * square + (1 - decay) * (g * g + 0.1**2)
        step = g / np.sqrt(square)
        momentum = 0.7 * momentum + 0.3 * step / max(1, np.sqrt((step * step).mean()))
        params = params - config.lr * momentum
        np.testing.assert_allclose(found[name], params, rtol=1e-5, atol=1e-6)


def test_adafactor_without_momentum_has_no_array_of_a_matrixs_size():
    config = settings("adafactor", b1=0.0)
    shapes = {name: jax.ShapeDtypeStruct(SHAPES[name], jnp.float32) for name in SHAPES}
    state = jax.eval_shape(optimizer(config, STEPS, shapes).init, shapes)
    assert max(leaf.size for leaf in jax.tree.leaves(state)) == 2 * 128


@pytest.mark.parametrize("kind", KINDS)
def test_it_learns_a_quadratic(kind):
    config = settings(kind, eps=1e-4)
    wanted = jax.tree.map(jnp.asarray, normal(1, SHAPES))
    params = jax.tree.map(jnp.asarray, normal(0, SHAPES))
    tx = optimizer(config, 100, params)

    def distance(params):
        return sum(((params[name] - wanted[name]) ** 2).sum() for name in SHAPES)

    def step(_, carried):
        params, state = carried
        updates, state = tx.update(jax.grad(distance)(params), state, params)
        return optax.apply_updates(params, updates), state

    far = distance(params)
    params, _ = jax.jit(lambda start: jax.lax.fori_loop(0, 100, step, start))(
        (params, tx.init(params))
    )
    assert distance(params) < 0.05 * far


@pytest.mark.parametrize("kind", KINDS)
def test_what_has_no_gradient_stays_and_all_is_float32(kind):
    """Such as the rows of a table beyond its words."""
    params = jax.tree.map(jnp.asarray, normal(0, SHAPES))
    grads = jax.tree.map(lambda leaf: jnp.asarray(leaf).at[1:].set(0.0), normal(1, SHAPES))
    tx = optimizer(settings(kind), STEPS, params)
    state = tx.init(params)
    for _ in range(2):
        updates, state = tx.update(grads, state, params)
    for name in SHAPES.keys() if kind != "muon" else ("decoder/words/positions",):
        np.testing.assert_array_equal(updates[name][1:], 0.0)
        assert (updates[name][0] != 0).all()
    assert {leaf.dtype for leaf in jax.tree.leaves(updates)} == {np.dtype("float32")}
    assert {str(leaf.dtype) for leaf in jax.tree.leaves(state)} <= {"float32", "int32"}


def on_mesh(kind, sizes):
    """(tx, state after two steps, function of a step) on a mesh of so many devices."""
    mesh = make_mesh(sizes, jax.devices()[: int(np.prod(list(sizes.values())))])
    shapes = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in SHAPES.items()}
    tx = optimizer(settings(kind, eps=1e-3), STEPS, shapes)

    def new(params):
        return TrainState(
            step=jnp.zeros((), jnp.int32),
            trained=params,
            average=jax.tree.map(jnp.copy, params),
            frozen={},
            stats={},
            opt_state=tx.init(params),
            baseline=jnp.zeros(()),
        )

    layout = shardings(jax.eval_shape(new, shapes), mesh)

    def step(state, grads):
        updates, opt_state = tx.update(grads, state.opt_state, state.trained)
        moved = optax.apply_updates(state.trained, updates)
        return state.replace(step=state.step + 1, trained=moved, opt_state=opt_state)

    with jax.set_mesh(mesh):
        state = jax.jit(new, out_shardings=layout)(normal(0, SHAPES))
        step = jax.jit(step, out_shardings=layout)
        for seed in (1, 2):
            state = step(state, normal(seed, SHAPES))
    return state, step, layout


@pytest.mark.parametrize("kind", KINDS)
def test_saved_in_mid_training_on_a_mesh_it_goes_on_bit_for_bit(kind, tmp_path):
    alone, _, _ = on_mesh(kind, {"data": 1})
    state, step, layout = on_mesh(kind, {"data": 2, "fsdp": 2, "tensor": 2})
    for name, leaf in alone.trained.items():
        np.testing.assert_allclose(state.trained[name], leaf, rtol=1e-4, atol=2e-5)
    for path, leaf in jax.tree_util.tree_leaves_with_path(state.opt_state):
        name = next((name for name in SHAPES if str(path[-1]) == f"['{name}']"), None)
        if name and leaf.shape == SHAPES[name]:
            assert leaf.sharding == state.trained[name].sharding
    run = Run(tmp_path)
    run.save(state)
    like = jax.tree.map(
        lambda leaf, where: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype, sharding=where),
        state,
        layout,
    )
    run.wait()
    restored = run.restore_train(2, like)
    jax.tree.map(np.testing.assert_array_equal, restored, state)
    third = [step(each, normal(3, SHAPES)) for each in (state, restored)]
    jax.tree.map(np.testing.assert_array_equal, *third)


def test_adam_is_refused_a_weight_decay():
    shapes = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in SHAPES.items()}
    message = r"'adam' has no weight decay, and optim.weight_decay is 0.01. .*=0.0; or .*'adamw'"
    with pytest.raises(UserError, match=message):
        optimizer(settings("adam", weight_decay=0.01), STEPS, shapes)


@pytest.mark.parametrize(
    ("field", "name", "nearest"),
    [("kind", "adamm", "adam"), ("kind", "rmsporp", "rmsprop"), ("schedule", "cosin", "cosine")],
)
def test_an_unknown_name_gets_the_nearest_one(field, name, nearest):
    with pytest.raises(UserError, match=rf"no optim.{field} '{name}'. Did you mean '{nearest}'"):
        optimizer(settings(**{"kind": "adamw", field: name}), STEPS, {})
