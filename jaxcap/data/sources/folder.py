"""A list of image files with their captions: what most readers end in."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from pathlib import Path

from jaxcap.data.boxes import Box, in_shares
from jaxcap.data.image import ImageError, upright_size
from jaxcap.data.record import Record
from jaxcap.errors import UserError


@dataclass(frozen=True)
class Item:
    """One record as its files tell it.

    Attributes:
      paths: of its images, nearly always one.
      image_id, captions: as in `Record`.
      where: the place that named it ("captions.csv, lines 2, 3").
      boxes: of each image, in pixels; empty where nothing is told of them.
    """

    paths: tuple[Path, ...]
    image_id: str
    captions: tuple[str, ...]
    where: str
    boxes: tuple[tuple[Box, ...], ...] = ()


@dataclass(frozen=True)
class Blemish:
    """Something that was left out of a split, where it stands, and why."""

    where: str
    image_id: str
    reason: str


class Folder:
    """A Source over image files, which are read when a record is asked for.

    Empty captions, images without any caption and repeated ids are left out and listed in
    `blemishes`.

    Raises:
      UserError: nothing is left.
    """

    prompts: tuple[str, ...] = ()

    def __init__(
        self, name: str, split: str, items: Iterable[Item], blemishes: Iterable[Blemish] = ()
    ):
        self.name, self.split = name, split
        self.blemishes = list(blemishes)
        self.items = self._clean(items)
        if not self.items:
            told = f" {len(self.blemishes)} were left out, such as {_told(self.blemishes[0])}."
            raise UserError(
                f"The split {split!r} of {name} has no images with captions."
                + (told if self.blemishes else "")
            )

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, index: int) -> Record:
        """The record, its images read from the disk now; ImageError where that fails."""
        item = self.items[index]
        images = tuple(map(read_bytes, item.paths))
        boxes = tuple(map(in_shares, item.boxes, map(upright_size, images)))
        return replace(self.told(index), images=images, boxes=boxes)

    def told(self, index: int) -> Record:
        """The record without its images and boxes."""
        item = self.items[index]
        return Record((), item.image_id, item.captions)

    def _clean(self, items: Iterable[Item]) -> list[Item]:
        kept: dict[str, Item] = {}
        for item in items:
            if item.image_id in kept:
                self._leave_out(item, f"repeats the id of {kept[item.image_id].where}")
                continue
            # A JSON file may have null or NaN where there is no caption.
            captions = tuple(c.strip() if isinstance(c, str) else "" for c in item.captions)
            for number, caption in enumerate(captions, start=1):
                if not caption:
                    self._leave_out(item, f"caption {number} of {len(captions)} is empty")
            captions = tuple(filter(None, captions))
            if captions:
                kept[item.image_id] = replace(item, captions=captions)
            else:
                self._leave_out(item, "has no caption")
        return list(kept.values())

    def _leave_out(self, item: Item, reason: str) -> None:
        self.blemishes.append(Blemish(item.where, item.image_id, reason))


def read_bytes(path: Path) -> bytes:
    """What is in an image's file; ImageError where it cannot be read."""
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror}: {path}") from error


def _told(blemish: Blemish) -> str:
    return f"{blemish.where}: {blemish.image_id} {blemish.reason}"
