"""A folder that is written whole or not at all."""

import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from jaxcap.errors import UserError


def check_new(folder: Path) -> None:
    """Refuse a place where something is.

    Raises:
      UserError: it is a file, or a folder that is not empty, or nothing can be made there.
    """
    above = next(place for place in folder.absolute().parents if place.exists())
    if not above.is_dir():
        raise UserError(f"{folder} cannot be made: {above} is no directory.")
    if folder.is_dir() and not any(folder.iterdir()):
        return
    if folder.exists():
        what = "is not empty" if folder.is_dir() else "is a file"
        raise UserError(f"{folder} exists and {what}; name a new directory.")


@contextmanager
def new_folder(folder: Path) -> Iterator[Path]:
    """A folder to be filled, beside its place and then renamed: a failure leaves nothing.

    Raises:
      UserError: there may nothing be made.
    """
    folder = folder.absolute()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        room = tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent)
    except OSError as error:
        raise UserError(f"{folder} cannot be made: {error}.") from error
    with room as beside:
        new = Path(beside, "new")
        new.mkdir()
        yield new
        if folder.exists():
            folder.rmdir()
        new.rename(folder)
