"""What the model is shown of a record: one image or several, as pixels or in their place."""

from collections.abc import Mapping
from dataclasses import fields

import flax.struct
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Shaped, UInt8

from jaxcap.errors import UserError
from jaxcap.models.memory import Memory, from_grid


class Shown(flax.struct.PyTreeNode):
    """What is shown of B records of N images each; nearly always N is 1.

    Attributes:
      present: False where a record has fewer images.
      image: their pixels; or, in the place of pixels,
      memory: what an encoder made of them before: a map [h, w, D], or tokens [S, D] of no map;
      extra: and its tokens before the map, if it has any, such as a class token; or
      features: precomputed features of their regions.
      boxes: left, top, right and bottom of R regions, in shares of the image's sides.
      real: False where an image has fewer regions.
    """

    present: Bool[Array, "B N"]
    image: UInt8[Array, "B N h w 3"] | None = None
    memory: Float[Array, "B N *S D"] | None = None
    extra: Float[Array, "B N E D"] | None = None
    features: Float[Array, "B N R D"] | None = None
    boxes: Float[Array, "B N R 4"] | None = None
    real: Bool[Array, "B N R"] | None = None

    @classmethod
    def of(cls, batch: Mapping[str, Array]) -> "Shown":
        """What a batch shows, by the names of the fields."""
        return cls(**{f.name: batch[f.name] for f in fields(cls) if f.name in batch})

    @classmethod
    def blank(cls, size: int, images: int = 1, regions: int = 0, features: int = 0) -> "Shown":
        """One record of nothing.

        Args:
          size: pixels a side of an image.
          images: N.
          regions: R; 0 shows no boxes.
          features: D, where the regions are shown by their features and not by pixels; else 0.
        """
        here = (1, images)
        pixels, each = (*here, size, size, 3), (*here, regions, features)
        return cls(
            present=jnp.zeros(here, bool),
            image=None if features else jnp.zeros(pixels, jnp.uint8),
            features=jnp.zeros(each, jnp.float32) if features else None,
            boxes=jnp.zeros((*here, regions, 4), jnp.float32) if regions else None,
            real=jnp.zeros((*here, regions), bool) if regions else None,
        )

    def images(self) -> UInt8[Array, "BN h w 3"]:
        """The pixels of all images of all records."""
        assert self.image is not None
        return _of_images(self.image)

    def regions(self) -> tuple[Float[Array, "BN R 4"], Bool[Array, "BN R"]]:
        """The boxes of each image, and which of them are real.

        Raises:
          UserError: the records carry none.
        """
        if self.boxes is None or self.real is None:
            raise UserError(
                "This captioner looks at regions, and is shown no boxes. Set data.regions to how "
                "many an image has at most, with a source whose records carry boxes."
            )
        return _of_images(self.boxes), _of_images(self.real)

    def kept(self) -> Memory | None:
        """The memory of each image, [B * N, S, D], if there is one before any encoder sees it."""
        if self.features is not None:
            boxes, real = self.regions()
            return Memory(_of_images(self.features), real, boxes)
        if self.memory is None:
            return None
        memory = _of_images(self.memory)
        if memory.ndim == 4:
            return from_grid(memory, None if self.extra is None else _of_images(self.extra))
        return Memory(memory, jnp.ones(memory.shape[:2], bool))


def to_keep(memory: Memory) -> dict[str, Float[Array, "BN *S D"]]:
    """The fields of `Shown` that give an encoder's memory of B * N images again: see `kept`."""
    if memory.grid is None:
        return {"memory": memory.tokens}
    rows, columns = memory.grid
    extra = memory.tokens.shape[1] - rows * columns
    cells = memory.tokens[:, extra:].reshape(-1, rows, columns, memory.tokens.shape[2])
    return {"memory": cells, **({"extra": memory.tokens[:, :extra]} if extra else {})}


def _of_images(x: Shaped[Array, "B N *S"]) -> Shaped[Array, "BN *S"]:
    """The axes of records and of their images as one."""
    return x.reshape(-1, *x.shape[2:])
