"""VGG16, ResNet and Inception-v3 give the memory that PyTorch gives with torchvision's tensors."""

import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from from_file import read_from, varied

from jaxcap.interop.table import store
from jaxcap.interop.torchvision_networks import NETWORKS
from jaxcap.models import ENCODERS
from jaxcap.state import flat

HALF, IMAGENET = ((0.5,) * 3, (0.5,) * 3), ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225))
DEEP = {"layer": "bottleneck", "stem": 8, "widths": (16, 32), "depths": (1, 12)}
CASES = [  # encoder, settings, side of a small image, mean and deviation of its pixels
    ("vgg16", {}, 40, IMAGENET),
    ("resnet", {"size": "18"}, 40, IMAGENET),
    ("resnet", {"size": "50"}, 40, IMAGENET),
    ("resnet", DEEP, 40, IMAGENET),
    ("inception_v3", {}, 107, HALF),
]
UNUSED = {
    "vgg16": {"classifier.6.bias": 3},
    "resnet": {"fc.bias": 3, "bn1.num_batches_tracked": 1},
    "inception_v3": {"fc.bias": 3, "AuxLogits.conv0.bn.num_batches_tracked": 1},
}


def leaves_of(name, settings):
    """Shapes by path."""
    image = jnp.zeros((1, 75, 75, 3), jnp.uint8)
    shapes = jax.eval_shape(ENCODERS[name](**settings).init, jax.random.key(0), image)
    return {path: leaf for tree in shapes.values() for path, leaf in flat(tree).items()}


@pytest.mark.parametrize(("name", "settings", "side", "norm"), CASES)
def test_the_memory_is_that_of_pytorch(name, settings, side, norm, tmp_path):
    torch = pytest.importorskip("torch", reason="ours are compared with networks in it")
    import torchvision_peers

    rng = np.random.default_rng(0)
    arrays = {
        path: varied(rng, leaf.shape, path.endswith("var"), path.endswith("scale"))
        for path, leaf in leaves_of(name, settings).items()
    }
    tensors = {
        path: torch.from_numpy(array.copy())
        for path, array in store(arrays, NETWORKS[name][0], 0).items()
    }
    more = {path: torch.ones(size) for path, size in UNUSED[name].items()}
    torch.save({**tensors, **more}, tmp_path / "a.pth")
    images = rng.integers(0, 256, (2, side, side, 3), np.uint8)
    pixels = ((images / 255 - norm[0]) / norm[1]).astype(np.float32).transpose(0, 3, 1, 2)
    expected = getattr(torchvision_peers, name)(tensors, torch.from_numpy(pixels))
    expected = expected.flatten(2).mT.numpy()
    memory, report = read_from(tmp_path / "a.pth", images, name=name, **settings)
    (tmp_path / "a.pth").unlink()  # it is large, and pytest would keep it
    assert expected.std() > 0.1
    np.testing.assert_allclose(memory, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert set(report.loaded.values()) == tensors.keys()
    assert report.unused.keys() == more.keys()


OF_ALL_SIZES = [("vgg16", {}), ("inception_v3", {})]
OF_ALL_SIZES += [("resnet", {"size": size}) for size in ("18", "34", "50", "101", "152")]


@pytest.mark.parametrize(("name", "settings"), OF_ALL_SIZES)
def test_names_and_shapes_are_those_of_torchvision(name, settings):
    models = pytest.importorskip("torchvision.models", reason="its names are compared with ours")
    import torch

    with torch.device("meta"):
        network = getattr(models, name + settings.get("size", ""))(weights=None)
    unused = "|".join(NETWORKS[name][0].unused)
    theirs = {
        path: tuple(tensor.shape)
        for path, tensor in network.state_dict().items()
        if not re.fullmatch(unused, path)
    }
    zero = np.float32(0)
    arrays = {
        path: np.broadcast_to(zero, leaf.shape) for path, leaf in leaves_of(name, settings).items()
    }
    ours = store(arrays, NETWORKS[name][0], 0)
    assert {path: array.shape for path, array in ours.items()} == theirs
