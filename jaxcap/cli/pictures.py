"""The photographs that are named on the command line."""

import glob
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from jaxcap.errors import UserError

SUFFIXES = (".jpg", ".jpeg", ".png", ".webp", ".gif", ".bmp", ".tif", ".tiff", ".heic", ".heif")
STDIN = "-"
SCHEMES = ("http://", "https://")


@dataclass(frozen=True)
class Picture:
    """A photograph, or the features of one, where it is.

    Attributes:
      name: as it was named, or found in a folder that was.
    """

    name: str

    @property
    def file(self) -> Path | None:
        """Its place on this machine, if it has one."""
        return None if self.name == STDIN or self.name.startswith(SCHEMES) else Path(self.name)

    @property
    def stem(self) -> str:
        """What a file that is made of it is called."""
        return Path(self.name).stem if self.name != STDIN else "stdin"

    def photo(self) -> Path | bytes:
        """What a captioner is given; of an address the bytes behind it.

        Raises:
          ImageError: it cannot be fetched.
        """
        if self.file is not None:
            return self.file
        if self.name == STDIN:
            return sys.stdin.buffer.read()
        from jaxcap.cli.web import read_url
        from jaxcap.data.image import ImageError

        try:
            return read_url(self.name)
        except ImageError as error:
            raise ImageError(f"{self.name} {error}.") from error


def pictures_of(words: Sequence[str], allow_url: bool) -> list[Picture]:
    """The photographs that files, folders, patterns, addresses and "-" stand for, in their order.

    Args:
      words: of the command line.
      allow_url: whether addresses may be among them.

    Raises:
      UserError: an address without being asked for, a folder or a pattern without images, or "-"
        twice.
    """
    if words.count(STDIN) > 1:
        raise UserError("The standard input is one photograph: name - once.")
    return [Picture(name) for word in words for name in _named(word, allow_url)]


def _named(word: str, allow_url: bool) -> Iterator[str]:
    if word.startswith(SCHEMES):
        if not allow_url:
            raise UserError(f"{word} is an address. Add --allow-url to have it fetched.")
        yield word
    elif word == STDIN or Path(word).is_file() or not (is_pattern(word) or Path(word).is_dir()):
        yield word
    elif Path(word).is_dir():
        yield from map(str, images_in(Path(word)))
    else:
        found = sorted(file for file in glob.glob(word, recursive=True) if Path(file).is_file())
        if not found:
            raise UserError(f"No file is named like {word}.")
        yield from found


def images_in(folder: Path) -> list[Path]:
    """The images of a folder, at any depth and in the order of their names.

    Where it has none they are its .npz files, the features of images that a captioner may look at
    in their place.

    Raises:
      UserError: it holds none.
    """
    files = sorted(folder.rglob("*"))
    for suffixes in (SUFFIXES, (".npz",)):
        if found := [file for file in files if file.suffix.lower() in suffixes]:
            return found
    raise UserError(
        f"The folder {folder} holds no images ({', '.join(SUFFIXES)}) and no .npz, and it is not a "
        "run directory (there is no config.json in it)."
    )


def is_pattern(word: str) -> bool:
    """Whether it stands for the files that are named like it."""
    return any(sign in word for sign in "*?[")
