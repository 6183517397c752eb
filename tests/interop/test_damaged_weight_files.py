"""Damaged weights, and folders that hold none, are refused in a sentence; never read wrong."""

import io
import json
import os
import pickle
import zipfile

import ml_dtypes
import numpy as np
import pytest
from safetensors.numpy import save_file

from jaxcap.errors import UserError
from jaxcap.interop.weight_files import read_weights, write_weights

WEIGHTS = {name: np.full((4, 5), i, np.float32) for i, name in enumerate("abcde")}  # 80 bytes each


def torch_bytes(tree):
    """As torch.save writes them."""
    index, out = io.BytesIO(), io.BytesIO()
    pickle.dump(tree, index, protocol=2)
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("model/data.pkl", index.getvalue())
    return out.getvalue()


@pytest.fixture
def sharded(tmp_path):
    """A folder with two shards and their index; and a function that rewrites the index."""
    write_weights(tmp_path, WEIGHTS, 240)

    def rewrite(**changes):
        file = tmp_path / "model.safetensors.index.json"
        index = json.loads(file.read_text())
        file.write_text(json.dumps({"weight_map": index["weight_map"] | changes}))
        return tmp_path

    return rewrite


def refused(folder, message):
    with pytest.raises(UserError, match=message) as error:
        read_weights(folder)
    assert str(folder) in str(error.value)


def reads(folder, expected):
    found = read_weights(folder)
    assert sorted(found) == sorted(expected)
    for name, array in expected.items():
        np.testing.assert_array_equal(found[name], array, strict=True)


@pytest.mark.parametrize("file", ["model.safetensors", "model-00002-of-00002.safetensors"])
def test_every_truncated_file_is_refused(sharded, tmp_path, file):
    folder = sharded()
    if file == "model.safetensors":
        write_weights(folder, WEIGHTS)
    whole = (folder / file).read_bytes()
    for end in range(len(whole)):
        (folder / file).write_bytes(whole[:end])
        refused(folder, rf"{file} \({end} bytes\) is not a file of safetensors, or it is damaged")
    (folder / file).write_bytes(whole)
    reads(folder, WEIGHTS)


def test_a_changed_byte_never_ends_in_another_error(tmp_path):
    write_weights(tmp_path, WEIGHTS)
    file = tmp_path / "model.safetensors"
    whole, refusals = file.read_bytes(), 0
    for place in range(len(whole) - 5 * 80):
        changed = bytearray(whole)
        changed[place] ^= 0x15
        file.write_bytes(changed)
        try:
            dict(read_weights(tmp_path))
        except UserError:
            refusals += 1
    assert refusals > place / 2


def test_garbage_is_refused(tmp_path):
    for data in (b"", b"{}", b"version https://git-lfs.github.com/spec/v1\n", b"\xff" * 99):
        (tmp_path / "model.safetensors").write_bytes(data)
        refused(tmp_path, "is not a file of safetensors")


def test_types_that_numpy_lacks_are_refused_by_name(tmp_path):
    tensors = {"fine": np.ones(2, np.float32), "w": np.ones(2, ml_dtypes.float8_e4m3fn)}
    write_weights(tmp_path, tensors)
    refused(tmp_path, "Tensor w of .* is of type F8_E4M3, which NumPy cannot hold")


def test_a_missing_shard_is_refused(sharded, tmp_path):
    (tmp_path / "model-00002-of-00002.safetensors").unlink()
    refused(tmp_path, "2 files of weights, of which these are missing: model-00002-of-00002")


def test_a_tensor_that_its_shard_lacks_is_refused(sharded):
    message = "says that tensor {} is in model-00002-of-00002.safetensors, but it is not there"
    refused(sharded(f="model-00002-of-00002.safetensors"), message.format("f"))
    refused(sharded(a="model-00002-of-00002.safetensors"), message.format("a"))


def test_a_tensor_comes_from_the_shard_that_the_index_names(sharded, tmp_path):
    """Though another shard has one of the same name."""
    first = tmp_path / "model-00001-of-00002.safetensors"
    save_file({**{name: WEIGHTS[name] for name in "abc"}, "e": np.zeros(1)}, first)
    reads(tmp_path, WEIGHTS)


@pytest.mark.parametrize(
    "outside", ["../x", "/etc/x", "sub/x", "", ".", "..", "../..", "a\0b", 3, None, ["x"]]
)
def test_shards_are_files_of_the_same_folder(sharded, tmp_path, outside):
    (tmp_path / "sub").mkdir()
    for place in (tmp_path.parent / "x", tmp_path / "sub" / "x"):
        save_file({"a": np.zeros(1)}, place)
    refused(sharded(a=outside), "no index of weights|are missing: ")


@pytest.mark.parametrize(
    "text",
    [
        *("", "{", "[]", "3", "{}", '{"weight_map": 3}', '{"weight_map": ["x"]}'),
        pytest.param("[" * 10**5, id="deep"),
    ],
)
def test_what_is_no_index_is_refused(tmp_path, text):
    for name in ("pytorch_model.bin.index.json", "model.safetensors.index.json"):
        (tmp_path / name).write_text(text)
        refused(tmp_path, rf"{name} is no index of weights")


def test_an_index_that_is_not_text_is_refused(tmp_path):
    (tmp_path / "model.safetensors.index.json").write_bytes(b"\xff\xfe{}")
    refused(tmp_path, "is no index of weights, or it is damaged .UnicodeDecodeError")


def test_a_folder_without_weights_is_refused_with_what_it_holds(tmp_path):
    refused(tmp_path / "none", "It is empty or does not exist")
    refused(tmp_path, "It is empty or does not exist")
    for i in range(9):
        (tmp_path / f"file{i}").touch()
    (tmp_path / "model.safetensors").mkdir()
    refused(tmp_path, "It holds: file0, .*, file7 and 2 more")
    refused(tmp_path / "file0", "There are no weights in")


def test_weights_of_other_libraries_are_to_be_converted(tmp_path):
    (tmp_path / "flax_model.msgpack").touch()
    refused(tmp_path, "holds flax_model.msgpack, which must be converted.*from_flax=True")
    (tmp_path / "tf_model.h5").touch()
    refused(tmp_path, "holds tf_model.h5, which must be converted.*from_tf=True")


def test_a_pickle_that_asks_for_more_than_tensors_is_refused(tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(torch_bytes({"w": os.getcwd}))
    refused(tmp_path, r"asks for the Python object posix\.getcwd;.*safetensors")
    (tmp_path / "pytorch_model.bin").write_bytes(b"GIF89a")
    refused(tmp_path, "not a file of tensors written by torch.save")


def test_safetensors_come_before_pickles_and_whole_files_before_shards(sharded, tmp_path):
    (tmp_path / "pytorch_model.bin").write_bytes(b"not to be read")
    reads(tmp_path, WEIGHTS)
    other = {"other": np.zeros(1, np.float32)}
    save_file(other, tmp_path / "model.safetensors")
    reads(tmp_path, other)
