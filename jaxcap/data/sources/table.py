"""A folder of one's own, told by a table: `csv:FILE` and `jsonl:FILE`.

A CSV file has a header with the columns image, caption and, if wanted, split. A JSONL file has an
object a line with the same keys; `captions` (a list) may stand for `caption`. An image with
several captions has several rows. Image paths are relative to the file, and are the image's id.

In a JSONL file `images` (a list of paths) may stand for `image`: they are shown together, and
their paths joined by "+" are the id. `boxes` may tell the regions of the image, [[left, top,
right, bottom], ...] in pixels of the photograph as it is seen; of several images, a list of that
for each.

With a split column the splits are its values. Without one they are "val", one image in twenty
chosen by a hash of its path (at least one), and "train", the others: adding or reordering rows
moves no image from one to the other, unless they are so few that no hash chooses any. "all" is
always every row. The folder gives the name.
"""

import csv
import hashlib
import io
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

from jaxcap.data.boxes import Box, read_boxes
from jaxcap.data.sources.files import existing, no_split, read_text
from jaxcap.data.sources.folder import Folder, Item
from jaxcap.errors import UserError

VAL_SHARE = 0.05


class Row(NamedTuple):
    """What one line says of a record; `boxes` has those of each image, or nothing."""

    line: int
    images: tuple[str, ...]
    captions: list[str]
    split: str
    boxes: tuple[tuple[Box, ...], ...] = ()


Rows = Callable[[Path], Iterator[Row]]


@dataclass
class Told:
    """What the rows of one record say."""

    images: tuple[str, ...]
    split: str
    boxes: tuple[tuple[Box, ...], ...]
    captions: list[str] = field(default_factory=list)
    lines: list[int] = field(default_factory=list)


def table_splits(rows: Rows, rest: str) -> tuple[str, ...]:
    """The values of the split column, or "train" and "val" where there is none."""
    return tuple(dict.fromkeys(each.split for each in _records(rows, rest).values()))


def open_table(rows: Rows, rest: str, split: str) -> Folder:
    """The records of a split, or all of them."""
    records = _records(rows, rest)
    known = (*dict.fromkeys(each.split for each in records.values()), "all")
    if split not in known:
        raise no_split(rest, split, known)
    path = Path(rest).expanduser()
    items = (
        Item(
            tuple(path.parent / image for image in each.images),
            name,
            tuple(each.captions),
            _where(path, each.lines),
            each.boxes,
        )
        for name, each in records.items()
        if split in (each.split, "all")
    )
    return Folder(path.absolute().parent.name, split, items)


def _records(rows: Rows, rest: str) -> dict[str, Told]:
    """What is told of each record, by its id."""
    path = existing(rest, "table of captions")
    records: dict[str, Told] = {}
    for row in rows(path):
        if not row.images or not all(row.images):
            raise UserError(f"{path}, line {row.line} names no image.")
        images = tuple(str(PurePosixPath(image)) for image in row.images)
        name = "+".join(images)
        record = records.setdefault(name, Told(images, row.split, row.boxes))
        if record.split != row.split:
            raise UserError(
                f"{path}, line {row.line} puts {name} into the split {row.split!r}; line "
                f"{record.lines[0]} had put it into {record.split!r}. An image belongs to one."
            )
        if row.boxes not in ((), record.boxes):
            raise UserError(
                f"{path}, line {row.line} tells other boxes of {name} than line "
                f"{record.lines[0]}. Tell them in its first row, or the same in each."
            )
        record.captions += row.captions
        record.lines.append(row.line)
    if not records:
        raise UserError(f"{path} has no rows. Write one for each caption: an image, a caption.")
    if all(not record.split for record in records.values()):
        val = _val(list(records))
        for name, record in records.items():
            record.split = "val" if name in val else "train"
    return records


def csv_rows(path: Path) -> Iterator[Row]:
    """The rows of a CSV file; one whose cells are all empty is none."""
    table = csv.DictReader(io.StringIO(read_text(path)), strict=True)
    try:
        header = table.fieldnames or ()
        if not {"image", "caption"} <= set(header):
            raise UserError(
                f"{path} has the columns {', '.join(header) or '(none)'}; its first line must "
                "name image, caption and, if wanted, split."
            )
        for row in table:
            if any(row.get(None) or ()):
                raise UserError(
                    f"{path}, line {table.line_num} has more cells than the header has columns. A "
                    'caption with commas in it needs quotes: a.jpg,"A dog, running."'
                )
            image, caption, split = (row.get(key) or "" for key in ("image", "caption", "split"))
            if image or caption:
                yield Row(table.line_num, (image,), [caption], split)
    except csv.Error as error:
        raise UserError(f"{path}, line {table.line_num}: {error}.") from error


def jsonl_rows(path: Path) -> Iterator[Row]:
    """The rows of a JSONL file; blank lines are none."""
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        try:
            yield _row(number, json.loads(line))
        except (ValueError, KeyError, TypeError, AttributeError) as error:
            raise UserError(
                f"{path}, line {number} is {line[:60]!r} ({error}); expected an object such as "
                '{"image": "a.jpg", "caption": "A dog."}.'
            ) from error


def _row(number: int, row: dict[str, Any]) -> Row:
    """A line of a JSONL file.

    Raises:
      ValueError, KeyError, TypeError, AttributeError: it is not as it should be.
    """
    several = "images" in row
    images = row["images"] if several else [row["image"]]
    captions = row["captions"] if "captions" in row else [row["caption"]]
    split = row.get("split", "")
    if not (isinstance(images, list) and isinstance(captions, list)):
        raise TypeError("images and captions must be lists")
    if not all(isinstance(text, str) for text in (*images, split, *captions)):
        raise TypeError("image, caption and split must be strings")
    boxes: tuple[tuple[Box, ...], ...] = ()
    if "boxes" in row:
        boxes = tuple(map(read_boxes, row["boxes"] if several else [row["boxes"]]))
        if len(boxes) != len(images):
            raise ValueError(f"boxes of {len(boxes)} images beside {len(images)} images")
    return Row(number, tuple(images), captions, split, boxes)


def _val(images: list[str]) -> set[str]:
    """The images whose hash falls into the share of "val"; the nearest one where none does."""

    def place(image: str) -> float:
        return int.from_bytes(hashlib.sha256(image.encode()).digest()[:8]) / 2**64

    chosen = {image for image in images if place(image) < VAL_SHARE}
    return chosen or ({min(images, key=place)} if len(images) > 1 else set())


def _where(path: Path, lines: list[int]) -> str:
    return f"{path.name}, line{'s' * (len(lines) > 1)} {', '.join(map(str, lines))}"
