"""The square of pixels that the model is shown of a photograph."""

import math
from dataclasses import dataclass, fields
from typing import Literal, get_args

import numpy as np
from jaxtyping import Bool, Float, UInt8
from ml_collections import ConfigDict
from PIL import Image

from jaxcap.data.image import MAX_PIXELS, ImageError, Method, resize
from jaxcap.data.parts import Part, Picture, resized_part
from jaxcap.errors import UserError

Fit = Literal["squeeze", "short"]

MAX_SIDE = math.isqrt(MAX_PIXELS)


@dataclass(frozen=True)
class Frame:
    """How a photograph becomes a square: it is resized, then its middle is kept.

    The fields are those of `config.data`. They can say whatever the image processors of
    Transformers do that end in a square (see `jaxcap.interop.preprocessor`).

    Attributes:
      image_size: pixels a side of the square.
      fit: "squeeze" makes the whole photograph a square of `resize` pixels a side: captions speak
        of what stands at its edges too. "short" keeps its proportions and gives its short side
        `resize` pixels.
      resize: of a side that then has more than `image_size` pixels the middle is kept, and one
        that has less is filled up with black. 0 is `image_size`; so equal frames are equal.
      resample: the filter.
    """

    image_size: int
    fit: Fit = "squeeze"
    resize: int = 0
    resample: Method = "bicubic"

    def __post_init__(self) -> None:
        if self.resize == self.image_size:
            object.__setattr__(self, "resize", 0)

    @classmethod
    def of(cls, data: ConfigDict) -> "Frame":
        """The frame that `config.data` describes.

        Raises:
          UserError: a field is out of range.
        """
        checks = {
            "image_size": (1 <= data.image_size <= MAX_SIDE, f"from 1 to {MAX_SIDE}"),
            "fit": (data.fit in get_args(Fit), f"one of {', '.join(get_args(Fit))}"),
            "resize": (0 <= data.resize <= MAX_SIDE, f"0 (image_size) to {MAX_SIDE}"),
            "resample": (
                data.resample in get_args(Method),
                f"one of {', '.join(get_args(Method))}",
            ),
        }
        for name, (fine, expected) in checks.items():
            if not fine:
                raise UserError(f"data.{name} is {data[name]!r}; expected {expected}.")
        return cls(**{field.name: data[field.name] for field in fields(cls)})

    @property
    def side(self) -> int:
        """Pixels a side before the middle is cut out."""
        return self.resize or self.image_size

    def __call__(
        self, image: Picture, part: Part | None = None
    ) -> UInt8[np.ndarray, "{self.image_size} {self.image_size} 3"]:
        """The square of an RGB picture, or of a part of it (see `random_part`).

        Raises:
          ImageError: it is so long and thin that it would have more than MAX_PIXELS pixels when
            its short side has as many as it should.
        """
        if part is not None:
            return resized_part(image, part, self.image_size, self.resample)
        assert isinstance(image, Image.Image)
        width, height = self._resized(image.size)
        if width * height > MAX_PIXELS:
            raise ImageError(
                f"has {image.width} x {image.height} pixels, too long and thin to be resized to "
                f"{width} x {height}; at most {MAX_PIXELS:,} do"
            )
        middle = self._middle(width, height)  # black where beyond
        return np.asarray(resize(image, height, width, self.resample).crop(middle))

    def cut(self, image: Image.Image) -> Image.Image:
        """What the square shows of a picture, in the picture's own pixels and proportions.

        Shares of the sides of both are the same places.
        """
        left, top, right, bottom = np.rint(self.window(image.size) * (*image.size, *image.size))
        return image.crop((int(left), int(top), int(right), int(bottom)))  # black where beyond

    def random_part(self, size: tuple[int, int], share: float, rng: np.random.Generator) -> Part:
        """A random part of a picture, to be shown in the place of its middle.

        The part has the picture's proportions where `fit` squeezes, and is a square where it does
        not, so that things keep the shape that they have in the middle. It is never mirrored or
        turned: captions know left from right.

        Args:
          size: width and height of the whole picture.
          share: the least area of the part, as a share of the largest that it could have.
          rng: draws its size, then its place.
        """
        largest = size if self.fit == "squeeze" else (min(size), min(size))
        side = np.sqrt(rng.uniform(share, 1.0))
        width, height = (max(1, round(side * length)) for length in largest)
        left = int(rng.integers(size[0] - width + 1))
        top = int(rng.integers(size[1] - height + 1))
        return left, top, left + width, top + height

    def boxes(
        self, boxes: Float[np.ndarray, "R 4"], size: tuple[int, int], part: Part | None = None
    ) -> tuple[Float[np.ndarray, "R 4"], Bool[np.ndarray, " R"]]:
        """Where boxes of a picture are in its square, or in that of a part of it.

        Args:
          boxes: in shares of the picture's sides.
          size: its width and height.
          part: that is shown.

        Returns:
          The boxes in shares of the square, cut off at its edges; and True where something of the
          box is in the square (the others are zeros).
        """
        shown = self.window(size) if part is None else np.array(part) / (*size, *size)
        corners = shown.reshape(2, 2)
        inside = (boxes.reshape(-1, 2, 2) - corners[0]) / (corners[1] - corners[0])
        inside = np.clip(inside, 0, 1)
        real = (inside[:, 1] > inside[:, 0]).all(axis=-1)
        return np.where(real[:, None], inside.reshape(-1, 4), 0), real

    def window(self, size: tuple[int, int]) -> Float[np.ndarray, "4"]:
        """The middle, in shares of the sides of a picture of this width and height."""
        width, height = self._resized(size)
        return np.array(self._middle(width, height)) / (width, height, width, height)

    def _resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """Width and height before the middle is cut out."""
        if self.fit == "squeeze":
            return self.side, self.side
        return self.side * size[0] // min(size), self.side * size[1] // min(size)

    def _middle(self, width: int, height: int) -> Part:
        left, top = (width - self.image_size) // 2, (height - self.image_size) // 2
        return left, top, left + self.image_size, top + self.image_size
