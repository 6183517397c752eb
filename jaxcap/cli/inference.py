"""Photographs through a captioner, batch by batch: what is to be told of each."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jaxcap.caption import Caption
from jaxcap.captioner import BATCHES, Captioner
from jaxcap.cli.files import write_drawing
from jaxcap.cli.pictures import Picture
from jaxcap.cli.told import Told
from jaxcap.confidence import words_of
from jaxcap.data.image import ImageError
from jaxcap.data.photo import Photos
from jaxcap.data.showing import Arrays
from jaxcap.explain_picture import draw_looks, draw_similarity


@dataclass(frozen=True)
class Record:
    """What is captioned together, and what is drawn of it.

    Attributes:
      pictures: one, or several that belong together.
      boxes: of each its regions, if they were given.
      looks, alike: where to draw where the decoder looked, and how alike its words are.
    """

    pictures: tuple[Picture, ...]
    boxes: Any = None
    looks: Path | None = None
    alike: Path | None = None

    @property
    def name(self) -> str:
        """What it is called in what is told."""
        return "+".join(picture.name for picture in self.pictures)

    @property
    def files(self) -> tuple[Path, ...]:
        """Of its pictures those that are files."""
        return tuple(picture.file for picture in self.pictures if picture.file is not None)


@dataclass(frozen=True)
class Asked:
    """What is asked of a captioner.

    Attributes:
      num: captions of a record.
      prefix: that they begin with.
      search: other settings than the run's.
      sure: whether to tell how sure the words are.
      layer, head: of the drawing of where the decoder looked.
    """

    num: int
    prefix: str
    search: Mapping[str, Any]
    sure: bool
    layer: int | None
    head: int | None


def told_of(captioner: Captioner, records: Sequence[Record], asked: Asked) -> Iterator[Told]:
    """What is to be told of each record, in order; its drawings are drawn.

    Raises:
      UserError: a setting is out of range, or a drawing cannot be drawn or written.
    """
    size = BATCHES[-1]
    for start in range(0, len(records), size):
        batch = records[start : start + size]
        opened = [_open(captioner, record) for record in batch]
        shown = [each[1] for each in opened if not isinstance(each, str)]
        captions = iter(
            captioner.of_shown(
                shown, num=asked.num, prompt=asked.prefix, first=start, **asked.search
            )
        )
        for record, each in zip(batch, opened, strict=True):
            if isinstance(each, str):
                yield Told(record.name, record.files, error=each)
            else:
                yield _told(captioner, record, asked, *each, next(captions))


def _open(captioner: Captioner, record: Record) -> tuple[Photos, Arrays] | str:
    """The photographs, and what the model is shown of them; or why they cannot be."""
    try:
        photos = tuple(picture.photo() for picture in record.pictures)
        return photos, captioner.shown(photos, record.boxes)
    except ImageError as error:
        return str(error)


def _told(
    captioner: Captioner,
    record: Record,
    asked: Asked,
    photos: Photos,
    shown: Arrays,
    captions: Sequence[Caption],
) -> Told:
    best = next(iter(captions), None)
    if record.looks or record.alike:
        explained = captioner.explain(photos, best, record.boxes)
        if record.looks:
            write_drawing(draw_looks(explained, asked.layer, asked.head), record.looks)
        if record.alike:
            write_drawing(draw_similarity(explained), record.alike)
    sure = words_of(captioner, shown, best) if asked.sure and best is not None else None
    return Told(record.name, record.files, captions, sure)
