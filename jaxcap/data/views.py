"""What the model is shown of a record: its pixels, or the memory that was kept of them."""

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from array_record.python.array_record_data_source import ArrayRecordDataSource
from jaxtyping import UInt8

from jaxcap.data.image import ImageError, decode_rgb, resize
from jaxcap.data.record import Source

Arrays = dict[str, np.ndarray]


def pixels(data: bytes, size: int) -> UInt8[np.ndarray, "{size} {size} 3"]:
    """A photograph as the encoders take it: RGB, the whole of it squeezed into a square.

    Nothing is cut off, because captions speak of what stands at the edges too.

    Raises:
      ImageError: see `decode_rgb`.
    """
    return np.asarray(resize(decode_rgb(data), size, size))


@dataclass(frozen=True)
class Pixels:
    """Photographs, decoded and squeezed into a square; in training perhaps a random crop of them.

    Attributes:
      source: where the photographs are.
      size: pixels a side.
      crop: the least share of the area that a random crop keeps. Crops are never mirrored or
        turned: captions know left from right.
    """

    source: Source
    size: int
    crop: float = 1.0

    def __call__(self, index: int, rng: np.random.Generator | None = None) -> Arrays:
        """{"image": uint8 [size, size, 3]}; cropped at random if there is an `rng`.

        Raises:
          ImageError: see `decode_rgb`.
        """
        data = self.source[index].image
        if rng is None or self.crop >= 1.0:
            return {"image": pixels(data, self.size)}
        image = decode_rgb(data)
        side = np.sqrt(rng.uniform(self.crop, 1.0))
        width, height = (max(1, round(side * length)) for length in image.size)
        left = int(rng.integers(image.width - width + 1))
        top = int(rng.integers(image.height - height + 1))
        part = image.crop((left, top, left + width, top + height))
        return {"image": np.asarray(resize(part, self.size, self.size))}

    def blank(self) -> Arrays:
        """A view of nothing, in the place of a photograph that cannot be read."""
        return {"image": np.zeros((self.size, self.size, 3), np.uint8)}


@dataclass(frozen=True)
class Memories:
    """Memories of a frozen encoder, one record each in the order of the source."""

    files: tuple[str, ...]
    shape: tuple[int, int]
    dtype: str

    def __call__(self, index: int, rng: np.random.Generator | None = None) -> Arrays:
        """{"memory": [S, D]}; there is only the one view, whatever the `rng`.

        Raises:
          ImageError: the photograph could not be read when it was to be encoded.
        """
        (data,) = _open(self.files).__getitems__([index])
        if not data:
            raise ImageError(f"image {index} could not be read when its memory was to be kept")
        return {"memory": np.frombuffer(data, self.dtype).reshape(self.shape)}

    def blank(self) -> Arrays:
        """A memory of nothing."""
        return {"memory": np.zeros(self.shape, self.dtype)}


@lru_cache(maxsize=8)
def _open(files: tuple[str, ...]) -> ArrayRecordDataSource:
    """One reader a process (its threads do not survive a pickle)."""
    return ArrayRecordDataSource(files)
