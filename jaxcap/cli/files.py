"""Files that belong to photographs: boxes of their regions, and pictures drawn of them."""

import mimetypes
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jaxcap.cli.pictures import SUFFIXES, Picture
from jaxcap.errors import UserError

if TYPE_CHECKING:
    from PIL import Image


def boxes_of(file: Path, records: Sequence[tuple[Picture, ...]]) -> list[list[Any]]:
    """The boxes of each image of each record, by its path or by its name in the file.

    Raises:
      UserError: the file cannot be read, or tells none of an image.
    """
    from jaxcap.data.sources.files import read_json

    told = read_json(file)

    def of(picture: Picture) -> Any:
        short = picture.name.rpartition("/")[2]
        for name in (picture.name, short):
            if name in told:
                return told[name]
        raise UserError(f"{file} tells no boxes of {picture.name}. Expected it to have {short!r}.")

    return [[of(picture) for picture in record] for record in records]


def drawings_of(records: Sequence[tuple[Picture, ...]], **asked: Path | None) -> list[list[Path]]:
    """Where a PNG of each record is drawn, for each option; nowhere for one that is not given.

    Args:
      records: the photographs of each.
      asked: by the names of options: a file, of a single record; or a folder, in which each record
        gets a file of its name.

    Raises:
      UserError: a file of another format, one file of several records, a photograph's own place,
        or one place for two drawings.
    """
    taken = _photographs(records)
    drawings = []
    for option, out in asked.items():
        drawn = [] if out is None else _files(option, out, records)
        for file in drawn:
            _take(file, option, out, taken)
        drawings.append(drawn)
    return drawings


def check_tables(
    records: Sequence[tuple[Picture, ...]], overwrite: bool, **asked: Path | None
) -> None:
    """Refuse files to write captions to in whose place something is that is to stay.

    Args:
      records: the photographs of each.
      overwrite: whether older captions may go.
      asked: by the names of options.

    Raises:
      UserError: a photograph is there, whatever `overwrite` says, or what another option writes; or
        any file.
    """
    taken = _photographs(records)
    for option, file in asked.items():
        if file is not None:
            _take(file, option, file, taken)
            if file.exists() and not overwrite:
                raise UserError(f"{file} is there already. Move it, or add --overwrite.")


def write_drawing(drawing: "Image.Image", file: Path) -> None:
    """Write a drawing.

    Raises:
      UserError: nothing can be written there.
    """
    from jaxcap.data.image import write_png

    try:
        write_png(drawing, file)
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror}.") from error


def _photographs(records: Sequence[tuple[Picture, ...]]) -> dict[Path, str]:
    """Places that are taken, and by what."""
    files = (picture.file for record in records for picture in record)
    return {file.resolve(): "one of the photographs" for file in files if file is not None}


def _take(file: Path, option: str, given: Path | None, taken: dict[Path, str]) -> None:
    """Give a place to an option, which named it or a folder for it.

    Raises:
      UserError: it is taken.
    """
    place = file.resolve()
    if place in taken:
        raise UserError(f"--{option} {given}: {file} is {taken[place]}. Name another place.")
    taken[place] = f"already that of --{option}"


def _files(option: str, out: Path, records: Sequence[tuple[Picture, ...]]) -> list[Path]:
    suffix = out.suffix.lower()
    of_a_file = suffix in SUFFIXES or mimetypes.guess_type(out.name)[0] is not None
    if out.is_dir() or not of_a_file:
        return [out / f"{name}.png" for name in _different([record[0].stem for record in records])]
    if suffix != ".png":
        raise UserError(f"--{option} {out}: it is drawn as PNG. Name a .png file, or a folder.")
    if len(records) > 1:
        raise UserError(
            f"--{option} {out} is one file, and there are {len(records)} photographs. Name a "
            "folder, and each gets a file in it."
        )
    return [out]


def _different(names: Sequence[str]) -> list[str]:
    """The names, numbered where they are alike: photo, photo_2."""
    taken: list[str] = []
    for name in names:
        number, other = 1, name
        while other in taken:
            number += 1
            other = f"{name}_{number}"
        taken.append(other)
    return taken
