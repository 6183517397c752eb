"""Photographs with their captions: the shape that every data source gives."""

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

from jaxcap.data.boxes import Box


@dataclass(frozen=True)
class Record:
    """An image, or several that belong together, and what people said of it.

    Attributes:
      images: the encoded files (JPEG, PNG, ...), not yet decoded.
      image_id: unique within the split; the id in predictions.json.
      captions: the references, in the order of the source, without the prompt.
      prompt: words that the captioner is given as the beginning of its caption; usually none.
      group: the part of the split that the record belongs to; scores are also given per group.
      boxes: around the regions of each image, in shares of its sides and in the order of the
        source; empty where the source tells of no regions.
    """

    images: tuple[bytes, ...]
    image_id: str
    captions: tuple[str, ...]
    prompt: str = ""
    group: str = ""
    boxes: tuple[tuple[Box, ...], ...] = ()


@runtime_checkable
class Source(Protocol):
    """One split of a data set: a sequence of records, picklable, read by index in any order.

    Attributes:
      name: the data set, as the protocol signature of a score names it ("flickr8k").
      split: the split ("train", "val", "test", ...).
      prompts: every prompt that its records may carry, or that its captions may begin with;
        each is one special token to the tokenizer.
    """

    name: str
    split: str
    prompts: tuple[str, ...]

    def __len__(self) -> int: ...

    def __getitem__(self, index: int) -> Record:
        """The record, its images read from the disk now; ImageError where that fails."""
        ...

    def told(self, index: int) -> Record:
        """The record without its images and boxes: of most sources no image is read."""
        ...
