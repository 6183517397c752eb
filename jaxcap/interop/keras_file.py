"""Tensors out of the files that Keras saves, without Keras."""

import io
import re
import zipfile
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from jaxcap.errors import UserError

WEIGHTS = ("kernel", "bias")  # of a convolution or a dense layer
NORM = ("gamma", "beta", "moving_mean", "moving_variance")  # some have no gamma
COUNTED = ("conv2d", "batch_normalization")  # layers that keras.applications leaves unnamed


def read_keras_file(path: str | Path) -> dict[str, np.ndarray]:
    """Every tensor of a network that Keras saved, by "layer.variable".

    It may be a `.keras`, a `.weights.h5`, or an `.h5` of the older layout, that of the published
    weights of keras.applications. What is of no layer, such as an optimizer's, is left out. Layers
    without a name of their own are counted from `conv2d_0`, `batch_normalization_0`: Keras counts
    all those of a session.

    Raises:
      UserError: h5py is not installed; the file is missing, is damaged or is not one of Keras's.
    """
    path = Path(path)
    if not path.is_file():
        raise UserError(f"There is no file {path}.")
    try:
        import h5py
    except ModuleNotFoundError as error:
        raise UserError(
            f"{path} is read by the package h5py, which is not installed. "
            "Install it: pip install 'jaxcap[hdf5]'"
        ) from error
    try:
        with h5py.File(_hdf5(path), "r") as file:
            layers = {name: _named(tensors) for name, tensors in _layers(file)}
    except Exception as error:  # a damaged file can fail in any way that its bytes can
        raise UserError(
            f"{path} ({path.stat().st_size} bytes) holds no weights that Keras saved, or it is "
            f"damaged ({type(error).__name__}: {error}). Fetch it again, or save it again with "
            "Keras 3.6 or newer."
        ) from error
    names = _counted(layers)
    return {
        f"{names[layer]}.{variable}": tensor
        for layer, tensors in layers.items()
        for variable, tensor in tensors.items()
    }


def _hdf5(path: Path) -> Path | io.BytesIO:
    """The file of tensors; in a `.keras` it lies within a zip."""
    if path.suffix != ".keras":
        return path
    with zipfile.ZipFile(path) as archive:
        return io.BytesIO(archive.read("model.weights.h5"))


def _layers(file: Any) -> Iterator[tuple[str, list[np.ndarray]]]:
    """The name of each layer, and its variables in Keras's order."""
    older = file.get("model_weights", file)
    if "layer_names" in older.attrs:
        for name in older.attrs["layer_names"]:
            group = older[name]
            tensors = [_array(group[weight], file) for weight in group.attrs["weight_names"]]
            yield name.decode() if isinstance(name, bytes) else name, tensors
    else:
        for layer in file["layers"].values():
            group = layer["vars"]
            if "name" not in group.attrs:  # its own name; the group's is only a number
                raise ValueError("its layers have no names")
            tensors = [_array(group[str(i)], file) for i in range(len(group))]
            yield group.attrs["name"], tensors


def _array(dataset: Any, file: Any) -> np.ndarray:
    """The tensor; a damaged header may claim any size."""
    if dataset.nbytes > file.id.get_filesize():
        raise ValueError(f"{dataset.name} of {dataset.nbytes} bytes is larger than the file")
    return dataset[()]


def _named(tensors: list[np.ndarray]) -> dict[str, np.ndarray]:
    """The variables of a layer by name; the files of all times agree on their order only."""
    is_norm = bool(tensors) and tensors[0].ndim == 1
    names = NORM[-len(tensors) :] if is_norm else WEIGHTS[: len(tensors)]
    return dict(zip(names, tensors, strict=True))


def _counted(layers: Iterable[str]) -> dict[str, str]:
    """By the name in the file, the name that the tables know."""
    names = {layer: layer for layer in layers}
    for kind in COUNTED:
        own = [layer for layer in names if re.fullmatch(rf"{kind}(_\d+)?", layer)]
        own.sort(key=lambda name: (len(name), name))  # 9 before 10
        names |= {layer: f"{kind}_{i}" for i, layer in enumerate(own)}
    return names
