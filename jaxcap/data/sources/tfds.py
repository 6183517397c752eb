"""A prepared TFDS data set with an image and captions: `tfds:DIR`, read without TensorFlow.

DIR is the folder with dataset_info.json, or one above it that holds a single data set. The files
must be in the ArrayRecord format; `prepare` writes such a folder from any other source. As it
writes them, an image may be followed by more of the same record (`image/more`), and by the boxes
of all of them in a row (`boxes`), so many for each (`boxes/each`).

A record is a tf.Example, whose lists are read as they are: TFDS' own way through its features took
more than half as long as the decoding of a small JPEG.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds
from tensorflow_datasets.proto import tf_example_pb2

from jaxcap.data.boxes import Box
from jaxcap.data.record import Record
from jaxcap.data.sources.files import entries, existing, no_split
from jaxcap.errors import UserError

CAPTIONS = ("captions", "caption", "text", "sentences")  # the names that such features go by
INNER_TEXT = ("text", "raw", "caption")  # where a caption is itself a dict, as in coco_captions
MORE, BOXES = "image/more", ("boxes", "boxes/each")  # as `prepare` writes them
IDS = ("image/id", "image_id", "id", "image/filename", "filename")

Example = Mapping[str, Any]  # tf.train.Feature by name

_RAW = tfds.decode.DeserializeMethod.RAW_BYTES


def tfds_splits(rest: str) -> tuple[str, ...]:
    """The splits of the data set."""
    return tuple(tfds.builder_from_directory(_version_folder(rest)).info.splits)


class Tfds:
    """One split, or a part of it in the notation of TFDS ("train[:1000]").

    The object may be pickled: each process opens the files at its first read. ArrayRecord's own
    threads do not survive a fork, so processes that read must be spawned, as grain's are.
    Captions and ids come as they were given; a record without an id has its index for one.

    Raises:
      UserError: no such split, no image or no captions among the features, or another format
        than ArrayRecord.
    """

    def __init__(self, folder: Path, split: str):
        self.folder, self.split = folder, split
        builder = tfds.builder_from_directory(folder)
        info = builder.info
        try:
            self._length = info.splits[split].num_examples
        except (ValueError, KeyError) as error:
            raise no_split(str(folder), split, tuple(info.splits)) from error
        self.name: str = info.name
        self.prompts: tuple[str, ...] = tuple((info.metadata or {}).get("prompts", ()))
        self._find_features(info.features)
        if not self._length:
            raise UserError(f"The split {split!r} of {folder} has no records.")
        try:
            self._examples = builder.as_data_source(split, deserialize_method=_RAW)
        except NotImplementedError as error:
            raise UserError(
                f"{folder} cannot be read by index: {error} Convert it to array_record "
                "(tensorflow_datasets.scripts.convert_format)."
            ) from error

    @classmethod
    def open(cls, rest: str, split: str) -> "Tfds":
        """The split of the data set in or under the folder."""
        return cls(_version_folder(rest), split)

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, index: int) -> Record:
        """The record, read from the disk now, its image not decoded."""
        example = self._example(index)
        images = (*_values(example, self._image), *_values(example, MORE))
        return replace(self._told(index, example), images=images, boxes=_boxes(example))

    def told(self, index: int) -> Record:
        """The record without its images and boxes."""
        return self._told(index, self._example(index))

    def _told(self, index: int, example: Example) -> Record:
        image_id = str(index) if self._id is None else _text(example, self._id)
        captions = tuple(_texts(example, self._captions))
        return Record((), image_id, captions, _text(example, "prompt"), _text(example, "group"))

    def _find_features(self, features: tfds.features.FeaturesDict) -> None:
        images = [key for key, each in features.items() if isinstance(each, tfds.features.Image)]
        captions = _captions_key(features)
        if not images or captions is None:
            raise UserError(
                f"{self.folder} has the features {', '.join(sorted(features))}; expected an image "
                f"and captions (a feature named {', '.join(CAPTIONS)})."
            )
        self._image, self._captions = images[0], captions
        self._id = next((key for key in IDS if key in features), None)

    def _example(self, index: int) -> Example:
        if not 0 <= index < len(self):
            raise IndexError(f"record {index} of {len(self)} in {self.folder}, {self.split}")
        return tf_example_pb2.Example.FromString(self._examples[index]).features.feature


def _captions_key(features: tfds.features.FeaturesDict) -> str | None:
    """Where the captions are in a tf.Example, in which a dict's name stands before its keys'."""
    stored = features.get_serialized_info()
    for name in CAPTIONS:
        if name in stored and not isinstance(stored[name], dict):
            return name
        for inner in INNER_TEXT:
            if inner in stored.get(name, ()):
                return f"{name}/{inner}"
    return None


def _values(example: Example, key: str) -> Sequence[Any]:
    """All that a feature holds, in a row; nothing where there is no such feature."""
    kind = example[key].WhichOneof("kind") if key in example else None
    return getattr(example[key], kind).value if kind else ()


def _texts(example: Example, key: str) -> list[str]:
    """The same as texts, also where they are numbers."""
    values = _values(example, key)
    return [
        each.decode(errors="replace") if isinstance(each, bytes) else str(each) for each in values
    ]


def _text(example: Example, key: str) -> str:
    """A feature of one text or number."""
    return "".join(_texts(example, key))


def _boxes(example: Example) -> tuple[tuple[Box, ...], ...]:
    """The boxes of each image; TFDS has top, left, bottom, right."""
    boxes, each = (_values(example, key) for key in BOXES)
    rows = np.reshape(boxes, (-1, 4)).tolist()
    row = ((left, top, right, bottom) for top, left, bottom, right in rows)
    return tuple(tuple(islice(row, count)) for count in each)


def _version_folder(rest: str) -> Path:
    """The folder with dataset_info.json: this one, or the only one up to three levels below."""
    folder = existing(rest, "TFDS folder")
    for depth in ("", "*/", "*/*/", "*/*/*/"):
        found = sorted(each.parent for each in folder.glob(f"{depth}dataset_info.json"))
        if len(found) > 1:
            raise UserError(f"{folder} holds several data sets. Name one: {_listed(found)}.")
        if found:
            return found[0]
    raise UserError(
        f"There is no TFDS data set in {folder}: no dataset_info.json, which `prepare` writes "
        f"last. {entries(folder)}"
    )


def _listed(folders: list[Path]) -> str:
    return ", ".join(f"tfds:{folder}" for folder in folders)
