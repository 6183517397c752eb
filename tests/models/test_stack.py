"""Layers as one loop are the layers written out: values, gradients, parameters, where they look."""

from functools import lru_cache

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from showing import pictures

from jaxcap.models import build
from jaxcap.models.captioning import caption_logp
from jaxcap.models.dropout import Dropout
from jaxcap.models.seen import SEEN, maps
from jaxcap.models.stack import through

RNG = np.random.default_rng(0)
SHOWN = pictures(RNG.integers(0, 256, (2, 16, 24, 3), np.uint8))
TOKENS = jnp.asarray(RNG.integers(1, 11, (2, 3, 5)).astype(np.int32))
VIT = {"name": "vit", "width": 8, "depth": 3, "heads": 2, "mlp_width": 16, "patch": 8}
BEIT = {**VIT, "tokens": ["class"], "positions": ["relative"], "layer_scale": 0.1}
SHARED = {**VIT, "tokens": ["class"], "positions": ["shared"]}
DECODER = {"name": "transformer", "width": 8, "depth": 3, "heads": 2, "mlp_width": 16}
MODELS = {
    "cross": (VIT, DECODER),
    "prefix": (BEIT, {**DECODER, "fusion": "prefix"}),
    "merge": (SHARED, {**DECODER, "fusion": "merge", "norm": "post"}),
    "whole": (VIT, {**DECODER, "fuses_whole": True}),
}


def model_of(kind, scan=False, remat=False, dropout=0.0, depth=3):
    encoder, decoder = MODELS[kind]
    more = {"dropout": dropout, "depth": depth}
    config = {
        "encoder": {**encoder, **more},
        "stage": {"name": ""},
        "bridge": {**more, "heads": 2, "mlp_width": 16},
        "decoder": {**decoder, **more},
        "dtype": "float32",
        "remat": remat,
        "scan": scan,
        "vocab_size": 0,
    }
    return build(ConfigDict(config), vocab_size=11, max_len=6)


@lru_cache
def variables_of(kind):
    """Random in every leaf."""
    shapes = jax.eval_shape(model_of(kind, scan=True).init, jax.random.key(0), SHOWN, TOKENS)
    rng = np.random.default_rng(1)
    return jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(0, 0.3, leaf.shape).astype(np.float32)), shapes
    )


def learning(kind, **chosen):
    """Likelihood, logits and maps of the layers, and the likelihood's gradient."""
    model = model_of(kind, **chosen)

    def likelihood(variables):
        rngs = {"dropout": jax.random.key(1)}
        logits, seen = model.apply(variables, SHOWN, TOKENS, True, rngs=rngs, mutable=[SEEN])
        return caption_logp(logits, TOKENS).mean(), (logits, maps(seen))

    return jax.jit(jax.value_and_grad(likelihood, has_aux=True))


@pytest.mark.parametrize("kind", MODELS)
def test_a_loop_over_the_layers_changes_nothing(kind):
    written = learning(kind)(variables_of(kind))
    looped = learning(kind, scan=True, remat=kind != "cross")(variables_of(kind))
    assert len(written[0][1][1]) == (0 if kind == "merge" else 3)
    jax.tree.map(
        lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-5), written, looped
    )


class Drops(nn.Module):
    """What each of three layers drops of ones, in a row of its own."""

    remat: bool

    @nn.compact
    def __call__(self):
        return through(
            [Dropout(0.5, name=f"layer_{i}") for i in range(3)],
            lambda layer, x, row: x + row * layer(jnp.ones((1, 64)), True),
            jnp.zeros((3, 64)),
            list(jnp.eye(3)[:, :, None]),
            scan=True,
            remat=self.remat,
        )


@pytest.mark.parametrize("remat", [False, True])
def test_each_round_of_the_loop_drops_others(remat):
    def dropped(key):
        return np.asarray(Drops(remat).apply({}, rngs={"dropout": jax.random.key(key)}) == 0)

    first, again, other = dropped(1), dropped(1), dropped(2)
    np.testing.assert_array_equal(first, again)
    assert (first != other).any(axis=1).all()
    assert first.any(axis=1).all()
    assert len({row.tobytes() for row in first}) == 3


def products(depth, scan):
    """How many matrix products the program of a training step has."""
    model = model_of("cross", scan=scan, depth=depth)
    variables = jax.eval_shape(model.init, jax.random.key(0), SHOWN, TOKENS)

    def likelihood(variables):
        logits = model.apply(variables, SHOWN, TOKENS, True, rngs={"dropout": jax.random.key(1)})
        return caption_logp(logits, TOKENS).mean()

    return jax.jit(jax.grad(likelihood)).lower(variables).as_text().count("dot_general")


def test_the_program_is_no_longer_for_more_layers():
    assert products(2, scan=False) < products(4, scan=False)
    assert products(2, scan=True) == products(4, scan=True)
