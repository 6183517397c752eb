"""Encoders that start from a single file: weights of Keras or torchvision."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from jaxcap.errors import UserError, did_you_mean
from jaxcap.interop import keras_networks, torchvision_networks
from jaxcap.interop.family import Settings
from jaxcap.interop.keras_file import read_keras_file
from jaxcap.interop.report import Report
from jaxcap.interop.table import Table, load
from jaxcap.interop.torch_file import read_torch_file
from jaxcap.interop.weight_files import read_safetensors


class Format(NamedTuple):
    """What the ending of a file's name says.

    Attributes:
      library: whose networks it holds.
      read: its tensors by name.
      networks: by the name of the encoder here, the table of its tensors and the settings that
        networks of the library have.
    """

    library: str
    read: Callable[[Path], Mapping[str, np.ndarray]]
    networks: Mapping[str, tuple[Table, Settings]]

    def network(self, name: str, source: str) -> tuple[Table, Settings]:
        """One of them; a UserError if there is none of the name."""
        if name not in self.networks:
            raise UserError(
                f"{source} is taken for weights of {self.library}, and those of an encoder "
                f"{name!r} are not known. Set model.encoder.name. "
                f"{did_you_mean(name, self.networks)}"
            )
        return self.networks[name]


KERAS = Format("Keras", read_keras_file, keras_networks.NETWORKS)
TORCH = Format("torchvision", read_torch_file, torchvision_networks.NETWORKS)
FORMATS = {
    ".h5": KERAS,
    ".keras": KERAS,
    ".pth": TORCH,
    ".pt": TORCH,
    ".safetensors": TORCH._replace(read=read_safetensors),
}


def is_network_file(source: str) -> bool:
    """The source of an encoder is a file, or is meant to be one, and not a directory."""
    path = Path(source)
    return path.is_file() or (path.suffix in FORMATS and not path.is_dir())


def file_settings(source: str, name: str) -> Settings:
    """The settings of an encoder, with its name, that the weights of a file are for.

    Raises:
      UserError: there is no such file, or no such encoder in files of its kind.
    """
    _, settings = _format(source).network(name, source)
    return {"name": name, **settings}


def load_file(
    source: str, name: str, leaves: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], Report]:
    """The arrays of an encoder by path, and what became of every leaf; see `table.load`.

    Raises:
      UserError: as `file_settings`; the file is damaged, or of another network than the encoder.
    """
    kind = _format(source)
    table, _ = kind.network(name, source)
    return load(kind.read(Path(source)), leaves, table, 0, source)


def _format(source: str) -> Format:
    path = Path(source)
    if not path.is_file():
        raise UserError(f"There is no file {path}, from which model.encoder is to start.")
    if path.suffix not in FORMATS:
        raise UserError(
            f"{path} is a file of no kind that an encoder starts from; those end in "
            f"{', '.join(FORMATS)}. Or give a directory in the Hugging Face layout."
        )
    return FORMATS[path.suffix]
