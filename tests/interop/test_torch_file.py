"""Files as torch.save writes them, made here without torch, come back whole or are refused."""

import io
import os
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict
from typing import NamedTuple

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcap.errors import UserError
from jaxcap.interop.torch_file import LEGACY_MAGIC, read_torch_file

KINDS = {
    "DoubleStorage": np.float64,
    "FloatStorage": np.float32,
    "HalfStorage": np.float16,
    "BFloat16Storage": ml_dtypes.bfloat16,
    "LongStorage": np.int64,
    "IntStorage": np.int32,
    "ShortStorage": np.int16,
    "CharStorage": np.int8,
    "ByteStorage": np.uint8,
    "BoolStorage": np.bool_,
}


class Storage(NamedTuple):
    kind: type
    key: str
    data: np.ndarray


class Tensor:
    """A stand-in that pickles exactly as torch.Tensor does."""

    def __init__(self, storage, offset, shape, strides):
        self.args = (storage, offset, shape, strides, False, OrderedDict())

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor_v2, self.args


class OlderTensor(Tensor):
    """As before PyTorch 0.4."""

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_tensor, self.args[:4]


class Parameter(Tensor):
    """A tensor that asks for gradients: it pickles as a tensor in a wrapper."""

    def __reduce__(self):
        return sys.modules["torch._utils"]._rebuild_parameter, (Tensor(*self.args[:4]), True, {})


class Pickler(pickle.Pickler):
    def __init__(self, file):
        super().__init__(file, protocol=2)
        self.storages = {}

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        self.storages[value.key] = value
        return ("storage", value.kind, value.key, "cpu", value.data.size)


@pytest.fixture(scope="module", autouse=True)
def torch():
    """Modules with torch's names, so that the pickles of this file name torch's globals."""
    torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
    for kind in KINDS:
        setattr(torch, kind, type(kind, (), {"__module__": "torch"}))
    for name in ("_rebuild_tensor_v2", "_rebuild_tensor", "_rebuild_parameter"):
        setattr(utils, name, type(name, (), {"__module__": "torch._utils"}))
    torch._utils = utils
    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(sys.modules, "torch", torch)
        patch.setitem(sys.modules, "torch._utils", utils)
        yield torch


def storage(array, key="0"):
    """A storage of the array's type that holds its elements in order of memory."""
    (kind,) = [kind for kind, dtype in KINDS.items() if np.dtype(dtype) == array.dtype]
    return Storage(getattr(sys.modules["torch"], kind), key, array)


def zip_bytes(tree, byteorder=b"little"):
    index, out = io.BytesIO(), io.BytesIO()
    pickler = Pickler(index)
    pickler.dump(tree)
    with zipfile.ZipFile(out, "w") as archive:
        archive.writestr("model/data.pkl", index.getvalue())
        archive.writestr("model/byteorder", byteorder)
        for key, value in pickler.storages.items():
            archive.writestr(f"model/data/{key}", value.data.tobytes())
        archive.writestr("model/version", b"3\n")
    return out.getvalue()


def legacy_bytes(tree, little_endian=True):
    out = io.BytesIO()
    for head in (LEGACY_MAGIC, 1001, {"protocol_version": 1001, "little_endian": little_endian}):
        pickle.dump(head, out, protocol=2)
    pickler = Pickler(out)
    pickler.dump(tree)
    pickle.dump(sorted(pickler.storages), out, protocol=2)
    for key in sorted(pickler.storages):
        data = pickler.storages[key].data
        out.write(struct.pack("<q", data.size) + data.tobytes())
    return out.getvalue()


both_formats = pytest.mark.parametrize("file_bytes", [zip_bytes, legacy_bytes])


@pytest.fixture
def read(tmp_path):
    def read_bytes(data):
        path = tmp_path / "model.pth"
        path.write_bytes(data)
        return read_torch_file(path)

    return read_bytes


@both_formats
@pytest.mark.parametrize("dtype", KINDS.values(), ids=KINDS)
def test_every_dtype_comes_back(read, file_bytes, dtype):
    array = np.array([[0, 1, 2], [100, 1, 0]]).astype(dtype)
    (name, back), *rest = read(file_bytes({"w": Tensor(storage(array), 0, (2, 3), (3, 1))})).items()
    assert (name, back.dtype, rest) == ("w", array.dtype, [])
    np.testing.assert_array_equal(back, array)


@both_formats
@settings(deadline=None, max_examples=40)
@given(data=st.data())
def test_views_of_shared_storages_come_back(tmp_path_factory, file_bytes, data):
    tree, expected = OrderedDict(), {}
    path = tmp_path_factory.mktemp("views") / "model.pth"
    for key in data.draw(st.sets(st.sampled_from("abc"), min_size=1)):
        flat = np.random.default_rng(ord(key)).normal(size=600).astype(np.float32)
        for i in range(data.draw(st.integers(1, 2))):
            shape = data.draw(st.lists(st.integers(0, 4), max_size=4))
            offset = data.draw(st.integers(0, 20))
            count = int(np.prod(shape))
            view = flat[offset : offset + 2 * count : 2][:count].reshape(shape)
            strides = np.cumprod([2, *shape[:0:-1]])[::-1] if shape else []
            axes = data.draw(st.permutations(range(len(shape))))
            args = ([int(shape[a]) for a in axes], [int(strides[a]) for a in axes])
            tree[f"{key}.{i}"] = Tensor(storage(flat, key), offset, *map(tuple, args))
            expected[f"{key}.{i}"] = view.transpose(axes)
    path.write_bytes(file_bytes(tree))
    back = read_torch_file(path)
    assert back.keys() == expected.keys()
    for name, array in expected.items():
        np.testing.assert_array_equal(back[name], array, strict=True)


@both_formats
def test_names_of_nested_containers_join_and_other_values_are_left_out(read, file_bytes):
    one = Tensor(storage(np.arange(3.0)), 1, (), ())
    parameter = Parameter(storage(np.arange(3.0)), 1, (), ())
    older = OlderTensor(storage(np.arange(3.0)), 1, (), ())
    tree = {"epoch": 3, "model": OrderedDict(fc={"bias": parameter}), "list": [None, one, older]}
    assert read(file_bytes(tree)) == {"model.fc.bias": 1.0, "list.1": 1.0, "list.2": 1.0}


class Evil:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


@both_formats
@pytest.mark.parametrize("call", [(os.mkdir, "mine"), (getattr, "", "join"), (eval, "1")])
def test_any_other_global_is_refused_by_name_and_not_run(read, file_bytes, call, tmp_path):
    mine = tmp_path / "mine"
    evil = Evil(*(str(mine) if arg == "mine" else arg for arg in call))
    name = call[0].__name__
    with pytest.raises(UserError, match=rf"asks for the Python object \w+\.{name};.*safetensors"):
        read(file_bytes({"w": evil}))
    assert not mine.exists()


@both_formats
@pytest.mark.parametrize(
    "where",
    [(0, (3, 3), (3, 1)), (7, (2,), (1,)), (-1, (2,), (1,)), (0, (2,), (-1,)), (0, (2,), ())],
)
def test_a_tensor_outside_of_its_storage_is_refused(read, file_bytes, where):
    with pytest.raises(UserError, match="damaged"):
        read(file_bytes({"w": Tensor(storage(np.arange(8)), *where)}))


@both_formats
def test_every_truncated_file_is_refused(read, file_bytes):
    whole = file_bytes({"w": Tensor(storage(np.arange(4.0)), 0, (4,), (1,))})
    read(whole)
    for end in range(len(whole)):
        with pytest.raises(UserError, match="damaged"):
            read(whole[:end])


@both_formats
def test_containers_that_hold_one_another_are_refused(read, file_bytes, monkeypatch):
    """Forty lists of twice the one before would be a million million entries, all of them empty."""
    monkeypatch.setattr("jaxcap.interop.torch_file.MOST", 1000)
    tree: list = []
    for _ in range(40):
        tree = [tree, tree]
    with pytest.raises(UserError, match="1000 entries or more"):
        read(file_bytes({"w": tree}))


@both_formats
def test_a_changed_byte_never_ends_in_another_error(read, file_bytes):
    whole = file_bytes({"w": Tensor(storage(np.arange(4.0)), 0, (4,), (1,))})
    refused = 0
    for place in range(len(whole)):
        changed = bytearray(whole)
        changed[place] ^= 0x15
        try:
            read(bytes(changed))
        except UserError:
            refused += 1
    assert refused > len(whole) / 4


def test_big_endian_files_are_refused(read):
    tree = {"w": Tensor(storage(np.arange(4.0)), 0, (4,), (1,))}
    for data in (zip_bytes(tree, b"big"), legacy_bytes(tree, little_endian=False)):
        with pytest.raises(UserError, match="big-endian"):
            read(data)


def test_what_is_no_torch_file_is_refused(read, tmp_path):
    with pytest.raises(UserError, match="There is no file"):
        read_torch_file(tmp_path / "nothing.pth")
    for data in (b"", b"GIF89a", pickle.dumps({"w": 1}), b"PK\x05\x06" + bytes(18)):
        with pytest.raises(UserError, match="not a file of tensors"):
            read(data)
