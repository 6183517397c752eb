"""Muon: its matrices against the singular value decomposition, and what it leaves to AdamW."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcap.config import base
from jaxcap.errors import UserError
from jaxcap.models import build
from jaxcap.muon import MOMENTUM, RMS, direction, orthogonal, read_axes
from jaxcap.optim import optimizer
from jaxcap.state import init_variables

SHAPES = {
    "decoder/layers_0/mlp/up/kernel": (12, 8),
    "decoder/layers_0/self_attention/query/kernel": (6, 2, 4),
    "decoder/layers_0/self_attention/out/kernel": (2, 4, 6),
    "decoder/layers_1/self_attention/query/kernel": (6, 2, 4),
    "encoder/stem/conv_0/kernel": (3, 3, 2, 5),
    "encoder/stage_0/depthwise/kernel": (3, 3, 1, 5),
    "decoder/embedding": (10, 6),
    "decoder/bias": (10,),
}
AS_MATRIX = {"up": (12, 8), "query": (6, 8), "out": (8, 6), "conv_0": (18, 5)}
OTHERS = ("encoder/stage_0/depthwise/kernel", "decoder/embedding", "decoder/bias")


def normal(seed: int) -> dict[str, jax.Array]:
    keys = jax.random.split(jax.random.key(seed), len(SHAPES))
    return {
        name: jax.random.normal(key, shape)
        for key, (name, shape) in zip(keys, SHAPES.items(), strict=True)
    }


def first_update(grads):
    chain = direction(optax.identity(), SHAPED)
    with jax.numpy_dtype_promotion("standard"):
        return chain.update(grads, chain.init(normal(9)), normal(9))[0]


SHAPED = {name: jax.ShapeDtypeStruct(shape, jnp.float32) for name, shape in SHAPES.items()}


@pytest.mark.parametrize("name", [name for name in SHAPES if name not in OTHERS])
def test_an_update_is_the_nearest_orthogonal_matrix(name):
    grads = normal(1)
    rows, columns = next(shape for key, shape in AS_MATRIX.items() if f"/{key}/" in name)
    u, _, v = np.linalg.svd(np.asarray(grads[name]).reshape(rows, columns), full_matrices=False)
    found = np.asarray(first_update(grads)[name]).reshape(rows, columns)
    size = RMS * max(rows, columns) ** 0.5
    # Five Newton-Schulz steps leave singular values between about 0.7 and 1.2, not at 1.
    values = np.diag(u.T @ found @ v.T) / size
    assert ((values > 0.6) & (values < 1.3)).all()
    np.testing.assert_allclose(u @ np.diag(values * size) @ v, found, atol=2e-2 * size)


def test_an_update_is_as_large_as_one_of_adamw():
    big = {"decoder/x/kernel": jax.random.normal(jax.random.key(0), (64, 256))}
    chain = direction(optax.identity(), big)
    with jax.numpy_dtype_promotion("standard"):
        found = chain.update(big, chain.init(big), big)[0]["decoder/x/kernel"]
    assert 0.7 * RMS < float(jnp.sqrt(jnp.mean(found**2))) < 1.3 * RMS


def test_all_else_is_left_to_the_other_optimizer():
    grads = normal(2)
    found = first_update(grads)
    for name in OTHERS:
        np.testing.assert_array_equal(found[name], grads[name])


def test_every_matrix_of_a_real_model_is_seen_as_one():
    config = base()
    config.model.encoder = {"name": "vit", "size": "mini", "patch": 8, "stem": "convs"}
    config.model.decoder.update({"width": 64, "depth": 1, "heads": 2, "mlp_width": 64})
    config.data.image_size = 16
    model = build(config.model, 20, config.data.max_len + 1)
    params, _ = jax.eval_shape(lambda: init_variables(model, config, jax.random.key(0)))
    matrices = {name for name, leaf in params.items() if read_axes(name, leaf.shape)}
    assert matrices == {name for name in params if name.endswith("kernel")}
    assert len(matrices) > 20
    for name in matrices:
        assert 0 < read_axes(name, params[name].shape) < len(params[name].shape)


def test_the_second_step_has_the_momentum_of_the_first():
    config = base().optim
    config.update({"kind": "muon", "warmup": 0, "clip": 0.0, "weight_decay": 0.1, "final_lr": 1.0})
    chain, params, first, second = optimizer(config, 10, SHAPED), normal(0), normal(1), normal(2)
    _, state = chain.update(first, chain.init(params), params)
    found, _ = chain.update(second, state, params)
    name = "decoder/layers_0/mlp/up/kernel"
    momentum = second[name] + MOMENTUM * first[name]
    step = orthogonal((second[name] + MOMENTUM * momentum)[None])[0] + 0.1 * params[name]
    np.testing.assert_allclose(found[name], -config.lr * step, rtol=1e-4, atol=1e-7)


def test_a_kind_that_there_is_not_is_refused():
    config = base().optim
    config.kind = "moun"
    with pytest.raises(UserError, match="Did you mean 'muon'"):
        optimizer(config, 10, SHAPED)
