"""The stems of a ViT: shapes, what a cell sees, and settings that cannot be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcap.errors import UserError
from jaxcap.models import ViT
from jaxcap.models.stem import STEMS


@pytest.fixture(params=STEMS)
def stem(request):
    module = STEMS[request.param](16, 4, True, "float32")
    return module, module.init(jax.random.key(0), jnp.zeros((1, 16, 24, 3)))


def test_a_cell_is_a_patch_of_the_image(stem):
    module, params = stem
    assert module.apply(params, jnp.zeros((2, 16, 24, 3))).shape == (2, 4, 6, 16)


def test_a_cell_sees_its_own_pixels_and_none_far_away(stem):
    module, params = stem
    image = jax.random.normal(jax.random.key(1), (1, 16, 24, 3))
    changed = image.at[0, 0, 0].add(1.0)
    moved = np.asarray(module.apply(params, changed) - module.apply(params, image))[0]
    assert np.abs(moved[0, 0]).max() > 1e-4
    assert np.abs(moved[3, 5]).max() == 0


def test_patches_are_one_product():
    module = STEMS["patches"](16, 4, True, "float32")
    image = jax.random.normal(jax.random.key(1), (1, 8, 8, 3))
    params = module.init(jax.random.key(0), image)
    kernel = params["params"]["patches"]["kernel"]
    expected = image[0, 4:, :4].reshape(-1) @ kernel.reshape(-1, 16)
    np.testing.assert_allclose(module.apply(params, image)[0, 1, 0], expected, atol=1e-5)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"stem": "convs", "patch": 12}, "power of two"),
        ({"stem": "conv"}, "Did you mean 'convs'"),
    ],
)
def test_what_cannot_be_is_refused(settings, message):
    image = jax.ShapeDtypeStruct((1, 48, 48, 3), jnp.uint8)
    with pytest.raises(UserError, match=message):
        jax.eval_shape(ViT("mini", **settings).init, jax.random.key(0), image)
