"""VGG16, ResNet50 and Inception-v3 give the memory that Keras gives, from the files it saves."""

import os
from contextlib import contextmanager
from functools import partial

import jax
import numpy as np
import pytest
from from_file import publish, read_from, varied

from jaxcap.interop.keras_file import read_keras_file

os.environ["KERAS_BACKEND"] = "jax"  # it looks for this when it is imported
h5py = pytest.importorskip("h5py", reason="Keras's files are read by h5py")
keras = pytest.importorskip("keras", reason="ours are compared with its networks")

# Of Keras's own variables, when it saves them.
pytestmark = pytest.mark.filterwarnings("ignore:__array__ implementation:DeprecationWarning")
APPLICATIONS = {  # by encoder here: the module there, its network, the last map; a small image
    "vgg16": (keras.applications.vgg16, "VGG16", "block5_pool", 48),
    "resnet": (keras.applications.resnet, "ResNet50", "conv5_block3_out", 40),
    "inception_v3": (keras.applications.inception_v3, "InceptionV3", "mixed10", 107),
}


@contextmanager
def as_keras_likes_it():
    """It mixes types and ranks; and compiles what it draws once for each shape, at length."""

    def zeros(_, shape, dtype=None, **__):
        return jax.numpy.zeros(shape, dtype)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(keras.initializers.GlorotUniform, "__call__", zeros)
        with jax.numpy_dtype_promotion("standard"), jax.numpy_rank_promotion("allow"):
            yield


@as_keras_likes_it()
def shaken(make):
    """A network with every variable random."""
    network, rng = make(), np.random.default_rng(0)
    for variable in network.variables:
        kinds = {"positive": variable.name == "moving_variance", "gain": variable.name == "gamma"}
        variable.assign(varied(rng, variable.shape, **kinds))
    return network


@as_keras_likes_it()
def seen_by(network, last, pixels):
    """The map of a layer, cell by cell."""
    body = keras.Model(network.input, network.get_layer(last).output)
    run = jax.jit(partial(body.stateless_call, training=False))
    weights = (body.trainable_variables, body.non_trainable_variables)
    found, _ = run(*([variable.value for variable in kind] for kind in weights), pixels)
    return np.asarray(found).reshape(len(found), -1, found.shape[-1])


def save(network, file):
    """In the way that the ending asks for."""
    (network.save_weights if file.name.endswith(".weights.h5") else network.save)(file)


@pytest.mark.parametrize(
    ("encoder", "settings", "file", "unused"),
    [
        ("vgg16", {"last_pool": True}, "a.weights.h5", 0),
        ("resnet", {"size": "50"}, "a.h5", 2),
        ("inception_v3", {}, "a.keras", 0),
    ],
)
def test_the_memory_is_that_of_keras(encoder, settings, file, unused, tmp_path):
    module, name, last, side = APPLICATIONS[encoder]
    top = {"include_top": True, "classes": 3} if unused else {"include_top": False}
    make = partial(getattr(module, name), weights=None, input_shape=(side, side, 3), **top)
    network = shaken(make)
    save(network, tmp_path / file)
    images = np.random.default_rng(1).integers(0, 256, (2, side, side, 3), np.uint8)
    expected = seen_by(network, last, module.preprocess_input(images.astype(np.float32)))
    memory, report = read_from(tmp_path / file, images, name=encoder, **settings)
    (tmp_path / file).unlink()  # it is large, and pytest would keep it
    assert expected.std() > 0.1
    np.testing.assert_allclose(memory, expected, rtol=1e-4, atol=1e-4 * np.abs(expected).max())
    assert len(report.loaded) + len(report.unused) == len(network.variables)
    assert len(report.unused) == unused


def small():
    """Layers with names of their own, and others of which Keras built some before."""
    layers = keras.layers
    pixels = keras.Input((8, 8, 3))
    x = layers.Conv2D(2, 3, name="own")(pixels)
    x = layers.Conv2D(3, (1, 3), use_bias=False, name="conv2d_10")(x)
    x = layers.BatchNormalization(scale=False, name="batch_normalization_7")(x)
    x = layers.Conv2D(4, 1, use_bias=False, name="conv2d_9")(x)
    x = layers.BatchNormalization(name="norm")(layers.Activation("relu")(x))
    x = layers.Dense(5, name="predictions")(layers.GlobalAveragePooling2D()(x))
    network = keras.Model(pixels, x)
    network.compile("adam", "mse")
    network.optimizer.build(network.trainable_variables)  # it is saved too
    return network


NAMES = {"conv2d_9": "conv2d_0", "conv2d_10": "conv2d_1"}
NAMES["batch_normalization_7"] = "batch_normalization_0"


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    """The small network's tensors by name, and a folder with files of all kinds of it."""
    folder, network = tmp_path_factory.mktemp("saved"), shaken(small)
    for kind in ("a.h5", "a.weights.h5", "a.keras"):
        save(network, folder / kind)
    layers = {
        layer.name: [np.asarray(v.value) for v in layer.variables] for layer in network.layers
    }
    publish(layers, folder / "published.h5")
    tensors = {
        f"{NAMES.get(layer.name, layer.name)}.{variable.name}": np.asarray(variable.value)
        for layer in network.layers
        for variable in layer.variables
    }
    return folder, tensors


@pytest.mark.parametrize("kind", ["a.h5", "a.weights.h5", "a.keras", "published.h5"])
def test_the_tensors_of_every_layout_are_the_same(kind, saved):
    folder, expected = saved
    found = read_keras_file(folder / kind)
    assert found.keys() == expected.keys()
    for name, tensor in expected.items():
        np.testing.assert_array_equal(found[name], tensor, strict=True)
