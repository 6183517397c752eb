"""One shard of a prepared data set: what a worker process of `prepare` writes.

A shard is written beside its place and renamed, and then so is a note of what is in it: a shard
whose note exists is whole, whatever interrupted the work.
"""

import json
import os
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from uuid import uuid4

from array_record.python.array_record_module import ArrayRecordWriter

from jaxcap.data.image import ImageError, shrink_jpeg
from jaxcap.data.prepared import serialize
from jaxcap.data.record import Source
from jaxcap.data.sources.folder import Blemish, Folder


@dataclass(frozen=True)
class Shard:
    """The records [first, stop) of a split, the file for them, and the note of what it holds."""

    split: str
    first: int
    stop: int
    path: Path
    note: Path

    def __len__(self) -> int:
        return self.stop - self.first


@dataclass(frozen=True)
class Written:
    """What a shard holds, and which images could not be used."""

    kept: int
    bytes: int
    blemishes: list[Blemish]


def write_shard(source: Source, shard: Shard, side: int) -> Written:
    """Writes the shard, its images shrunk to JPEGs with the short side `side`, and its note."""
    unfinished = unfinished_path(shard.path)
    writer = ArrayRecordWriter(str(unfinished), "group_size:1")  # one record a read: random access
    blemishes = []
    kept = 0
    for index in range(shard.first, shard.stop):
        try:
            record = source[index]
            images = tuple(shrink_jpeg(image, side) for image in record.images)
        except ImageError as error:
            blemishes.append(_blemish(source, index, str(error)))
            continue
        writer.write(serialize(replace(record, images=images)))
        kept += 1
    writer.close()
    written = Written(kept, unfinished.stat().st_size, blemishes)
    publish(unfinished, shard.path)
    note = unfinished_path(shard.note)
    note.write_text(json.dumps(asdict(written)), encoding="utf-8")
    publish(note, shard.note)
    return written


def read_note(shard: Shard) -> Written | None:
    """What a finished shard holds; None where it is not finished."""
    if not shard.note.exists():
        return None
    note = json.loads(shard.note.read_text(encoding="utf-8"))
    blemishes = [Blemish(**blemish) for blemish in note["blemishes"]]
    return Written(note["kept"], note["bytes"], blemishes)


def unfinished_path(path: Path) -> Path:
    """Where a file is written before it gets its name; every process has its own."""
    return path.with_name(f"{path.name}.{uuid4().hex[:12]}.unfinished")


def publish(unfinished: Path, path: Path) -> None:
    """Gives a file its name, once its bytes are on the disk."""
    with unfinished.open("rb") as file:
        os.fsync(file.fileno())
    unfinished.replace(path)


def _blemish(source: Source, index: int, reason: str) -> Blemish:
    if isinstance(source, Folder):
        item = source.items[index]
        return Blemish(item.where, item.image_id, reason)
    return Blemish(f"{source.name}, {source.split}, record {index}", "", reason)
