"""What the model is shown of a record: one image or several, as pixels or as kept memories."""

from collections.abc import Mapping
from dataclasses import fields

import flax.struct
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, UInt8

from jaxcap.errors import UserError
from jaxcap.models.memory import Memory, from_grid


class Shown(flax.struct.PyTreeNode):
    """What is shown of B records of N images each; nearly always N is 1.

    Attributes:
      present: False where a record has fewer images.
      image: their pixels; or, in the place of pixels,
      memory: what an encoder made of them before, or precomputed features of regions: tokens
        [S, D], or a map [h, w, D].
      boxes: left, top, right and bottom of R regions, in shares of the image's sides.
      real: False where an image has fewer regions, or fewer tokens in `memory`.
    """

    present: Bool[Array, "B N"]
    image: UInt8[Array, "B N h w 3"] | None = None
    memory: Float[Array, "B N *S D"] | None = None
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
        pixels, memory = (*here, size, size, 3), (*here, regions, features)
        return cls(
            present=jnp.zeros(here, bool),
            image=None if features else jnp.zeros(pixels, jnp.uint8),
            memory=jnp.zeros(memory, jnp.float32) if features else None,
            boxes=jnp.zeros((*here, regions, 4), jnp.float32) if regions else None,
            real=jnp.zeros((*here, regions), bool) if regions else None,
        )

    def images(self) -> UInt8[Array, "BN h w 3"]:
        """The pixels of all images of all records."""
        assert self.image is not None
        return self.image.reshape(-1, *self.image.shape[2:])

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
        R = self.real.shape[2]
        return self.boxes.reshape(-1, R, 4), self.real.reshape(-1, R)

    def kept(self) -> Memory | None:
        """The memory of each image, [B * N, S, D], if it was kept."""
        if self.memory is None:
            return None
        tokens = self.memory.reshape(-1, *self.memory.shape[2:])
        if tokens.ndim == 4:
            return from_grid(tokens)
        mask = jnp.ones(tokens.shape[:2], bool) if self.real is None else self.real
        boxes = None if self.boxes is None else self.boxes.reshape(*tokens.shape[:2], 4)
        return Memory(tokens, mask.reshape(tokens.shape[:2]), boxes)
