"""Files that are written whole or not at all."""

from pathlib import Path
from uuid import uuid4


def place_beside(path: Path) -> Path:
    """Where a file is written until it is whole: hidden, and of no other process on any machine."""
    return path.with_name(f".{path.name}.{uuid4().hex[:12]}")


def write_text(path: Path, text: str) -> None:
    """Write a file beside its place, then rename it: a reader sees the old one or the new one."""
    beside = place_beside(path)
    try:
        beside.write_text(text, encoding="utf-8")
        beside.replace(path)
    finally:
        beside.unlink(missing_ok=True)  # where that failed
