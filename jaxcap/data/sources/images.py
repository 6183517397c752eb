"""Images that nobody has said anything of yet: `list:FILE` and `array_record:GLOB`.

A list has the path of an image in each line, relative to the list; the line is its id. ArrayRecord
files have an encoded image (JPEG, PNG, ...) in each record; its id is "FILE:NUMBER". Their only
split is "all". Neither holds its millions of names in memory.
"""

from codecs import BOM_UTF8
from functools import cached_property
from glob import glob
from pathlib import Path

import numpy as np
from array_record.python.array_record_data_source import ArrayRecordDataSource

from jaxcap.data.record import Record
from jaxcap.data.sources.files import existing, no_split
from jaxcap.data.sources.folder import read_bytes
from jaxcap.errors import UserError

ALL = "all"
NEWLINE, RETURN = b"\n\r"


class ListedImages:
    """A Source over the files that a list names; empty lines are no images.

    Raises:
      UserError: there is no such list, or nothing in it.
    """

    prompts: tuple[str, ...] = ()

    def __init__(self, file: Path, split: str):
        self.file, self.name, self.split = file, file.stem, _all(file, split)
        if not file.is_file():
            raise UserError(f"{file} is a folder. Expected a file with a path in each line.")
        if not len(self):
            raise UserError(f"{file} names no images. Expected a path in each line.")

    @classmethod
    def open(cls, rest: str, split: str) -> "ListedImages":
        """The images that a file names."""
        return cls(existing(rest, "list of images"), split)

    def __len__(self) -> int:
        return len(self._lines)

    def __getitem__(self, index: int) -> Record:
        """The record, its image read from the disk now; ImageError where that fails."""
        name = self._line(index)
        return Record((read_bytes(self.file.parent / name),), name, ())

    def told(self, index: int) -> Record:
        """The record without its image."""
        return Record((), self._line(index), ())

    def __getstate__(self) -> dict[str, object]:  # another process reads the list itself
        return {"file": self.file, "name": self.name, "split": self.split}

    @cached_property
    def _bytes(self) -> np.ndarray:
        if not self.file.stat().st_size:
            return np.zeros(0, np.uint8)
        return np.memmap(self.file, np.uint8, "r")

    @cached_property
    def _lines(self) -> np.ndarray:
        """First and last place of each line that is not empty, [N, 2]."""
        if not len(self._bytes):
            return np.zeros((0, 2), np.int64)
        ends = np.append(np.flatnonzero(self._bytes == NEWLINE), len(self._bytes))
        mark = len(BOM_UTF8) if self._bytes[: len(BOM_UTF8)].tobytes() == BOM_UTF8 else 0
        starts = np.append(mark, ends[:-1] + 1)
        ends = ends - (self._bytes[ends - 1] == RETURN) * (ends > starts)
        return np.stack([starts, ends], axis=1)[ends > starts]

    def _line(self, index: int) -> str:
        first, last = self._lines[index]
        return self._bytes[first:last].tobytes().decode("utf-8", "surrogateescape")


class RecordedImages:
    """A Source over encoded images in ArrayRecord files.

    Raises:
      UserError: no file is of the pattern, or one is no ArrayRecord file.
    """

    prompts: tuple[str, ...] = ()

    def __init__(self, pattern: str, split: str):
        self.pattern, self.split = pattern, _all(pattern, split)
        self.files = sorted(map(Path, glob(str(Path(pattern).expanduser()), recursive=True)))
        if not self.files:
            raise UserError(
                f"There is no file at {pattern}. Expected a list of images, or ArrayRecord files; "
                "quote a pattern, or the shell reads it."
            )
        self.name = self.files[0].parent.name or "images"
        counts = [_count(file) for file in self.files]
        self._firsts = np.cumsum([0, *counts])  # each file's first number, and that of all records

    def __len__(self) -> int:
        return int(self._firsts[-1])

    def __getitem__(self, index: int) -> Record:
        """The record, its image read now."""
        (data,) = self._records.__getitems__([index])
        return Record((data,), self.told(index).image_id, ())

    def told(self, index: int) -> Record:
        """The record without its image."""
        if not 0 <= index < len(self):
            raise IndexError(f"record {index} of {len(self)} in {self.pattern}")
        file = int(np.searchsorted(self._firsts, index, side="right")) - 1
        number = index - int(self._firsts[file])
        return Record((), f"{self.files[file].name}:{number}", ())

    def __getstate__(self) -> dict[str, object]:  # ArrayRecord's threads survive no pickle
        kept = ("pattern", "split", "files", "name", "_firsts")
        return {name: getattr(self, name) for name in kept}

    @cached_property
    def _records(self) -> ArrayRecordDataSource:
        return ArrayRecordDataSource([str(file) for file in self.files])


def _count(file: Path) -> int:
    try:
        return len(ArrayRecordDataSource(str(file)))
    except (RuntimeError, ValueError) as error:
        raise UserError(
            f"{file} is no ArrayRecord file: {error}. Images in files of their own are named in a "
            "list, a path in each line."
        ) from error


def _all(source: object, split: str) -> str:
    if split != ALL:
        raise no_split(str(source), split, (ALL,))
    return split
