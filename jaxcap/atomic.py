"""Files that are written whole or not at all."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4


@contextmanager
def beside(path: Path) -> Iterator[Path]:
    """Where to write a file, which gets its name in the end: a reader sees the old or the new one.

    The place is hidden, and of no other process on any machine. Nothing is left of a failure.
    """
    place = path.with_name(f".{path.name}.{uuid4().hex[:12]}")
    try:
        yield place
        place.replace(path)
    finally:
        place.unlink(missing_ok=True)


def write_text(path: Path, text: str) -> None:
    """Write a file of text, whole or not at all."""
    with beside(path) as place:
        place.write_text(text, encoding="utf-8")
