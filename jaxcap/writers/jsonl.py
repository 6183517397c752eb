"""metrics.jsonl: numbers by step, one JSON object a line."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

from jaxcap.atomic import write_text
from jaxcap.writers.writer import Sample


class Jsonl:
    """See `jaxcap.writers.writer.Writer`; samples are no numbers, and have no line."""

    def __init__(self, folder: Path, first: int):
        self._file = folder / "metrics.jsonl"
        if self._file.exists():
            lines = self._file.read_text(encoding="utf-8").splitlines()
            write_text(self._file, "".join(f"{line}\n" for line in lines if _before(line, first)))

    def scalars(self, step: int, numbers: Mapping[str, float]) -> None:
        """Append a line."""
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **numbers}) + "\n")

    def samples(self, step: int, samples: Sequence[Sample]) -> None:
        """Nothing: samples.png and predictions.json have what there is to read."""

    def close(self) -> None:
        """Nothing: each line was written when it came."""


def _before(line: str, step: int) -> bool:
    try:
        return json.loads(line)["step"] < step
    except (ValueError, KeyError):  # the line that a kill cut short
        return False
