"""Where the numbers and samples of a run are written: metrics.jsonl, and whatever is asked for."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType

import jax

from jaxcap.errors import UserError, did_you_mean
from jaxcap.log import console
from jaxcap.writers.jsonl import Jsonl
from jaxcap.writers.tensorboard import TensorBoard
from jaxcap.writers.wandb import WandB
from jaxcap.writers.writer import Sample, Writer

# By the names of their extras.
WRITERS: dict[str, type[TensorBoard] | type[WandB]] = {"tensorboard": TensorBoard, "wandb": WandB}


def check_writers(names: Sequence[str]) -> None:
    """Refuse writers that do not exist, or whose package is not installed.

    Raises:
      UserError: with the command that installs it.
    """
    for name in names:
        if name not in WRITERS:
            raise UserError(
                f"There is no writer {name!r} (writers). {did_you_mean(name, WRITERS)} Several "
                "are written --config.writers=\"('tensorboard','wandb')\"."
            )
        package = WRITERS[name].package
        if find_spec(package) is None:
            raise UserError(
                f"The writer {name!r} needs {package}, which is not installed. Install it with "
                f"pip install 'jaxcap[{name}]', or leave it out of writers."
            )


class Writers:
    """metrics.jsonl and the writers that are named; in all processes but the first there are none.

    One that fails, be it of a full disk or of the network, is told of once and left out from there
    on: it costs the run nothing but what it would have written.

    Args:
      folder: the run directory.
      first: the first step that is written; what is there of it and of later ones is forgotten.
      names: of `WRITERS`, besides metrics.jsonl.
    """

    def __init__(self, folder: Path, first: int, names: Sequence[str] = ()):
        self._writers: dict[str, Writer] = {}
        if jax.process_index() != 0:
            return
        makers: dict[str, Callable[[Path, int], Writer]] = {"metrics.jsonl": Jsonl}
        for name, make in (makers | {name: WRITERS[name] for name in names}).items():
            try:
                self._writers[name] = make(folder, first)
            except Exception as error:
                _tell(name, error)

    def __enter__(self) -> "Writers":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._each(lambda writer: writer.close())

    def scalars(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write the numbers of a step."""
        self._each(lambda writer: writer.scalars(step, numbers))

    def samples(self, step: int, samples: Sequence[Sample]) -> None:
        """Write captions of a step."""
        self._each(lambda writer: writer.samples(step, samples))

    def _each(self, write: Callable[[Writer], None]) -> None:
        for name, writer in list(self._writers.items()):
            try:
                write(writer)
            except Exception as error:
                del self._writers[name]
                _tell(name, error)
                with suppress(Exception):
                    writer.close()


def _tell(name: str, error: Exception) -> None:
    console.print(
        f"  {name} cannot be written, and is left out from here on: {type(error).__name__}: {error}"
    )
