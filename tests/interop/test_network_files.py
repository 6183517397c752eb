"""Files of weights that an encoder starts from: their settings, and what is refused."""

import shutil
import sys

import numpy as np
import pytest
from from_file import publish, read_from, settled
from safetensors.numpy import save_file

from jaxcap.errors import UserError
from jaxcap.interop.keras_file import read_keras_file

h5py = pytest.importorskip("h5py", reason="Keras's files are read by h5py")
IMAGES = np.zeros((1, 8, 8, 3), np.uint8)
VGG = {"name": "vgg16", "widths": (2, 4), "depths": (1, 1)}
LAYERS = {
    "input": [],
    "block1_conv1": [np.ones((3, 3, 3, 2), np.float32), np.ones(2, np.float32)],
    "block2_conv1": [np.ones((3, 3, 2, 4), np.float32), np.ones(4, np.float32)],
}
TOP = {name: [np.ones((4, 4), np.float32)] * 2 for name in ("fc1", "fc2", "predictions")}


@pytest.fixture
def file(tmp_path):
    """Of a VGG of two convolutions."""
    publish(LAYERS, tmp_path / "vgg.h5")
    return tmp_path / "vgg.h5"


def test_a_classifier_is_told_and_left_out(file):
    publish({**LAYERS, **TOP}, file)
    report = read_from(file, IMAGES, **VGG)[1]
    assert len(report.loaded) == 4
    assert {name.split(".")[0] for name in report.unused} == TOP.keys()


def test_the_settings_are_those_of_the_source_unless_the_config_has_others(file, tmp_path):
    found = settled(file, name="resnet", size="50").model.encoder
    assert (found.halve_early, found.conv_bias, found.epsilon) == (True, True, 1.001e-5)
    np.testing.assert_allclose(np.array(found.mean) * 255, [123.68, 116.779, 103.939])
    np.testing.assert_allclose(np.array(found.std) * 255, [1, 1, 1])
    half = (0.5, 0.5, 0.5)
    found = settled(file, name="resnet", size="50", mean=half, halve_early=False).model.encoder
    assert (found.mean, found.halve_early, found.conv_bias) == (half, False, True)
    shutil.copy(file, tmp_path / "vgg.pth")
    assert settled(tmp_path / "vgg.pth", name="inception_v3").model.encoder.zeros_count


@pytest.mark.parametrize(
    ("change", "settings", "message"),
    [
        (
            {},
            {"depths": (1, 2)},
            "no tensor 'block2_conv2.bias', .* Among its 4 tensors are block1_",
        ),
        (
            {},
            {"widths": (2, 5)},
            r"'block2_conv1.bias' has shape \[4\]; expected \[5\], .* another",
        ),
        ({}, {"widths": (2,), "depths": (1,)}, r"no place here for .* 'block2_conv1.bias' \[4\]"),
        ({"block1_conv1": LAYERS["block1_conv1"][:1]}, {}, "has no tensor 'block1_conv1.bias'"),
        ({"block1_conv1": [np.ones((3, 3, 3, 2), np.float32)] * 3}, {}, "vgg.h5 .* damaged"),
        ({"norm": [np.ones(2, np.float32)] * 5}, {}, "vgg.h5 .* damaged"),
        ({"norm": [np.ones(2, np.float32)] * 4}, {}, r"no place here for .* 'norm.beta' \[2\]"),
        (
            {},
            {"name": "vit"},
            "of Keras, and those of an encoder 'vit' .*name. Known: inception_v3",
        ),
        ({}, {"name": "resnett"}, "an encoder 'resnett' .* Did you mean 'resnet'"),
    ],
)
def test_a_file_of_another_network_is_refused(change, settings, message, file):
    publish({**LAYERS, **change}, file)
    with pytest.raises(UserError, match=message):
        read_from(file, IMAGES, **{**VGG, **settings})


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere.h5", "There is no file .*nowhere.h5, from which model.encoder is to start"),
        ("a.npz", "a.npz is a file of no kind that .* end in .h5, .keras, .pth, .pt, .safetensors"),
        ("folder", "folder holds no network in the Hugging Face layout"),
        ("folder.pt", "folder.pt holds no network in the Hugging Face layout"),
    ],
)
def test_what_is_no_file_of_weights_is_refused(name, message, tmp_path):
    (tmp_path / "a.npz").write_bytes(b"")
    for folder in ("folder", "folder.pt"):
        (tmp_path / folder).mkdir()
    with pytest.raises(UserError, match=message):
        settled(tmp_path / name, **VGG)


@pytest.mark.parametrize("ending", ["h5", "keras", "pth", "pt", "safetensors"])
def test_bytes_that_are_no_weights_are_refused(ending, tmp_path):
    file = tmp_path / f"a.{ending}"
    for content in (b"", b"Not found", bytes(range(256)) * 99):
        file.write_bytes(content)
        with pytest.raises(UserError, match=rf"a.{ending} .*damaged"):
            read_from(file, IMAGES, **VGG)


def test_every_truncated_file_is_refused(file):
    whole = file.read_bytes()
    for size in range(0, len(whole), len(whole) // 99):
        file.write_bytes(whole[:size])
        with pytest.raises(UserError, match=r"vgg.h5 .* holds no weights that Keras saved, or it"):
            read_keras_file(file)


def test_a_header_may_not_claim_more_than_there_is(file):
    with h5py.File(file, "a") as opened:
        del opened["block1_conv1/block1_conv1_0_1:0"]
        opened.create_dataset("block1_conv1/block1_conv1_0_1:0", (10**6, 10**6), np.float32)
    with pytest.raises(
        UserError, match=r"block1_conv1_0_1:0 of 4\d+ bytes is larger than the file"
    ):
        read_keras_file(file)


def test_layers_that_an_older_keras_did_not_name_are_refused(tmp_path):
    with h5py.File(tmp_path / "a.weights.h5", "w") as file:
        file["layers/conv2d/vars/0"] = np.ones((3, 3, 3, 2), np.float32)
    with pytest.raises(
        UserError, match=r"its layers have no names.* again with Keras 3.6 or newer"
    ):
        read_keras_file(tmp_path / "a.weights.h5")


def test_without_h5py_its_extra_is_named(file, monkeypatch):
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(UserError, match=r"h5py, which is not installed.* 'jaxcap\[hdf5\]'"):
        read_keras_file(file)


def test_tensors_of_torchvision_are_read_from_safetensors_too(tmp_path):
    tensors = {
        "features.0.weight": np.random.default_rng(0).normal(size=(2, 3, 3, 3)).astype(np.float32),
        "features.0.bias": np.ones(2, np.float32),
    }
    save_file(tensors, tmp_path / "vgg.safetensors")
    report = read_from(
        tmp_path / "vgg.safetensors", IMAGES, **{**VGG, "widths": (2,), "depths": (1,)}
    )[1]
    assert report.loaded.keys() == {"encoder/stage_0/conv_0/kernel", "encoder/stage_0/conv_0/bias"}
