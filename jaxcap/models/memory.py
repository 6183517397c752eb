"""What every encoder returns, whatever it is: tokens to attend to, and which of them are real."""

import flax.struct
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float


class Memory(flax.struct.PyTreeNode):
    """The image as a row of tokens.

    Attributes:
      tokens: one vector per patch, grid cell, region or visual word.
      mask: True where the token is real.
    """

    tokens: Float[Array, "B S D"]
    mask: Bool[Array, "B S"]


def from_grid(grid: Float[Array, "B h w D"]) -> Memory:
    """A feature map as a memory, row by row; every cell is real."""
    batch, height, width, depth = grid.shape
    return Memory(
        tokens=grid.reshape(batch, height * width, depth),
        mask=jnp.ones((batch, height * width), bool),
    )
