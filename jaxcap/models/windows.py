"""Attention within windows of a map, and how a map is cut into them (Swin Transformer)."""

from functools import cache
from typing import NamedTuple

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxcap.models.attention import BLOCKED, Attention, attend_memory
from jaxcap.models.blocks import Mlp, Residual, Style
from jaxcap.models.places import cell_distances


class WindowBlock(nn.Module):
    """Transformer layer over a map whose cells see those of their own window.

    Attributes:
      heads, mlp_width: H, F.
      window: side of a window in cells. On a map that is no larger its side is the shorter one of
        the map, and it is not shifted.
      shifted: the windows lie half a window further down and to the right, so that cells meet
        that the layer before kept apart.
      style: see `jaxcap.models.blocks.Style`.
    """

    heads: int
    mlp_width: int
    window: int
    shifted: bool
    style: Style

    @nn.compact
    def __call__(self, x: Float[Array, "B h w D"], train: bool) -> Float[Array, "B h w D"]:
        around = Residual(self.style, name="attention_residual")
        x = around.leave(x, self._attended(around.enter(x)), train)
        around = Residual(self.style, name="mlp_residual")
        y = Mlp(self.mlp_width, self.style, name="mlp")(around.enter(x), train)
        return around.leave(x, y, train)

    def _attended(self, x: Float[Array, "B h w D"]) -> Float[Array, "B h w D"]:
        attention = Attention(self.heads, self.style.dtype, self.style.biases, name="attention")
        windows = Windows.of(x, self.window, self.shifted)
        x = windows.cut(x)
        span = (2 * self.window - 1) ** 2
        table = self.param("distances", nn.initializers.normal(0.02), (span, self.heads))
        bias = windows.bias(table, self.window)
        x = attend_memory(attention.queries(x), attention.keys_values(x), None, bias)
        return windows.joined(attention.merge(x))


class Windows(NamedTuple):
    """How a map is cut into windows.

    Attributes:
      rows, columns: of the map.
      side: of a window, in cells.
      shift: the windows lie so many cells further down and to the right.
    """

    rows: int
    columns: int
    side: int
    shift: int

    @classmethod
    def of(cls, x: Float[Array, "B h w D"], side: int, shifted: bool) -> "Windows":
        """Those of a map, shifted by half a window or not; see `WindowBlock` for small maps."""
        rows, columns = x.shape[1:3]
        if side < min(rows, columns):
            return cls(rows, columns, side, side // 2 if shifted else 0)
        return cls(rows, columns, min(rows, columns), 0)

    def cut(self, x: Float[Array, "B h w D"]) -> Float[Array, "B W N D"]:
        """The W windows with their N = side x side cells, both row by row; zeros past the map."""
        x = jnp.roll(pad_to_multiple(x, self.side), (-self.shift, -self.shift), (1, 2))
        B, rows, columns, D = x.shape
        x = x.reshape(B, rows // self.side, self.side, columns // self.side, self.side, D)
        return x.swapaxes(2, 3).reshape(B, -1, self.side**2, D)

    def joined(self, x: Float[Array, "B W N D"]) -> Float[Array, "B h w D"]:
        """The map of these windows; the opposite of `cut`."""
        B, _, _, D = x.shape
        rows, columns = self._padded
        x = x.reshape(B, rows // self.side, columns // self.side, self.side, self.side, D)
        x = x.swapaxes(2, 3).reshape(B, rows, columns, D)
        x = jnp.roll(x, (self.shift, self.shift), (1, 2))
        return x[:, : self.rows, : self.columns]

    def bias(self, table: Float[Array, "P H"], reach: int) -> Float[Array, "1 #W H N N"]:
        """What each head adds to the score of two cells of a window, by how far apart they are.

        Those that only shifting brought together do not see each other.

        Args:
          table: for each distance within a window of `reach` cells a side, no fewer than these.
        """
        near = cell_distances((self.side, self.side), (reach, reach))
        bias = jnp.moveaxis(table[near], -1, 0)[None, None]
        if not self.shift:
            return bias
        together = jnp.asarray(neighbours(*self._padded, self.side, self.shift))
        return jnp.where(together[None, :, None], bias, BLOCKED)

    @property
    def _padded(self) -> tuple[int, int]:
        """Rows and columns of whole windows."""
        down, across = (-(-size // self.side) * self.side for size in (self.rows, self.columns))
        return down, across


def pad_to_multiple(x: Float[Array, "B h w D"], side: int) -> Float[Array, "B h2 w2 D"]:
    """Zeros at the lower and the right edge, until the side divides height and width."""
    after = [(0, -size % side) for size in x.shape[1:3]]
    return jnp.pad(x, ((0, 0), *after, (0, 0)))


@cache
def neighbours(rows: int, columns: int, side: int, shift: int) -> Bool[np.ndarray, "W N N"]:
    """Which cells of a window of the shifted map may see each other.

    Shifting brings the first rows and columns behind the last ones, into a window with cells from
    the other end of the map. Those that were brought there see each other only.
    """
    down, across = (
        (np.arange(size) >= size - shift).reshape(-1, side).astype(np.int32)
        for size in (rows, columns)
    )
    brought = 2 * down[:, None, :, None] + across[None, :, None, :]
    brought = brought.reshape(-1, side * side)
    return brought[:, :, None] == brought[:, None, :]
