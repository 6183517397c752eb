"""Any convolutional network as an encoder: its last feature map is the memory."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, UInt8

from jaxcap.models.memory import Memory, from_grid


class GridEncoder(nn.Module):
    """A CNN behind its own normalisation, `(pixel - mean) / std`, cell by cell as memory.

    Attributes:
      network: image [B, h, w, 3] -> feature map [B, h', w', D].
      mean, std: the normalisation that the network was trained with, in pixel units.
    """

    network: nn.Module
    mean: float
    std: float

    def __call__(self, image: UInt8[Array, "B h w 3"], train: bool = False) -> Memory:
        """Its statistics stay as they were trained: the batches of captioning are too small."""
        return from_grid(self.network((image.astype(jnp.float32) - self.mean) / self.std))
