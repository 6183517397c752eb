"""Swin, ResNet and VGG keep the promise of a memory, and work and learn inside a captioner."""

from functools import lru_cache, partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from showing import pictures

from jaxcap.errors import UserError
from jaxcap.models import build
from jaxcap.models.captioning import caption_logp

RNG = np.random.default_rng(0)
IMAGES = RNG.integers(0, 256, (3, 20, 28, 3), np.uint8)
TOKENS = RNG.integers(1, 11, (3, 2, 5)).astype(np.int32)
SWIN = {"name": "swin", "width": 8, "depths": [2, 1], "heads": [2, 4], "window": 2, "dropout": 0.1}
STAGES = {"widths": [16, 32], "depths": [1, 2]}
RESNET = {"name": "resnet", "stem": 4, "layer": "bottleneck", **STAGES}
VGG = {"name": "vgg16", **STAGES}
ENCODERS = {  # settings, and the grid that the memory of IMAGES is of
    "swin": (SWIN, (3, 4, 16)),
    "resnet": (RESNET, (3, 4, 32)),
    "resnet of basic layers": ({**RESNET, "layer": "basic", "halve_first": True}, (2, 2, 32)),
    "vgg": (VGG, (10, 14, 32)),
}
kinds = pytest.mark.parametrize("kind", ENCODERS)


def model_of(kind, **common):
    config = {
        "encoder": ENCODERS[kind][0],
        "stage": {"name": ""},
        "bridge": {"depth": 0},
        "decoder": {"name": "transformer", "width": 8, "depth": 1, "heads": 2, "mlp_width": 16},
        **{"dtype": "float32", "remat": False, "scan": False, "vocab_size": 0, **common},
    }
    return build(ConfigDict(config), vocab_size=11, max_len=6)


@lru_cache
def variables_of(kind):
    """Random in every leaf, variances above zero."""
    shapes = jax.eval_shape(model_of(kind).init, jax.random.key(0), pictures(IMAGES), TOKENS)
    rng = np.random.default_rng(1)

    def draw(path, leaf):
        values = rng.normal(0, 0.3, leaf.shape)
        return jnp.asarray((np.abs(values) + 0.5 if "var" in str(path) else values), jnp.float32)

    return jax.tree_util.tree_map_with_path(draw, shapes)


@lru_cache
def encode(kind, **common):
    model = model_of(kind, **common)
    return jax.jit(lambda variables, image: model.encoder.apply(variables, image))


def of_encoder(variables):
    return {kind: tree["encoder"] for kind, tree in variables.items() if "encoder" in tree}


@kinds
def test_an_image_becomes_real_tokens_and_no_other_image_touches_them(kind):
    rows, columns, width = ENCODERS[kind][1]
    variables = of_encoder(variables_of(kind))
    memory = encode(kind)(variables, IMAGES)
    assert memory.tokens.shape == (3, rows * columns, width)
    assert memory.mask.shape == (3, rows * columns)
    assert memory.mask.all()
    other = IMAGES.copy()
    other[1] = 255 - other[1]
    changed = np.abs(encode(kind)(variables, other).tokens - memory.tokens).max((1, 2))
    np.testing.assert_array_equal(changed > 1e-6, [False, True, False])


@kinds
def test_bfloat16_is_near_float32(kind):
    variables = of_encoder(variables_of(kind))
    exact = np.asarray(encode(kind)(variables, IMAGES).tokens)
    near = encode(kind, dtype="bfloat16")(variables, IMAGES).tokens
    assert near.dtype == jnp.bfloat16
    error = np.linalg.norm(near.astype(jnp.float32) - exact) / np.linalg.norm(exact)
    assert 0 < error < 0.1


@lru_cache
def learning(kind, remat):
    """The likelihood of captions and its gradient, by parameter."""
    model, variables = model_of(kind, remat=remat), variables_of(kind)

    def likelihood(params, shown, tokens):
        rngs = {"dropout": jax.random.key(1)}
        logits = model.apply({**variables, "params": params}, shown, tokens, train=True, rngs=rngs)
        return caption_logp(logits, tokens).mean()

    return jax.jit(jax.value_and_grad(likelihood))(variables["params"], pictures(IMAGES), TOKENS)


@kinds
def test_every_parameter_learns(kind):
    value, gradient = learning(kind, remat=False)
    assert np.isfinite(value)
    for path, leaf in jax.tree_util.tree_leaves_with_path(gradient):
        assert np.isfinite(leaf).all(), path
        if "key" not in jax.tree_util.keystr(path) or leaf.ndim > 2:  # its bias moves nothing
            assert np.abs(leaf).max() > 0, path


@kinds
def test_recomputing_activations_changes_nothing(kind):
    pair = (learning(kind, remat=remat) for remat in (False, True))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), *pair)


def test_the_statistics_of_a_resnet_are_used_and_stay():
    model, variables = model_of("resnet"), of_encoder(variables_of("resnet"))
    tokens = encode("resnet")(variables, IMAGES).tokens
    train = jax.jit(partial(model.encoder.apply, train=True, mutable=["batch_stats"]))
    trained, updated = train(variables, IMAGES)
    np.testing.assert_allclose(trained.tokens, tokens, rtol=1e-4, atol=1e-5)
    jax.tree.map(np.testing.assert_array_equal, updated["batch_stats"], variables["batch_stats"])
    stats = jax.tree.map(lambda leaf: leaf + 0.5, variables["batch_stats"])
    moved = encode("resnet")({**variables, "batch_stats": stats}, IMAGES).tokens
    assert np.abs(moved - tokens).max() > 1e-2


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({**SWIN, "heads": [2]}, "2 depths and 1 numbers of heads"),
        ({**SWIN, "heads": [3, 3]}, "width of 8 .* 3 heads"),
        ({**RESNET, "depths": [1]}, "2 widths and 1 depths"),
        ({**RESNET, "layer": "basics"}, "no layer 'basics'. Did you mean 'basic'"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(monkeypatch, settings, message):
    monkeypatch.setitem(ENCODERS, "wrong", (settings, ()))
    with pytest.raises(UserError, match=message):
        jax.eval_shape(model_of("wrong").encoder.init, jax.random.key(0), IMAGES)
