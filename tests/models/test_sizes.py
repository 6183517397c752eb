"""Published networks by their size: the parameters and the map that they are known to have."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcap.errors import UserError
from jaxcap.models import ENCODERS
from jaxcap.models.inception import InceptionV3, averaged
from jaxcap.models.resnet import ResNet
from jaxcap.models.swin import Swin
from jaxcap.models.vgg import VGG16

PUBLISHED = [  # encoder, settings, image; parameters without the classifier; the map
    ("vgg16", {}, 224, 14_714_688, (14 * 14, 512)),
    ("vgg16", {"last_pool": True}, 224, 14_714_688, (7 * 7, 512)),
    ("inception_v3", {}, 299, 21_785_568, (8 * 8, 2048)),
    ("resnet", {"size": "18"}, 224, 11_176_512, (7 * 7, 512)),
    ("resnet", {"size": "34"}, 224, 21_284_672, (7 * 7, 512)),
    ("resnet", {"size": "50"}, 224, 23_508_032, (7 * 7, 2048)),
    ("resnet", {"size": "101"}, 224, 42_500_160, (7 * 7, 2048)),
    ("resnet", {"size": "152"}, 224, 58_143_808, (7 * 7, 2048)),
    ("swin", {"size": "T"}, 224, 27_519_354, (7 * 7, 768)),
    ("swin", {"size": "S"}, 224, 48_837_258, (7 * 7, 768)),
    ("swin", {"size": "B"}, 224, 86_743_224, (7 * 7, 1024)),
    ("swin", {"size": "B", "window": 12}, 384, 86_878_584, (12 * 12, 1024)),
    ("swin", {"size": "L"}, 224, 194_995_476, (7 * 7, 1536)),
]


@pytest.mark.parametrize(("name", "settings", "side", "parameters", "memory"), PUBLISHED)
def test_a_size_has_the_parameters_and_the_map_of_the_published_network(
    name, settings, side, parameters, memory
):
    encoder = ENCODERS[name](**settings)
    image = jax.ShapeDtypeStruct((1, side, side, 3), jnp.uint8)

    def begin(image):
        found, variables = encoder.init_with_output(jax.random.key(0), image)
        return found.tokens, variables["params"]

    tokens, params = jax.eval_shape(begin, image)
    assert tokens.shape == (1, *memory)
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) == parameters


@pytest.mark.parametrize(
    ("network", "settings", "message"),
    [
        (ResNet, {"size": "51"}, "no ResNet of size '51'. Known: 101, 152, 18, 34, 50"),
        (ResNet, {"size": "18", "layer": "bottleneck"}, "'18' has layer basic, and .* bottleneck"),
        (ResNet, {"depths": (1,)}, "by layer, widths, depths; it .* no layer, widths"),
        (Swin, {"size": "B", "width": 96}, "'B' has width 128, and width is set to 96"),
        (Swin, {}, "its size or by width, depths, heads"),
    ],
)
def test_a_size_and_settings_that_contradict_it_are_refused(network, settings, message):
    with pytest.raises(UserError, match=message):
        network(**settings)


def test_a_size_may_be_said_twice():
    assert ResNet(size="50", depths=(3, 4, 6, 3)) == ResNet(size="50")


@pytest.mark.parametrize(
    ("network", "side", "message"),
    [
        (InceptionV3(), 74, "75 x 75 pixels at least, and not of 74 x 74"),
        (VGG16(widths=(4, 8)), 32, "not 2 widths and 5 depths"),
        (VGG16(), 15, "halves an image 4 times: it needs 16 pixels a side .* not 15 x 15"),
        (VGG16(last_pool=True), 31, "halves an image 5 times: it needs 32 pixels a side"),
    ],
)
def test_what_cannot_be_computed_is_refused(network, side, message):
    image = jax.ShapeDtypeStruct((1, side, side, 3), jnp.uint8)
    with pytest.raises(UserError, match=message):
        jax.eval_shape(network.init, jax.random.key(0), image)


def test_averages_count_the_zeros_beyond_the_map_or_do_not():
    x = np.random.default_rng(0).normal(size=(2, 4, 5, 3)).astype(np.float32)
    for zeros_count in (False, True):
        mean = averaged(jnp.asarray(x), zeros_count)
        for i, j, cells in ((0, 0, 4), (0, 2, 6), (2, 2, 9), (3, 4, 4)):
            near = x[:, max(i - 1, 0) : i + 2, max(j - 1, 0) : j + 2].sum((1, 2))
            expected = near / (9 if zeros_count else cells)
            np.testing.assert_allclose(mean[:, i, j], expected, rtol=1e-5, atol=1e-6)
