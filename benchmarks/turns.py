"""Contenders that take turns: what else the machine does falls on all of them alike."""

import json
import platform
import time
from collections.abc import Callable, Mapping
from importlib.metadata import version
from pathlib import Path
from statistics import median
from typing import NamedTuple

import jax


class Times(NamedTuple):
    """Seconds of one contender.

    Attributes:
      first: of the first call, which compiles.
      rounds: of the later ones.
    """

    first: float
    rounds: list[float]

    @property
    def median(self) -> float:
        """Of the later ones."""
        return median(self.rounds)

    def told(self) -> str:
        """The median, and the spread around it."""
        low, high = min(self.rounds), max(self.rounds)
        return f"{self.median:.3f} s ({low:.3f} to {high:.3f}); the first {self.first:.1f} s"


def by_turns(
    contenders: Mapping[str, Callable[[], object]], rounds: int, warm: int = 0
) -> dict[str, Times]:
    """Call each once, then all of them in turn, A B A B, `rounds` times.

    A contender returns when its work is done, and not when it has been sent off.

    Args:
      contenders: by name.
      rounds: calls of each that are timed.
      warm: calls before each of them that are not: memory that was given back while another had its
        turn is fetched anew in the first, which on a virtual machine takes seconds for gigabytes.
    """
    first = {name: _seconds(call) for name, call in contenders.items()}
    later: dict[str, list[float]] = {name: [] for name in contenders}
    for _ in range(rounds):
        for name, call in contenders.items():
            for _ in range(warm):
                call()
            later[name].append(_seconds(call))
    return {name: Times(first[name], later[name]) for name in contenders}


def write(name: str, found: Mapping[str, object], folder: Path) -> None:
    """Write NAME.json: what was found, and where."""
    where = {
        "machine": platform.machine(),
        "devices": f"{jax.device_count()} {jax.devices()[0].device_kind}",
        "jax": version("jax"),
        "jaxcap": version("jaxcap"),
    }
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.json").write_text(json.dumps({**where, **found}, indent=1) + "\n")


def _seconds(call: Callable[[], object]) -> float:
    begin = time.perf_counter()
    call()
    return time.perf_counter() - begin
