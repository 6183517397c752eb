"""A directory in the Hugging Face layout: its config, complete, and its tensors."""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from jaxcap.data.hf_special_tokens import read_object
from jaxcap.data.hf_tokenizer import listing
from jaxcap.errors import UserError
from jaxcap.interop.weight_files import read_weights


@dataclass(frozen=True)
class Source:
    """What somebody published.

    Attributes:
      folder: where it lies.
      config: of config.json, with Transformers' defaults where it says nothing.
    """

    folder: Path
    config: Mapping[str, Any]

    @cached_property
    def tensors(self) -> Mapping[str, np.ndarray]:
        """By name, read when asked for."""
        return read_weights(self.folder)

    def under(self, prefix: str, others: Iterable[str] = ()) -> "Under":
        """The tensors whose names begin with a prefix, and with no longer one of the others."""
        deeper = tuple(other for other in others if len(other) > len(prefix))
        return Under(
            self.tensors,
            {
                name.removeprefix(prefix): name
                for name in self.tensors
                if name.startswith(prefix) and not name.startswith(deeper)
            },
        )


class Under(Mapping[str, np.ndarray]):
    """Some tensors, under the names that they have within a part of a captioner."""

    def __init__(self, tensors: Mapping[str, np.ndarray], names: Mapping[str, str]):
        self._tensors, self._names = tensors, names

    def __getitem__(self, name: str) -> np.ndarray:
        return self._tensors[self._names[name]]

    def __contains__(self, name: object) -> bool:  # Mapping's own would read the tensor
        return name in self._names

    def __iter__(self) -> Iterator[str]:
        return iter(self._names)

    def __len__(self) -> int:
        return len(self._names)


def open_folder(folder: str | Path) -> Source:
    """The source in a directory.

    Raises:
      UserError: there is no config.json of a network that Transformers knows.
    """
    folder = Path(folder)
    if not (folder / "config.json").is_file():
        raise UserError(
            f"{folder} holds no network in the Hugging Face layout: looked for config.json, found "
            f"{listing(folder)}."
        )
    said = read_object(folder / "config.json")
    if "model_type" not in said and (folder / "checkpoints").is_dir():
        raise UserError(
            f"{folder} is a run directory, and not in the Hugging Face layout. A whole model "
            "starts from a run by init_from at the top of the config; a part of one by the layout "
            "that jaxcap convert RUN OUT --to hf writes."
        )
    from transformers import AutoConfig  # slow to import, and rarely needed

    kind = said.pop("model_type", None)
    try:
        return Source(folder, AutoConfig.for_model(kind, **said).to_dict())
    except Exception as error:  # whatever the library makes of a config that it does not know
        cause = " ".join(str(error).split())[:300]
        raise UserError(
            f"{folder / 'config.json'} is not of a network that Transformers knows "
            f"(model_type {kind!r}): {cause}"
        ) from error
