"""A folder that is written whole or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxcap.errors import UserError


def check_new(folder: Path) -> None:
    """Refuse a place where something is.

    Raises:
      UserError: it is a file, or a folder that is not empty.
    """
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists():
        what = "is not empty" if folder.is_dir() else "is a file"
        raise UserError(f"{folder} exists and {what}; name a new directory.")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to be filled, beside its place and then renamed: a failure leaves nothing."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as beside:
        new = Path(beside, "new")
        new.mkdir()
        yield new
        if folder.exists():
            folder.rmdir()
        new.rename(folder)
