"""Attention within windows of a map, and how a map is cut into them (Swin Transformer)."""

from functools import cache

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
        rows, columns = x.shape[1:3]
        side = min(self.window, rows, columns)
        shift = self.window // 2 if self.shifted and self.window < min(rows, columns) else 0
        x = jnp.roll(pad_to_multiple(x, side), (-shift, -shift), (1, 2))
        padded = x.shape[1:3]
        attention = Attention(self.heads, self.style.dtype, self.style.biases, name="attention")
        x = cut(x, side)
        span = 2 * self.window - 1
        init = nn.initializers.normal(0.02)
        table = self.param("distances", init, (span * span, self.heads))
        bias = distances(table, side, self.window)[None, None]
        if shift:
            together = jnp.asarray(neighbours(*padded, side, shift))[None, :, None]
            bias = jnp.where(together, bias, BLOCKED)
        x = attend_memory(attention.queries(x), attention.keys_values(x), None, bias)
        x = jnp.roll(joined(attention.merge(x), *padded), (shift, shift), (1, 2))
        return x[:, :rows, :columns]


def distances(table: Float[Array, "P H"], side: int, reach: int) -> Float[Array, "H N N"]:
    """What each head adds to the score of two cells of a window, by how far apart they are.

    Args:
      table: for each distance within a window of `reach` cells a side.
      side: of the window, no larger.
    """
    return jnp.moveaxis(table[cell_distances((side, side), (reach, reach))], -1, 0)


def pad_to_multiple(x: Float[Array, "B h w D"], side: int) -> Float[Array, "B h2 w2 D"]:
    """Zeros at the lower and the right edge, until the side divides height and width."""
    after = [(0, -size % side) for size in x.shape[1:3]]
    return jnp.pad(x, ((0, 0), *after, (0, 0)))


def cut(x: Float[Array, "B h w D"], side: int) -> Float[Array, "B W N D"]:
    """A map as its W windows of N = side x side cells, both row by row."""
    B, rows, columns, D = x.shape
    x = x.reshape(B, rows // side, side, columns // side, side, D)
    return x.swapaxes(2, 3).reshape(B, -1, side * side, D)


def joined(x: Float[Array, "B W N D"], rows: int, columns: int) -> Float[Array, "B h w D"]:
    """The map of these windows; the opposite of `cut`."""
    B, _, N, D = x.shape
    side = round(N**0.5)
    x = x.reshape(B, rows // side, columns // side, side, side, D)
    return x.swapaxes(2, 3).reshape(B, rows, columns, D)


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
