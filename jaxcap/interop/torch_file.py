"""Tensors out of PyTorch's own file formats (the zip and the older one), without PyTorch."""

import io
import pickle
import struct
import zipfile
from collections import OrderedDict
from collections.abc import Callable, Iterator
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple

import ml_dtypes
import numpy as np

from jaxcap.errors import UserError

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C  # the first pickle of a file from before the zip format

DTYPES = {
    "DoubleStorage": np.dtype("<f8"),
    "FloatStorage": np.dtype("<f4"),
    "HalfStorage": np.dtype("<f2"),
    "BFloat16Storage": np.dtype(ml_dtypes.bfloat16),
    "LongStorage": np.dtype("<i8"),
    "IntStorage": np.dtype("<i4"),
    "ShortStorage": np.dtype("<i2"),
    "CharStorage": np.dtype("i1"),
    "ByteStorage": np.dtype("u1"),
    "BoolStorage": np.dtype("?"),
}
MOST = 10**6  # entries; a model has thousands


def read_torch_file(path: str | Path) -> dict[str, np.ndarray]:
    """Every tensor of a file that `torch.save` wrote, by name; names of nested dicts join by dots.

    A pickle may run code when it is read. This reader admits tensors, storages and plain
    containers and refuses everything else unread. What is not a tensor (an epoch number, ...) is
    left out. The arrays are read-only.

    Raises:
      UserError: the file is missing, is damaged, is not one of torch's, or asks for any other
        Python object.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    try:
        with path.open("rb") as file:
            read = _read_zip if zipfile.is_zipfile(file) else _read_legacy
            file.seek(0)
            tree, storages = read(file, path)
        leaves = list(islice(_leaves(tree), MOST))
        if len(leaves) == MOST:  # containers within one another may be far more than the file
            raise ValueError(f"{MOST} entries or more")
        return {name: _view(leaf, storages) for name, leaf in leaves if isinstance(leaf, _Tensor)}
    except UserError:
        raise
    except Exception as error:  # a damaged pickle can fail in any way that its opcodes can
        raise UserError(
            f"{path} is not a file of tensors written by torch.save, or it is damaged "
            f"({type(error).__name__}: {error}). Fetch it again, or convert it to safetensors."
        ) from error


class _Storage(NamedTuple):
    """A flat array that tensors look into: where it lies in the file and what it should hold."""

    key: str
    kind: str
    size: int


class _Tensor(NamedTuple):
    """A view of a storage; offset and strides count elements."""

    storage: _Storage
    offset: int
    shape: tuple[int, ...]
    strides: tuple[int, ...]


class _Unpickler(pickle.Unpickler):
    """Admits the globals that a state dict needs, and gives inert stand-ins for them.

    The stand-ins are immutable or made for this one file, so that the pickle's own instructions
    cannot alter anything that outlives the reading.
    """

    def __init__(self, file: io.BufferedIOBase, path: Path):
        super().__init__(file, encoding="utf-8")
        self.path = path
        self.storages: dict[str, _Storage] = {}

    def find_class(self, module: str, name: str) -> Any:
        if module == "torch" and name in DTYPES:
            return name
        admitted: dict[tuple[str, str], Callable[..., Any]] = {
            ("collections", "OrderedDict"): OrderedDict,
            ("torch._utils", "_rebuild_tensor_v2"): lambda *args: _Tensor(*args[:4]),
            ("torch._utils", "_rebuild_tensor"): _Tensor,  # of files from before PyTorch 0.4
            ("torch._utils", "_rebuild_parameter"): lambda *args: args[0],
        }
        if (module, name) not in admitted:
            raise UserError(
                f"{self.path} asks for the Python object {module}.{name}; only tensors in plain "
                "containers are read, because anything else could run code. If you trust the "
                "file, convert it to safetensors where PyTorch is installed: "
                "safetensors.torch.save_file(torch.load(path)['...'], 'model.safetensors')."
            )
        return admitted[module, name]

    def persistent_load(self, pid: Any) -> _Storage:
        tag, kind, key, _location, size, *view = pid
        if tag != "storage" or kind not in DTYPES or any(part is not None for part in view):
            raise pickle.UnpicklingError(f"unknown persistent object {pid!r}")
        return self.storages.setdefault(key, _Storage(key, kind, size))


def _read_zip(file: io.BufferedIOBase, path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    """A zip holding `<folder>/data.pkl` and every storage as `<folder>/data/<key>`."""
    with zipfile.ZipFile(file) as archive:
        names = archive.namelist()
        (index,) = [name for name in names if name.endswith("/data.pkl") and name.count("/") == 1]
        folder = index.removesuffix("/data.pkl")
        if f"{folder}/byteorder" in names and archive.read(f"{folder}/byteorder") != b"little":
            raise ValueError("big-endian numbers")
        unpickler = _Unpickler(io.BytesIO(archive.read(index)), path)
        tree = unpickler.load()
        return tree, {
            key: _flat(storage, archive.read(f"{folder}/data/{key}"))
            for key, storage in unpickler.storages.items()
        }


def _read_legacy(file: io.BufferedIOBase, path: Path) -> tuple[Any, dict[str, np.ndarray]]:
    """Pickles in a row (magic number, version, machine, tree, keys), then every key's storage.

    A storage is the number of its elements as eight bytes and then the elements.
    """
    if _Unpickler(file, path).load() != LEGACY_MAGIC:
        raise ValueError("no magic number")
    _version, machine = _Unpickler(file, path).load(), _Unpickler(file, path).load()
    if not machine["little_endian"]:
        raise ValueError("big-endian numbers")
    unpickler = _Unpickler(file, path)
    tree = unpickler.load()
    storages = {}
    for key in _Unpickler(file, path).load():
        storage = unpickler.storages[key]
        (size,) = struct.unpack("<q", file.read(8))
        if size != storage.size:
            raise ValueError(f"storage {key} has {size} elements, its tensors say {storage.size}")
        storages[key] = _flat(storage, file.read(size * DTYPES[storage.kind].itemsize))
    return tree, storages


def _flat(storage: _Storage, data: bytes) -> np.ndarray:
    dtype = DTYPES[storage.kind]
    if len(data) != storage.size * dtype.itemsize:
        raise ValueError(f"storage {storage.key} has {len(data)} bytes of {storage.size} {dtype}")
    return np.frombuffer(data, dtype)


def _view(tensor: _Tensor, storages: dict[str, np.ndarray]) -> np.ndarray:
    """The tensor as a strided view of its storage, after checking that it stays inside."""
    flat = storages[tensor.storage.key]
    offset, shape, strides = tensor.offset, tensor.shape, tensor.strides
    steps = list(zip(shape, strides, strict=True))
    last = offset + sum((size - 1) * stride for size, stride in steps)
    empty = 0 in shape
    if min(offset, *shape, *strides, 0) < 0 or (last >= flat.size and not empty):
        raise ValueError(f"a tensor reaches outside of storage {tensor.storage.key}: {tensor}")
    if empty:
        return np.empty(shape, flat.dtype)
    return np.lib.stride_tricks.as_strided(
        flat[offset:], shape, [stride * flat.itemsize for stride in strides], writeable=False
    )


def _leaves(tree: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """What is in no container but ends one, an empty container among it."""
    if isinstance(tree, dict) and tree:
        for key, branch in tree.items():
            yield from _leaves(branch, f"{prefix}.{key}" if prefix else str(key))
    elif isinstance(tree, list | tuple) and tree and not isinstance(tree, _Tensor):
        yield from _leaves(dict(enumerate(tree)), prefix)
    else:
        yield prefix, tree
