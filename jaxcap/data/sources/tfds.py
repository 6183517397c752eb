"""A prepared TFDS data set with an image and captions: `tfds:DIR`, read without TensorFlow.

DIR is the folder with dataset_info.json, or one above it that holds a single data set. The files
must be in the ArrayRecord format; `prepare` writes such a folder from any other source. As it
writes them, an image may be followed by more of the same record (`image/more`), and by the boxes
of all of them in a row (`boxes`), so many for each (`boxes/each`).
"""

from dataclasses import replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow_datasets as tfds

from jaxcap.data.boxes import Box
from jaxcap.data.record import Record
from jaxcap.data.sources.files import entries, existing, no_split
from jaxcap.errors import UserError

CAPTIONS = ("captions", "caption", "text", "sentences")  # the names that such features go by
INNER_TEXT = ("text", "raw", "caption")  # where a caption is itself a dict, as in coco_captions
MORE, BOXES = "image/more", ("boxes", "boxes/each")  # as `prepare` writes them
IDS = ("image/id", "image_id", "id", "image/filename", "filename")

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
        example = self._all.deserialize_example_np(self._raw(index), decoders=self._decoders)
        images = (example[self._image], *example.get(MORE, ()))
        return replace(self._told(index, example), images=images, boxes=_boxes(example))

    def told(self, index: int) -> Record:
        """The record without its images and boxes."""
        return self._told(index, self._texts.deserialize_example_np(self._raw(index)))

    def _told(self, index: int, example: dict[str, Any]) -> Record:
        image_id = str(index) if self._id is None else _text(example[self._id])
        captions = self._captions_of(example)
        prompt, group = (_text(example.get(key, b"")) for key in ("prompt", "group"))
        return Record((), image_id, captions, prompt, group)

    def _find_features(self, features: tfds.features.FeaturesDict) -> None:
        images = [key for key, each in features.items() if isinstance(each, tfds.features.Image)]
        captions = [key for key in CAPTIONS if key in features]
        if not images or not captions:
            raise UserError(
                f"{self.folder} has the features {', '.join(sorted(features))}; expected an image "
                f"and captions (a feature named {', '.join(CAPTIONS)})."
            )
        self._image, self._captions = images[0], captions[0]
        self._id = next((key for key in IDS if key in features), None)
        wanted = (self._captions, self._id, "prompt", "group")
        texts = {key: each for key, each in features.items() if key in wanted}
        self._texts = tfds.features.FeaturesDict(texts)
        shown = {self._image: features[self._image]}
        shown |= {key: each for key, each in features.items() if key in BOXES}
        # As texts the encoded images are left alone: a decoder cannot be skipped in a sequence.
        shown |= {MORE: tfds.features.Sequence(tfds.features.Text())} if MORE in features else {}
        self._all = tfds.features.FeaturesDict(texts | shown)
        self._decoders = {self._image: tfds.decode.SkipDecoding()}

    def _raw(self, index: int) -> bytes:
        if not 0 <= index < len(self):
            raise IndexError(f"record {index} of {len(self)} in {self.folder}, {self.split}")
        return self._examples[index]

    def _captions_of(self, example: dict[str, Any]) -> tuple[str, ...]:
        captions = example[self._captions]
        if isinstance(captions, dict):
            captions = next(captions[key] for key in INNER_TEXT if key in captions)
        if isinstance(captions, bytes | str):
            captions = (captions,)
        return tuple(_text(caption) for caption in captions)


def _boxes(example: dict[str, Any]) -> tuple[tuple[Box, ...], ...]:
    """The boxes of each image; TFDS has top, left, bottom, right."""
    boxes, each = (example.get(key, ()) for key in BOXES)
    row = ((left, top, right, bottom) for top, left, bottom, right in np.asarray(boxes).tolist())
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


def _text(value: Any) -> str:
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)
