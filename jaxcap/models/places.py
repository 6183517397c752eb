"""Where in an image a token is: tables of positions, and of the positions of tokens to each other.

A table is of the grid of patches that it was learned on. For another grid it is interpolated, as
PyTorch and Transformers do it, so that an image may have any resolution at any time.
"""

from functools import cache

import flax.linen as nn
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxcap.errors import UserError

A = -0.75  # of the cubic kernel; the value that PyTorch, OpenCV and others chose
SINE_SCALE = 0.7  # of the first position table, beside patches of about unit variance


def grid_positions(rows: int, columns: int, width: int) -> Float[Array, "{rows*columns} {width}"]:
    """Sines and cosines of a cell's row and column, from which learned positions start.

    A small data set hardly learns places from random ones (Beyer et al., arXiv 2205.01580, use
    fixed ones for the same reason).
    """
    if width % 4:
        raise UserError(f"The width of a ViT must be a multiple of 4, and {width} is not.")
    wavelength = 2.0 ** jnp.linspace(1.0, 6.0, width // 4)  # in cells, from fine to coarse
    down, across = jnp.meshgrid(jnp.arange(rows), jnp.arange(columns), indexing="ij")
    angles = [
        2 * jnp.pi * cell.reshape(-1, 1).astype(jnp.float32) / wavelength[None]
        for cell in (down, across)
    ]
    return SINE_SCALE * jnp.concatenate([f(a) for a in angles for f in (jnp.sin, jnp.cos)], 1)


def box_shapes(boxes: Float[Array, "*B 4"]) -> Float[Array, "*B F"]:
    """Edges, width and height of boxes as waves, the longest of them twice as long as the image.

    Of the bare numbers a dense layer hardly tells small differences (Tancik et al., arXiv
    2006.10739).
    """
    numbers = jnp.concatenate([boxes, boxes[..., 2:] - boxes[..., :2]], axis=-1)
    angles = jnp.concatenate([2 * jnp.pi * 2.0**octave * numbers for octave in range(-1, 3)], -1)
    return jnp.concatenate([jnp.sin(angles), jnp.cos(angles)], axis=-1)


class RelativePositions(nn.Module):
    """What each head adds to the score of two tokens, by how far apart they are (BEiT).

    Bao et al., arXiv 2106.08254. Three rows at the end of the table are for the class token: what
    it sees of patches, what they see of it, and itself.

    Attributes:
      heads: H.
      grid: the side of the grid that the table is of.
    """

    heads: int
    grid: int

    @nn.compact
    def __call__(self, rows: int, columns: int) -> Float[Array, "1 H S S"]:
        """For one class token and a grid of rows x columns: S is 1 + rows x columns."""
        span = 2 * self.grid - 1
        table = self.param("table", nn.initializers.zeros, (span * span + 3, self.heads))
        near = table[:-3].reshape(span, span, self.heads)
        near = resample(near, 2 * rows - 1, 2 * columns - 1, "linear").reshape(-1, self.heads)
        biases = jnp.concatenate([near, table[-3:]])[_distances(rows, columns)]
        return jnp.moveaxis(biases, -1, 0)[None]


def resample(
    grid: Float[Array, "h w D"], rows: int, columns: int, kind: str
) -> Float[Array, "h2 w2 D"]:
    """A grid of vectors at another size: "cubic" or "linear", without antialiasing."""
    if grid.shape[:2] == (rows, columns):
        return grid
    down = _weights(grid.shape[0], rows, kind)
    across = _weights(grid.shape[1], columns, kind)
    return jnp.einsum("ih,jw,hwd->ijd", down, across, grid.astype(jnp.float32)).astype(grid.dtype)


@cache
def _weights(old: int, new: int, kind: str) -> Float[np.ndarray, "{new} {old}"]:
    """How much of each old cell is in each new one; beyond the edge is the cell at the edge."""
    weights = np.zeros((new, old), np.float64)
    centres = (np.arange(new) + 0.5) * old / new - 0.5
    if kind == "linear":
        centres = centres.clip(0)
    first = np.floor(centres).astype(int)
    for offset in (-1, 0, 1, 2) if kind == "cubic" else (0, 1):
        x = np.abs(centres - first - offset)
        near = ((A + 2) * x - (A + 3)) * x**2 + 1
        far = ((A * x - 5 * A) * x + 8 * A) * x - 4 * A
        share = np.where(x <= 1, near, far) if kind == "cubic" else 1 - x
        np.add.at(weights, (np.arange(new), (first + offset).clip(0, old - 1)), share)
    return weights.astype(np.float32)


@cache
def _distances(rows: int, columns: int) -> Int[np.ndarray, "S S"]:
    """The row of the table for each pair of tokens, the class token first."""
    cells = rows * columns
    last = (2 * rows - 1) * (2 * columns - 1)
    table = np.empty((cells + 1, cells + 1), np.int32)
    table[1:, 1:] = cell_distances((rows, columns), (rows, columns))
    table[0, :], table[:, 0], table[0, 0] = last, last + 1, last + 2
    return table


@cache
def cell_distances(grid: tuple[int, int], reach: tuple[int, int]) -> Int[np.ndarray, "N N"]:
    """For each pair of cells of a grid, where its distance is in a table of distances.

    Args:
      grid: rows and columns, N cells.
      reach: of the grid, no smaller, between all of whose cells the table has the distances.
    """
    down, across = (np.arange(side)[:, None] - np.arange(side)[None] for side in grid)
    down, across = down + reach[0] - 1, across + reach[1] - 1
    pairs = down[:, None, :, None] * (2 * reach[1] - 1) + across[None, :, None, :]
    return pairs.reshape(grid[0] * grid[1], -1).astype(np.int32)
