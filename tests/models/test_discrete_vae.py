"""The discrete VAE: what it draws and minimises, and what of it the captioner reads."""

from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcap.errors import UserError
from jaxcap.models import ENCODERS
from jaxcap.models.latents import gumbel_softmax, kl_to_normal, kl_to_uniform, temperature_at

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 8, 12, 3), np.uint8)
SIZES = {"codes": 6, "style": 3, "width": 8, "patch": 4, "depth": 1, "beta": 0.5, "gamma": 0.25}
PROGRESS = jnp.float32(0.3)
NAMES = ("reconstruction", "kl_style", "kl_content")


def vae(**changes):
    return ENCODERS["discrete_vae"](**{**SIZES, **changes})


def random_variables():
    """Random in every leaf."""
    shapes = jax.eval_shape(vae().init, jax.random.key(0), IMAGES)
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: jnp.asarray(rng.normal(0, 0.4, leaf.shape), "float32"), shapes)


VARIABLES = random_variables()


@lru_cache
def method(name, **changes):
    """(what the method takes) -> what it gives, with `VARIABLES`."""
    return jax.jit(partial(vae(**changes).apply, VARIABLES, method=name))


@lru_cache
def losses_of(**changes):
    """(images, progress, a number for the key) -> the losses."""
    apply = partial(vae(**changes).apply, VARIABLES, method="losses")
    return jax.jit(
        lambda images, progress, seed: apply(
            images, progress, rngs={"dropout": jax.random.key(seed)}
        )
    )


def test_cold_draws_are_one_code_each_as_often_as_it_is_likely():
    logits = jnp.asarray([1.0, 0.0, -1.0, 2.0], jnp.float32)
    many = jnp.broadcast_to(logits[None], (20_000, 4))
    draws = np.asarray(jax.jit(gumbel_softmax)(jax.random.key(0), many, jnp.float32(1e-3)))
    assert np.mean(draws.max(axis=-1) > 0.999) > 0.99
    share = np.bincount(draws.argmax(axis=-1), minlength=4) / len(draws)
    np.testing.assert_allclose(share, jax.nn.softmax(logits), atol=0.01)


def test_warm_draws_are_the_same_draws_but_softer():
    logits = jnp.asarray(RNG.normal(size=(50, 5)), jnp.float32)
    cold, warm = (gumbel_softmax(jax.random.key(0), logits, jnp.float32(t)) for t in (0.1, 2.0))
    np.testing.assert_allclose(warm.sum(axis=-1), 1, rtol=1e-5)
    np.testing.assert_array_equal(warm.argmax(axis=-1), cold.argmax(axis=-1))
    assert (warm.max(axis=-1) < cold.max(axis=-1)).all()


def test_the_divergence_from_uniform_is_that_of_the_definition():
    logits = RNG.normal(size=(2, 3, 2, 5)).astype(np.float32)
    p = np.exp(logits) / np.exp(logits).sum(axis=-1, keepdims=True)
    expected = (p * np.log(p / (1 / 5))).sum(axis=(1, 2, 3))
    np.testing.assert_allclose(kl_to_uniform(jnp.asarray(logits)), expected, rtol=1e-5)


def test_the_divergence_from_normal_is_that_of_the_integral():
    mean, log_variance = np.array([[0.7, -1.0]], np.float32), np.array([[-0.8, 0.5]], np.float32)
    x = np.linspace(-15, 15, 20_001)[:, None]
    p, q = (
        np.exp(-((x - m) ** 2) / (2 * v)) / np.sqrt(2 * np.pi * v)
        for m, v in ((mean, np.exp(log_variance)), (0.0, 1.0))
    )
    expected = (p * np.log((p + 1e-300) / q)).sum() * (x[1, 0] - x[0, 0])
    found = kl_to_normal(jnp.asarray(mean), jnp.asarray(log_variance))
    np.testing.assert_allclose(found, [expected], rtol=1e-4)


def test_the_temperature_falls_by_equal_factors_and_then_stays():
    progress = np.array([0.0, 0.25, 0.5, 0.75, 1.0], np.float32)
    found = [temperature_at(jnp.asarray(p), 2.0, 0.02, 0.5) for p in progress]
    np.testing.assert_allclose(found, [2.0, 0.2, 0.02, 0.02, 0.02], rtol=1e-5)


def test_losses_are_those_of_each_image_and_named():
    losses = losses_of()(IMAGES, PROGRESS, 0)
    assert set(losses) == set(NAMES)
    other = IMAGES.copy()
    other[1] = 255 - other[1]
    for name, changed in losses_of()(other, PROGRESS, 0).items():
        assert losses[name].shape == (3,)
        assert (losses[name] > 0).all()
        moved = np.abs(changed - losses[name]) > 1e-6 * losses[name]
        np.testing.assert_array_equal(moved, [False, True, False])


def test_each_weight_is_of_its_own_term():
    losses, more = losses_of()(IMAGES, PROGRESS, 0), losses_of(beta=1.5, gamma=0.5)
    for name, factor in zip(NAMES, (1, 3, 2), strict=True):
        np.testing.assert_allclose(
            more(IMAGES, PROGRESS, 0)[name], factor * losses[name], rtol=1e-6
        )


def test_only_the_reconstruction_is_of_what_was_drawn_and_how_warm():
    losses = losses_of()(IMAGES, PROGRESS, 0)
    for progress, seed in ((PROGRESS, 1), (jnp.float32(0.6), 0)):
        for name, other in losses_of()(IMAGES, progress, seed).items():
            assert np.allclose(other, losses[name], rtol=1e-6) == (name != "reconstruction")


def test_losses_teach_the_vae_and_captions_the_table_that_they_read():
    model, images = vae(), jnp.asarray(IMAGES)

    def objective(variables, part):
        if part == "captions":
            return jnp.square(model.apply(variables, images, True).tokens).sum()
        rngs = {"dropout": jax.random.key(0)}
        losses = model.apply(variables, images, PROGRESS, method="losses", rngs=rngs)
        return sum(loss.sum() for loss in losses.values())

    gradient = jax.jit(jax.grad(objective), static_argnums=1)
    for part in ("captions", "losses"):
        for path, leaf in jax.tree_util.tree_leaves_with_path(gradient(VARIABLES, part)):
            assert np.isfinite(leaf).all(), path
            taught = "captions" if "embedding" in str(path) else "losses"
            assert (np.abs(leaf).max() > 0) == (part == taught), path


def test_the_memory_is_the_row_of_each_code_at_its_place():
    indices = np.asarray(method("indices")(IMAGES))
    assert indices.shape == (3, 2, 3)
    assert len(np.unique(indices)) > 1
    memory = method("__call__")(IMAGES)
    assert memory.grid == (2, 3)
    assert memory.mask.all()
    places = memory.tokens - VARIABLES["params"]["embedding"][indices.reshape(3, 6)]
    np.testing.assert_allclose(places, np.broadcast_to(places[:1], places.shape), atol=1e-6)
    apart = np.abs(places[0][:, None] - places[0][None]).max(axis=-1)
    assert (apart[~np.eye(6, dtype=bool)] > 0.1).all()
    trained = jax.jit(partial(vae().apply, VARIABLES, train=True))(IMAGES)
    np.testing.assert_array_equal(trained.tokens, memory.tokens)


def test_an_image_is_drawn_again_from_its_codes_and_its_style():
    drawn = np.asarray(method("reconstruct")(IMAGES))
    assert drawn.shape == IMAGES.shape
    assert drawn.dtype == np.uint8
    indices = method("indices")(IMAGES)
    plain, styled, other = (
        np.asarray(method("decode_codes")(*inputs)).astype(int)
        for inputs in (
            (indices,),
            (indices, jnp.ones((3, 3), jnp.float32)),
            (indices.at[0, 0, 0].set((indices[0, 0, 0] + 1) % 6),),
        )
    )
    assert (plain != styled).any(axis=(1, 2, 3)).all()
    np.testing.assert_array_equal((plain != other).any(axis=(1, 2, 3)), [True, False, False])


def test_bfloat16_is_near_float32():
    exact, near = (losses_of(dtype=dtype)(IMAGES, PROGRESS, 0) for dtype in ("float32", "bfloat16"))
    for name in NAMES:
        assert near[name].dtype == jnp.float32
        error = np.abs(near[name] - exact[name]) / exact[name]
        assert 0 < error.max() < 0.1, name
    assert method("__call__", dtype="bfloat16")(IMAGES).tokens.dtype == jnp.bfloat16


def test_it_learns_to_draw_images_again():
    """By plain descent on four images, from fresh parameters."""
    images = np.zeros((4, 4, 4, 3), np.uint8)
    images[:2, :2], images[1::2, :, :2] = (255, 0, 0), (0, 0, 255)
    model = vae(patch=2, depth=0, beta=1e-4, gamma=1e-5)

    def objective(params, progress):
        rngs = {"dropout": jax.random.key(0)}
        losses = model.apply(params, jnp.asarray(images), progress, method="losses", rngs=rngs)
        return sum(loss.mean() for loss in losses.values())

    @jax.jit
    def learned(params):
        def descend(step, params):
            gradient = jax.grad(objective)(params, step.astype(jnp.float32) / 400)
            norm = jnp.sqrt(sum(jnp.square(g).sum() for g in jax.tree.leaves(gradient)))
            return jax.tree.map(lambda p, g: p - 0.1 * g / norm, params, gradient)

        return jax.lax.fori_loop(0, 400, descend, params)

    redrawn = jax.jit(partial(model.apply, method="reconstruct"))
    before = jax.jit(model.init)(jax.random.key(0), images)
    errors = [
        np.abs(np.asarray(redrawn(params, images)).astype(int) - images).mean()
        for params in (before, learned(before))
    ]
    assert errors[1] < errors[0] / 4


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"codes": 1}, "at least 2 codes.*codes=1"),
        ({"style": 0}, "1 number of style.*style=0"),
        ({"patch": 1}, "cells of 2 pixels.*patch=1"),
        ({"width": 6, "patch": 2}, "multiple of 4.*width=6"),
        ({"patch": 6, "width": 12}, "power of two"),
        ({"patch": 16, "width": 16}, "24 x 24 pixels cannot be cut into cells of 16"),
        ({"temperature": (1.0, 0.0)}, "both above 0.*temperature=\\(1.0, 0.0\\)"),
        ({"temperature": (1.0,)}, "from a first to a last one"),
        ({"cooled": 0.0}, "cooled=0.0"),
    ],
)
def test_what_cannot_be_is_refused(changes, message):
    with pytest.raises(UserError, match=message):
        jax.eval_shape(vae(**changes).init, jax.random.key(0), np.zeros((1, 24, 24, 3), np.uint8))
