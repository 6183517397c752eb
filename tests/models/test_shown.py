"""What stands in the place of pixels is the memory that the pixels would have become."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from showing import pictures

from jaxcap.models import ENCODERS
from jaxcap.models.shown import Shown, to_keep

RNG = np.random.default_rng(0)
B, N, SIDE = 2, 3, 96
SMALL = {"size": "mini"}
KINDS = {
    "vit": SMALL,
    "vit with tokens": {**SMALL, "tokens": ("class", "distillation")},
    "swin": {"width": 8, "depths": (1, 1), "heads": (1, 2), "window": 2},
    "resnet": {"stem": 4, "layer": "basic", "widths": (4, 8), "depths": (1, 1)},
    "vgg16": {"widths": (4, 8), "depths": (1, 1)},
    "discrete_vae": {"codes": 4, "width": 8},
    "inception_v3": {},
    "efficientnet_lite": {},
}


def test_all_encoders_are_here_but_that_which_sees_no_pixels():
    assert {kind.split()[0] for kind in KINDS} == ENCODERS.keys() - {"given"}


@pytest.mark.parametrize("kind", KINDS)
def test_a_memory_that_was_kept_is_that_of_the_encoder(kind):
    encoder = ENCODERS[kind.split()[0]](**KINDS[kind])
    images, forms = jax.ShapeDtypeStruct((B * N, SIDE, SIDE, 3), jnp.uint8), []

    def tokens_of(images):
        memory, _ = encoder.init_with_output(jax.random.key(0), images)
        forms.append(jax.tree.structure(memory))
        return memory.tokens

    shape = jax.eval_shape(tokens_of, images).shape
    tokens = jnp.asarray(RNG.normal(size=shape).astype(np.float32))
    memory = jax.tree.unflatten(forms[0], [tokens, jnp.ones(shape[:2], bool)])
    kept = {name: x.reshape(B, N, *x.shape[1:]) for name, x in to_keep(memory).items()}
    again = Shown.of({"present": jnp.ones((B, N), bool), **kept}).kept()
    assert jax.tree.structure(again) == jax.tree.structure(memory)  # the grid is of it
    np.testing.assert_array_equal(again.tokens, memory.tokens)
    np.testing.assert_array_equal(again.mask, memory.mask)


def test_pixels_are_no_memory():
    images = RNG.integers(0, 256, (3, 8, 8, 3), np.uint8)
    assert pictures(images).kept() is None
    np.testing.assert_array_equal(pictures(images).images(), images)


def test_a_memory_of_no_map_has_no_places():
    memory = jnp.asarray(RNG.normal(size=(B, 1, 5, 4)).astype(np.float32))
    found = Shown(jnp.ones((B, 1), bool), memory=memory).kept()
    assert found.grid is None
    assert found.mask.all()
    np.testing.assert_array_equal(found.tokens, memory[:, 0])
    assert to_keep(found).keys() == {"memory"}


def test_features_of_regions_are_a_memory_of_their_boxes():
    features = jnp.asarray(RNG.normal(size=(B, N, 5, 4)).astype(np.float32))
    boxes = jnp.asarray(RNG.random((B, N, 5, 4)).astype(np.float32))
    real = jnp.asarray(RNG.random((B, N, 5)) < 0.5)
    found = Shown(jnp.ones((B, N), bool), features=features, boxes=boxes, real=real).kept()
    for name, leaf in (("tokens", features), ("boxes", boxes), ("mask", real)):
        np.testing.assert_array_equal(getattr(found, name), leaf.reshape(-1, *leaf.shape[2:]))
