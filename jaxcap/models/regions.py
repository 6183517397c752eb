"""A stage that looks at a map through boxes: what is in each becomes one token."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxcap.models.memory import Memory
from jaxcap.models.shown import Shown


class Regions(nn.Module):
    """RoIAlign (He et al., arXiv 1703.06870) over the map of any encoder.

    A box is cut into bins, and a bin is the mean of points in it, each interpolated between the
    cells around it. Points lie on lines, so the mean is a product over rows and one over columns:
    two small matrices a box, and nothing is gathered. The token of no region is zeros: a decoder
    that finds no real one in an image is not to read its corner instead.

    Attributes:
      bins: a side; the bins of a box come behind one another in its token.
      points: a side of a bin.
    """

    bins: int = 2
    points: int = 2

    def __call__(self, memory: Memory, shown: Shown, train: bool = False) -> Memory:
        grid = memory.as_map()
        boxes, real = shown.regions()
        B, rows, columns, _ = grid.shape
        down = self._shares(boxes[..., 1], boxes[..., 3], rows)
        down = jnp.where(real[..., None, None], down, 0.0)
        across = self._shares(boxes[..., 0], boxes[..., 2], columns)
        tokens = jnp.einsum(
            "brph,brqw,bhwd->brpqd",
            down.astype(grid.dtype),
            across.astype(grid.dtype),
            grid,
        )
        return Memory(tokens.reshape(B, boxes.shape[1], -1), real, boxes)

    def _shares(
        self, first: Float[Array, "B R"], last: Float[Array, "B R"], cells: int
    ) -> Float[Array, "B R bins {cells}"]:
        """How much of each cell of a line is in each bin between two places, 0 to 1."""
        count = self.bins * self.points
        within = (jnp.arange(count, dtype=first.dtype) + 0.5) / count
        places = first[..., None] + jnp.einsum("br,n->brn", last - first, within)
        centres = jnp.clip(places * cells - 0.5, 0, cells - 1)  # beyond the edge is its cell
        line = jnp.arange(cells, dtype=first.dtype)[None, None, None]
        near = 1 - jnp.abs(centres[..., None] - line)
        shares = jnp.maximum(near, 0).reshape(*first.shape, self.bins, self.points, cells)
        return shares.mean(axis=-2)
