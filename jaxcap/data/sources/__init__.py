"""A data source is one string everywhere: its kind, a colon, and what the kind needs.

shapes                    pictures drawn from a seed (jaxcap.data.sources.shapes)
shapes_pairs              two of them, before and after a change (jaxcap.data.sources.shapes_pairs)
flickr8k:DIR              Flickr8k as distributed
karpathy:JSON,IMAGES      dataset_coco.json, dataset_flickr30k.json, dataset_flickr8k.json
coco:JSON,IMAGES          captions_train2017.json and its like
csv:FILE  jsonl:FILE      a table of images and captions
tfds:DIR                  a prepared TFDS data set, such as `prepare` writes
list:FILE                 paths of images, to be captioned
array_record:GLOB         encoded images, to be captioned
"""

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from jaxcap.data.record import Source
from jaxcap.data.sources.coco import coco_splits, open_coco
from jaxcap.data.sources.flickr8k import flickr8k_splits, open_flickr8k
from jaxcap.data.sources.images import ALL, ListedImages, RecordedImages
from jaxcap.data.sources.karpathy import karpathy_splits, open_karpathy
from jaxcap.data.sources.shapes import Shapes
from jaxcap.data.sources.shapes_pairs import ShapesPairs
from jaxcap.data.sources.table import csv_rows, jsonl_rows, open_table, table_splits
from jaxcap.data.sources.tfds import Tfds, tfds_splits
from jaxcap.errors import UserError, did_you_mean


class Kind(NamedTuple):
    """One kind of source.

    Attributes:
      needs: what stands after the colon, as messages write it; empty where nothing must.
      open: (what stood there, split) -> Source.
      splits: what stood there -> the names of the splits that together are the whole.
    """

    needs: str
    open: Callable[[str, str], Source]
    splits: Callable[[str], tuple[str, ...]]


SOURCES = {
    "shapes": Kind("", Shapes.open, lambda rest: tuple(Shapes.splits)),
    "shapes_pairs": Kind("", ShapesPairs.open, lambda rest: tuple(ShapesPairs.splits)),
    "flickr8k": Kind("DIR", open_flickr8k, flickr8k_splits),
    "karpathy": Kind("JSON,IMAGES", open_karpathy, karpathy_splits),
    "coco": Kind("JSON,IMAGES", open_coco, coco_splits),
    "csv": Kind("FILE", partial(open_table, csv_rows), partial(table_splits, csv_rows)),
    "jsonl": Kind("FILE", partial(open_table, jsonl_rows), partial(table_splits, jsonl_rows)),
    "tfds": Kind("DIR", Tfds.open, tfds_splits),
    "list": Kind("FILE", ListedImages.open, lambda rest: (ALL,)),
    "array_record": Kind("GLOB", RecordedImages, lambda rest: (ALL,)),
}


def open_source(spec: str, split: str) -> Source:
    """The split of the data set that `spec` names.

    Raises:
      UserError: an unknown kind or split, a missing argument, file or folder.
    """
    kind, rest = _parse(spec)
    return kind.open(rest, split)


def source_splits(spec: str) -> tuple[str, ...]:
    """The names of the splits that together are the whole data set."""
    kind, rest = _parse(spec)
    return kind.splits(rest)


def _parse(spec: str) -> tuple[Kind, str]:
    name, _, rest = spec.partition(":")
    if name not in SOURCES:
        raise UserError(f"There is no data source {name!r}. {did_you_mean(name, SOURCES)}")
    kind = SOURCES[name]
    if kind.needs and not rest:
        raise UserError(f"The data source {spec!r} lacks its place. Write {name}:{kind.needs}.")
    return kind, rest
