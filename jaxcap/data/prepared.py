"""The TFDS data set that `prepare` writes: its features, its file names, its metadata."""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

import numpy as np
import tensorflow_datasets as tfds
from jaxtyping import Float
from tensorflow_datasets.core.example_serializer import ExampleSerializer

from jaxcap.data.boxes import Box
from jaxcap.data.record import Record

VERSION = "1.0.0"
FORMAT = "array_record"
FEATURES = tfds.features.FeaturesDict(
    {
        "image": tfds.features.Image(encoding_format="jpeg"),
        "image/id": tfds.features.Text(),
        "image/more": tfds.features.Sequence(tfds.features.Image(encoding_format="jpeg")),
        "boxes": tfds.features.Sequence(tfds.features.BBoxFeature()),  # of all images, in a row
        "boxes/each": tfds.features.Sequence(tfds.features.Scalar(np.int64)),  # of each image
        "captions": tfds.features.Sequence(tfds.features.Text()),
        "prompt": tfds.features.Text(),
        "group": tfds.features.Text(),
    }
)
_SERIALIZER = ExampleSerializer(FEATURES.get_serialized_info())


def dataset_name(name: str) -> str:
    """A name of a data set as TFDS allows it: lower case, digits and _, a letter first."""
    name = re.sub(r"[^a-z0-9_]", "_", name.lower()).strip("_")
    return name if name[:1].isalpha() else f"data_{name}"


def shard_file(name: str, split: str, shard: int, shards: int) -> str:
    """The name of one file of a split."""
    return f"{name}-{split}.{FORMAT}-{shard:05d}-of-{shards:05d}"


def serialize(record: Record) -> bytes:
    """A record as the tf.Example that TFDS reads."""
    example = _SERIALIZER.get_tf_example(
        {
            "image": record.images[0],
            "image/id": record.image_id,
            "image/more": list(record.images[1:]),
            "boxes": _bboxes([box for boxes in record.boxes for box in boxes]),
            "boxes/each": np.array([len(boxes) for boxes in record.boxes], np.int64),
            "captions": list(record.captions),
            "prompt": record.prompt,
            "group": record.group,
        }
    )
    # TFDS' own serialize_example leaves the order of the features to each process's hash seed.
    return example.SerializeToString(deterministic=True)


def write_metadata(
    folder: Path,
    name: str,
    splits: Mapping[str, tuple[list[int], int]],
    prompts: Iterable[str],
    description: str,
) -> None:
    """Writes features.json, metadata.json and, last, dataset_info.json.

    Args:
      folder: where the shards lie.
      name: as `dataset_name` gives it.
      splits: the lengths of the shards and the bytes of them all, by split.
      prompts: those of the source.
      description: for people.
    """
    identity = tfds.core.dataset_info.DatasetIdentity(
        name=name, version=tfds.core.Version(VERSION), data_dir=str(folder), module_name=""
    )
    info = tfds.core.DatasetInfo(
        builder=identity,
        description=description,
        features=FEATURES,
        disable_shuffling=True,
        metadata=tfds.core.MetadataDict(prompts=list(prompts)),
    )
    info.set_file_format(FORMAT)
    info.set_splits(
        tfds.core.splits.SplitDict(
            [
                tfds.core.SplitInfo(
                    name=split,
                    shard_lengths=lengths,
                    num_bytes=size,
                    filename_template=tfds.core.ShardedFileTemplate(
                        data_dir=folder, dataset_name=name, split=split, filetype_suffix=FORMAT
                    ),
                )
                for split, (lengths, size) in splits.items()
            ]
        )
    )
    info.write_to_directory(folder)


def _bboxes(boxes: list[Box]) -> Float[np.ndarray, "R 4"]:
    """In the order of TFDS: top, left, bottom, right."""
    return np.array(boxes, np.float32).reshape(-1, 4)[:, [1, 0, 3, 2]]
