"""A stage that reads neighbours together: a convolution, and a fourth of the cells are left."""

import flax.linen as nn

from jaxcap.errors import UserError
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
        rows, columns = memory.grid or (0, 0)
        B, S, D = memory.tokens.shape
        if rows * columns != S:
            raise UserError(
                f"The halving stage reads a map of cells, and the encoder gives {S} tokens, a map "
                f"of {rows} x {columns}. Choose an encoder of cells alone, or no model.stage."
            )
        x = memory.tokens.astype(self.dtype).reshape(B, rows, columns, D)
        conv = nn.Conv(self.width, (3, 3), strides=2, dtype=self.dtype, name="conv_0")
        return from_grid(conv(x))
