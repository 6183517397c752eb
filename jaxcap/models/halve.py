"""A stage that reads neighbours together: a convolution, and a fourth of the cells are left."""

import flax.linen as nn

from jaxcap.models.memory import Memory, from_grid
from jaxcap.models.shown import Shown


class Halve(nn.Module):
    """Every second cell of each side, and with it all cells that touch it.

    For cells that say little one by one, such as the codes of a discrete VAE: a captioner that
    must first learn which of 256 belong together, by attention, learns many times slower.

    Attributes:
      width: of the cells that are left.
    """

    width: int = 64
    dtype: str = "float32"

    @nn.compact
    def __call__(self, memory: Memory, shown: Shown, train: bool = False) -> Memory:
        conv = nn.Conv(self.width, (3, 3), strides=2, dtype=self.dtype, name="conv_0")
        return from_grid(conv(memory.as_map().astype(self.dtype)))
