"""What the model is shown of a record: its pixels, or the memory that was kept of them."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from array_record.python.array_record_data_source import ArrayRecordDataSource

from jaxcap.data.frame import Frame
from jaxcap.data.image import ImageError, decode_rgb
from jaxcap.data.record import Source

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Pixels:
    """Photographs, decoded and framed; in training perhaps random parts of them.

    Attributes:
      source: where the photographs are.
      frame: what of them the model is shown.
      crop: the least share of the area that a random part has; 1 shows the same as evaluation.
    """

    source: Source
    frame: Frame
    crop: float = 1.0

    def __call__(self, index: int, rng: np.random.Generator | None = None) -> Arrays:
        """-> image, uint8 [1, size, size, 3], and present [1].

        With `rng` it is a random part of the photograph (see `Frame.random_part`).

        Raises:
          ImageError: see `decode_rgb` and `Frame`.
        """
        image = decode_rgb(self.source[index].image)
        if rng is None or self.crop >= 1.0:
            pixels = self.frame(image)
        else:
            pixels = self.frame.random_part(image, self.crop, rng)
        return {"image": pixels[None], "present": np.ones(1, bool)}

    def blank(self) -> Arrays:
        """A view of nothing, in the place of a photograph that cannot be read."""
        side = self.frame.image_size
        return {"image": np.zeros((1, side, side, 3), np.uint8), "present": np.zeros(1, bool)}


@dataclass(frozen=True)
class Memories:
    """Memories of a frozen encoder, one record each in the order of the source.

    Attributes:
      files: ArrayRecord shards of them.
      shape: of the memory of a record: [1, S, D], or [1, h, w, D] where it is a map.
      dtype: of the memory.
    """

    files: tuple[str, ...]
    shape: tuple[int, ...]
    dtype: str

    def __call__(self, index: int, rng: np.random.Generator | None = None) -> Arrays:
        """-> memory and present [1]; there is only the one view, whatever the `rng`.

        Raises:
          ImageError: the photograph could not be read when it was to be encoded.
        """
        (data,) = _open(self.files).__getitems__([index])
        if not data:
            raise ImageError(f"image {index} could not be read when its memory was to be kept")
        memory = np.frombuffer(data, self.dtype).reshape(self.shape)
        return {"memory": memory, "present": np.ones(1, bool)}

    def blank(self) -> Arrays:
        """A memory of nothing."""
        return {"memory": np.zeros(self.shape, self.dtype), "present": np.zeros(1, bool)}


@lru_cache(maxsize=8)
def _open(files: tuple[str, ...]) -> ArrayRecordDataSource:
    """One reader a process (its threads do not survive a pickle)."""
    return ArrayRecordDataSource(files)
