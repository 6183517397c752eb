"""Any convolutional network as an encoder: its last feature map is the memory."""

import flax.linen as nn
from jaxtyping import Array, UInt8

from jaxcap.models.memory import Memory, from_grid
from jaxcap.models.pixels import normalize


class GridEncoder(nn.Module):
    """A CNN behind the normalisation that it was trained with, cell by cell as memory.

    Attributes:
      network: image [B, h, w, 3] -> feature map [B, h', w', D].
      mean, std: of each channel, in units of 255.
    """

    network: nn.Module
    mean: tuple[float, ...]
    std: tuple[float, ...]

    def __call__(self, image: UInt8[Array, "B h w 3"], train: bool = False) -> Memory:
        """Its statistics stay as they were trained: the batches of captioning are too small."""
        return from_grid(self.network(normalize(image, self.mean, self.std)))
