"""Weight files of the Hugging Face layout, in and out, without PyTorch."""

import json
import tempfile
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import save_file

from jaxcap.errors import UserError
from jaxcap.interop.torch_file import read_torch_file

Read = Callable[[Path], Mapping[str, np.ndarray]]

WHOLE = "model.safetensors"
INDEX = f"{WHOLE}.index.json"  # of the shards of a model too large for one file
SHARD = "model-{:05d}-of-{:05d}.safetensors"
CONVERSIONS = {  # weights that only Transformers 4 reads: what it must be told
    "tf_model.h5": "from_tf=True",
    "flax_model.msgpack": "from_flax=True",
}


class Weights(Mapping[str, np.ndarray]):
    """Tensors by name, each read when it is asked for, and anew each time."""

    def __init__(self, readers: Mapping[str, Callable[[str], np.ndarray]]):
        self._readers = readers

    def __getitem__(self, name: str) -> np.ndarray:
        return self._readers[name](name)

    def __contains__(self, name: object) -> bool:  # Mapping's own would read the tensor
        return name in self._readers

    def __iter__(self) -> Iterator[str]:
        return iter(self._readers)

    def __len__(self) -> int:
        return len(self._readers)


def read_weights(folder: str | Path) -> Mapping[str, np.ndarray]:
    """The tensors of a model by name, in the types of the file (bfloat16 is that of ml_dtypes).

    They are those of the first of these that the folder holds: model.safetensors, or the shards
    that model.safetensors.index.json names; pytorch_model.bin, or the shards of its index.
    Safetensors are mapped into memory and read tensor by tensor; a pickle is read whole.

    Raises:
      UserError: there are no such weights, a part of them is missing or damaged, a tensor is of
        a type that NumPy lacks (float8), or a pickle asks for more than tensors.
    """
    folder = Path(folder)
    formats: dict[str, Read] = {WHOLE: read_safetensors, "pytorch_model.bin": read_torch_file}
    for name, read in formats.items():
        if (folder / name).is_file():
            return read(folder / name)
        if (folder / f"{name}.index.json").is_file():
            return _read_shards(folder / f"{name}.index.json", read)
    raise UserError(
        f"There are no weights in {folder}: neither model.safetensors nor pytorch_model.bin, nor "
        f"an index of shards of one of them. {_advice(folder)}"
    )


def write_weights(
    folder: str | Path, tensors: Mapping[str, np.ndarray], max_shard_size: int = 5 * 10**9
) -> None:
    """Write model.safetensors, or shards and their index; a model that lay there is replaced.

    All of it is written beside its place and then renamed, the index last: a model that was cut
    short is never taken for a whole one.

    Args:
      folder: is made if it is missing.
      tensors: by name.
      max_shard_size: bytes; a model of more is cut into shards of at most so many, in the order
        of the names. A tensor of more has a shard to itself.

    Raises:
      UserError: the folder cannot be written to, or a tensor is of a type that safetensors lacks.
    """
    folder = Path(folder)
    sizes = {name: tensors[name].nbytes for name in sorted(tensors)}
    shards = _shards(sizes, max_shard_size)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=".weights-", dir=folder) as name:
            beside, written = Path(name), list(shards)
            for file, names in shards.items():
                # In C order: the writer copies the memory of an array and asks for no strides.
                arrays = {name: np.asarray(tensors[name], order="C") for name in names}
                save_file(arrays, beside / file, metadata={"format": "pt"})
            if len(shards) > 1:
                places = {name: file for file, names in shards.items() for name in names}
                index = {"metadata": {"total_size": sum(sizes.values())}, "weight_map": places}
                (beside / INDEX).write_text(json.dumps(index, indent=2) + "\n", encoding="utf-8")
                written.append(INDEX)
            before = [file.name for file in folder.glob("model-?????-of-?????.safetensors")]
            for file in {INDEX, WHOLE, *before} - set(shards):  # an index names its own shards only
                (folder / file).unlink(missing_ok=True)
            for file in written:
                (beside / file).replace(folder / file)
    except (OSError, SafetensorError) as error:
        raise UserError(f"The weights cannot be written to {folder}: {error}.") from error


def _shards(sizes: Mapping[str, int], most: int) -> dict[str, list[str]]:
    """The names of the tensors in each file: as many in a row as do not pass `most` bytes."""
    shards: list[list[str]] = [[]]
    filled = 0
    for name, size in sizes.items():
        if filled + size > most and shards[-1]:
            shards.append([])
            filled = 0
        shards[-1].append(name)
        filled += size
    if len(shards) == 1:
        return {WHOLE: shards[0]}
    return {SHARD.format(i, len(shards)): names for i, names in enumerate(shards, start=1)}


def read_safetensors(path: Path) -> Weights:
    """The tensors of a file by name, mapped into memory and read when asked for.

    Raises:
      UserError: the file is damaged, or a tensor is of a type that NumPy lacks (float8).
    """
    try:
        file = safe_open(path, framework="numpy")
        types = {name: file.get_slice(name).get_dtype() for name in file.keys()}  # noqa: SIM118
    except (OSError, SafetensorError) as error:
        raise UserError(
            f"{path} ({path.stat().st_size} bytes) is not a file of safetensors, or it is damaged: "
            f"{error}. Fetch it again."
        ) from error
    for name, kind in types.items():
        if kind.startswith(("F8_", "F6_", "F4")):
            raise UserError(
                f"Tensor {name} of {path} is of type {kind}, which NumPy cannot hold. Take the "
                "model's weights in float32, float16 or bfloat16 instead."
            )
    return Weights(dict.fromkeys(types, file.get_tensor))


def _read_shards(index: Path, read: Read) -> Weights:
    """The tensors that an index names, each from the shard where the index says that it is."""
    places = _weight_map(index)
    names = sorted(set(places.values()))
    missing = [name for name in names if not (index.parent / name).is_file()]
    if missing:
        raise UserError(
            f"{index} names {len(names)} files of weights, of which these are missing: "
            f"{_some(missing)}. Fetch them into {index.parent}."
        )
    shards = {name: read(index.parent / name) for name in names}
    for tensor, shard in places.items():
        if tensor not in shards[shard]:
            raise UserError(
                f"{index} says that tensor {tensor} is in {shard}, but it is not there. Are they "
                "of different models? Fetch all of them again."
            )
    return Weights({tensor: shards[shard].__getitem__ for tensor, shard in places.items()})


def _weight_map(index: Path) -> dict[str, str]:
    """The shard of each tensor, by name: a file in the folder of the index."""
    try:
        places = json.loads(index.read_text(encoding="utf-8"))["weight_map"]
        for shard in places.values():
            if (index.parent / shard).parent != index.parent:
                raise ValueError(f"{shard!r} is no file of the same folder")
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        raise UserError(
            f"{index} is no index of weights, or it is damaged ({type(error).__name__}: {error}). "
            'Expected {"weight_map": {name of tensor: name of file}}. Fetch it again.'
        ) from error
    return places


def _advice(folder: Path) -> str:
    """What to do about a folder without weights that can be read."""
    for name, flag in CONVERSIONS.items():
        if (folder / name).is_file():
            return (
                f"It holds {name}, which must be converted, with Transformers 4: "
                f"AutoModel.from_pretrained(folder, {flag}).save_pretrained(folder)."
            )
    found = sorted(entry.name for entry in folder.glob("*"))
    return f"It holds: {_some(found)}." if found else "It is empty or does not exist."


def _some(names: list[str]) -> str:
    """The first few of the names."""
    more = f" and {len(names) - 8} more" if len(names) > 8 else ""
    return ", ".join(names[:8]) + more
