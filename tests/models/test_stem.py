"""The stems of a ViT: shapes, what a cell sees, and settings that cannot be."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcap.errors import UserError
from jaxcap.models import ViT
from jaxcap.models.stem import STEMS


def cells_of(name, images):
    """(the cells, the parameters that they come from)."""
    module = STEMS[name](16, 4, True, "float32")
    cells, variables = jax.jit(module.init_with_output)(jax.random.key(0), images)
    return np.asarray(cells), variables["params"]


@pytest.mark.parametrize("name", STEMS)
def test_a_cell_is_a_patch_of_the_image_and_sees_no_pixels_far_away(name):
    images = np.random.default_rng(1).normal(size=(1, 16, 24, 3)).repeat(2, 0).astype(np.float32)
    images[1, 0, 0] += 1
    cells, _ = cells_of(name, images)
    assert cells.shape == (2, 4, 6, 16)
    moved = cells[1] - cells[0]
    assert np.abs(moved[0, 0]).max() > 1e-4
    assert np.abs(moved[3, 5]).max() == 0


def test_patches_are_one_product():
    image = np.random.default_rng(1).normal(size=(1, 8, 8, 3)).astype(np.float32)
    cells, params = cells_of("patches", image)
    expected = image[0, 4:, :4].reshape(-1) @ np.reshape(params["patches"]["kernel"], (-1, 16))
    np.testing.assert_allclose(cells[0, 1, 0], expected, atol=1e-5)


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


def test_what_a_published_grid_does_not_reach_is_not_seen():
    """SigLIP's images of 384 pixels have 27 patches of 14 a side, and 6 pixels more."""
    image = jnp.asarray(np.random.default_rng(0).integers(0, 256, (2, 17, 16, 3), np.uint8))
    vit = ViT("mini", patch=5, grid=3)
    variables = vit.init(jax.random.key(0), image)
    whole, part = (vit.apply(variables, each) for each in (image, image[:, :15, :15]))
    assert whole.grid == (3, 3)
    np.testing.assert_array_equal(whole.tokens, part.tokens)
    with pytest.raises(UserError, match="20 x 17 pixels cannot be cut into patches of 5"):
        vit.init(jax.random.key(0), jnp.zeros((1, 20, 17, 3), jnp.uint8))
