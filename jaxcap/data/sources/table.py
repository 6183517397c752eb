"""A folder of one's own, told by a table: `csv:FILE` and `jsonl:FILE`.

A CSV file has a header with the columns image, caption and, if wanted, split. A JSONL file has an
object a line with the same keys; `captions` (a list) may stand for `caption`. An image with
several captions has several rows. Image paths are relative to the file, and are the image's id.

With a split column the splits are its values. Without one they are "val", one image in twenty
chosen by a hash of its path (at least one), and "train", the others: adding or reordering rows
moves no image from one to the other. "all" is always every row. The folder gives the name.
"""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from jaxcap.data.sources.files import existing, no_split, read_text
from jaxcap.data.sources.folder import Folder, Item
from jaxcap.errors import UserError

VAL_SHARE = 0.05

Row = tuple[int, str, list[str], str]  # line, image, captions, split
Rows = Callable[[Path], Iterator[Row]]


@dataclass
class Picture:
    """What the rows of one image say."""

    split: str
    captions: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def table_splits(rows: Rows, rest: str) -> tuple[str, ...]:
    """The values of the split column, or "train" and "val" where there is none."""
    return tuple(dict.fromkeys(each.split for each in _pictures(rows, rest).values()))


def open_table(rows: Rows, rest: str, split: str) -> Folder:
    """The images of a split, or of them all."""
    pictures = _pictures(rows, rest)
    known = (*dict.fromkeys(each.split for each in pictures.values()), "all")
    if split not in known:
        raise no_split(rest, split, known)
    path = Path(rest).expanduser()
    items = (
        Item(path.parent / image, image, tuple(each.captions), _where(path, each.lines))
        for image, each in pictures.items()
        if split in (each.split, "all")
    )
    return Folder(path.absolute().parent.name, split, items)


def _pictures(rows: Rows, rest: str) -> dict[str, Picture]:
    path = existing(rest, "table of captions")
    pictures: dict[str, Picture] = {}
    for line, image, captions, split in rows(path):
        if not image:
            raise UserError(f"{path}, line {line} names no image.")
        name = str(PurePosixPath(image))
        picture = pictures.setdefault(name, Picture(split))
        if picture.split != split:
            raise UserError(
                f"{path}, line {line} puts {name} into the split {split!r}; line "
                f"{picture.lines[0]} had put it into {picture.split!r}. An image belongs to one."
            )
        picture.captions += captions
        picture.lines.append(line)
    if not pictures:
        raise UserError(f"{path} has no rows. Write one for each caption: an image, a caption.")
    if all(not picture.split for picture in pictures.values()):
        val = _val(list(pictures))
        for name, picture in pictures.items():
            picture.split = "val" if name in val else "train"
    return pictures


def csv_rows(path: Path) -> Iterator[Row]:
    """The rows of a CSV file; one whose cells are all empty is none."""
    table = csv.DictReader(io.StringIO(read_text(path)))
    try:
        header = table.fieldnames or ()
        if not {"image", "caption"} <= set(header):
            raise UserError(
                f"{path} has the columns {', '.join(header) or '(none)'}; its first line must "
                "name image, caption and, if wanted, split."
            )
        for row in table:
            image, caption, split = (row.get(key) or "" for key in ("image", "caption", "split"))
            if image or caption:
                yield table.line_num, image, [caption], split
    except csv.Error as error:
        raise UserError(f"{path}, line {table.line_num}: {error}.") from error


def jsonl_rows(path: Path) -> Iterator[Row]:
    """The rows of a JSONL file; blank lines are none."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            row = json.loads(line)
            captions = row["captions"] if "captions" in row else [row["caption"]]
            image, split = row["image"], row.get("split", "")
            if not all(isinstance(text, str) for text in (image, split, *captions)):
                raise TypeError("image, caption and split must be strings")
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path}, line {number} is {line[:60]!r} ({error}); expected an object such as "
                '{"image": "a.jpg", "caption": "A dog."}.'
            ) from error
        yield number, image, captions, split


def _val(images: list[str]) -> set[str]:
    """The images whose hash falls into the share of "val"; the nearest one where none does."""

    def place(image: str) -> float:
        return int.from_bytes(hashlib.sha256(image.encode()).digest()[:8]) / 2**64

    chosen = {image for image in images if place(image) < VAL_SHARE}
    return chosen or ({min(images, key=place)} if len(images) > 1 else set())


def _where(path: Path, lines: list[int]) -> str:
    return f"{path.name}, line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}"
