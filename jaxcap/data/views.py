"""What the model is shown of a record: pixels, features of regions, or a memory that was kept."""

from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
from array_record.python.array_record_data_source import ArrayRecordDataSource

from jaxcap.data.image import ImageError, decode_rgb
from jaxcap.data.parts import decode_for_part
from jaxcap.data.record import Source
from jaxcap.data.regions import features_of
from jaxcap.data.showing import Arrays, Showing, in_slots


@dataclass(frozen=True)
class Pixels:
    """Photographs, decoded and framed; in training perhaps random parts of them.

    Attributes:
      source: where the photographs are.
      showing: what of them the model is shown.
    """

    source: Source
    showing: Showing

    def __call__(self, index: int, rng: np.random.Generator | None = None) -> Arrays:
        """-> see `Showing.photographs`.

        Raises:
          ImageError: see `decode_rgb` and `Showing.photographs`.
          UserError: the record has too many images.
        """
        record = self.source[index]
        parts = rng is not None and self.showing.crop < 1
        decode = decode_for_part if parts and self.showing.fast else decode_rgb
        pictures = [decode(image) for image in record.images]
        name = f"The record {record.image_id} of {self.source.name}"
        return self.showing.photographs(name, pictures, record.boxes, rng)

    def blank(self) -> Arrays:
        """A view of nothing, in the place of a photograph that cannot be read."""
        return self.showing.blank()


@dataclass(frozen=True)
class Regions:
    """Precomputed features of regions (see `jaxcap.data.regions`); no photograph is read.

    Attributes:
      source: whose images they are of.
      showing: what of them the model is shown.
      path: where they are.
    """

    source: Source
    showing: Showing
    path: Path

    def __call__(self, index: int, rng: np.random.Generator | None = None) -> Arrays:
        """-> see `Showing.region_features`; there is only the one view, whatever the `rng`.

        Raises:
          ImageError: an image has no features, or others than were expected.
          UserError: the record has too many images.
        """
        name = self.source.told(index).image_id
        images = name.split("+") if self.showing.images > 1 else [name]
        found = [features_of(self.path, image, self.showing.features) for image in images]
        return self.showing.region_features(f"The record {name} of {self.source.name}", found)

    def blank(self) -> Arrays:
        """Features of nothing."""
        return self.showing.blank()


@dataclass(frozen=True)
class Memories:
    """Memories of a frozen encoder, one record each in the order of the source.

    Attributes:
      files: ArrayRecord shards of them; a record has a row for each of its images.
      row: what is kept of an image (see `kept_row`).
      images: N, of a record at most.
    """

    files: tuple[str, ...]
    row: np.dtype
    images: int

    def __call__(self, index: int, rng: np.random.Generator | None = None) -> Arrays:
        """-> memory, what was kept beside it, and present, each with an axis of N.

        There is only the one view, whatever the `rng`.

        Raises:
          ImageError: the photograph could not be shown when it was to be encoded.
        """
        (data,) = _open(self.files).__getitems__([index])
        if not data:
            raise ImageError(
                "could not be shown when its memory was to be kept: once it can, delete "
                f"{Path(self.files[0]).parent}, and all are encoded anew"
            )
        rows = np.frombuffer(data, self.row)
        return in_slots(
            f"record {index}", [_fields(row) for row in rows], self._nothing(), self.images
        )

    def blank(self) -> Arrays:
        """A memory of nothing."""
        return in_slots("", [], self._nothing(), self.images)

    def _nothing(self) -> Arrays:
        return _fields(np.zeros((), self.row))


def kept_row(shape: tuple[int, ...], dtype: str, extra: int, regions: int) -> np.dtype:
    """What is kept of an image, by the names of `jaxcap.models.shown.Shown`.

    Args:
      shape: of its memory, [h, w, D] or [S, D].
      dtype: of its memory.
      extra: tokens before the map; 0 if there are none.
      regions: R, of which the boxes are kept; 0 if it has none.
    """
    before = [("extra", dtype, (extra, shape[-1]))] if extra else []
    boxes = [("boxes", "f4", (regions, 4)), ("real", "?", (regions,))] if regions else []
    return np.dtype([*before, ("memory", dtype, shape), *boxes])


def _fields(row: np.ndarray | np.void) -> Arrays:
    return {name: row[name] for name in row.dtype.names or ()}


@lru_cache(maxsize=8)
def _open(files: tuple[str, ...]) -> ArrayRecordDataSource:
    """One reader a process (its threads do not survive a pickle)."""
    return ArrayRecordDataSource(files)
