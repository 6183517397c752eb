"""What every encoder returns, whatever it is: tokens to attend to, and which of them are real."""

import flax.struct
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float

from jaxcap.errors import UserError


class Memory(flax.struct.PyTreeNode):
    """The image as a row of tokens.

    Attributes:
      tokens: one vector per patch, grid cell, region or visual word.
      mask: True where the token is real.
      boxes: left, top, right and bottom of what each token is of, in shares of the image's sides;
        None where the grid tells it.
      whole: the image as one vector, where somebody made one; see `pooled`.
      grid: rows and columns, if the last tokens of each image are a map of it, row by row.
      images: the tokens are of so many images, as many of each, one after the other.
    """

    tokens: Float[Array, "B S D"]
    mask: Bool[Array, "B S"]
    boxes: Float[Array, "B S 4"] | None = None
    whole: Float[Array, "B D"] | None = None
    grid: tuple[int, int] | None = flax.struct.field(pytree_node=False, default=None)
    images: int = flax.struct.field(pytree_node=False, default=1)

    def pooled(self) -> Float[Array, "B D"]:
        """The image as one vector: `whole`, or the mean of the real tokens."""
        if self.whole is not None:
            return self.whole
        real = self.mask[..., None].astype(jnp.float32)  # in which the sum does not overflow
        total = (self.tokens.astype(jnp.float32) * real).sum(axis=1)
        return (total / jnp.maximum(real.sum(axis=1), 1)).astype(self.tokens.dtype)

    def as_one(self) -> "Memory":
        """The image as a memory of one token."""
        return Memory(self.pooled()[:, None], self.mask.any(axis=1, keepdims=True))

    def as_map(self) -> Float[Array, "B h w D"]:
        """The tokens in rows and columns, for a stage that reads neighbours.

        Raises:
          UserError: they are no map, or there are others beside it.
        """
        rows, columns = self.grid or (0, 0)
        B, S, D = self.tokens.shape
        if rows * columns != S:
            raise UserError(
                f"model.stage reads a map of cells, and the encoder gives {S} tokens, a map of "
                f"{rows} x {columns}. Choose an encoder of cells alone: a convolutional one, Swin, "
                "or a ViT without tokens of its own; or another stage."
            )
        return self.tokens.reshape(B, rows, columns, D)

    def places(self) -> Float[Array, "B S 4"]:
        """The box of each token; of one that belongs to no part of the image, all of it."""
        if self.boxes is not None:
            return self.boxes
        B, S, _ = self.tokens.shape
        everywhere = np.tile(np.array([0, 0, 1, 1], np.float32), (S // self.images, 1))
        if self.grid is not None:
            everywhere[len(everywhere) - self.grid[0] * self.grid[1] :] = cells(*self.grid)
        rows = jnp.asarray(np.tile(everywhere, (self.images, 1)))
        return jnp.broadcast_to(rows[None], (B, S, 4))

    def in_a_row(self, present: Bool[Array, "B N"]) -> "Memory":
        """The memories of N images each, [B * N, S, D], as one of all of them, [B, N * S, D]."""
        B, N = present.shape

        def joined(x: Array) -> Array:
            return x.reshape(B, N * x.shape[1], *x.shape[2:])

        return self.replace(
            tokens=joined(self.tokens),
            mask=joined(self.mask & jnp.repeat(present.reshape(-1, 1), self.mask.shape[1], axis=1)),
            boxes=None if self.boxes is None else joined(self.boxes),
            whole=self._whole_of(present),
            images=N,
        )

    def _whole_of(self, present: Bool[Array, "B N"]) -> Float[Array, "B D"] | None:
        """The mean over the images that are there."""
        if self.whole is None:
            return None
        share = present.astype(self.whole.dtype)
        share = share / jnp.maximum(share.sum(axis=1, keepdims=True), 1)
        return jnp.einsum("bn,bnd->bd", share, self.whole.reshape(*present.shape, -1))


def from_grid(grid: Float[Array, "B h w D"], extra: Float[Array, "B E D"] | None = None) -> Memory:
    """A feature map as a memory, row by row, behind tokens that are no cells; all are real."""
    batch, height, width, depth = grid.shape
    tokens = grid.reshape(batch, height * width, depth)
    if extra is not None:
        tokens = jnp.concatenate([extra, tokens], axis=1)
    return Memory(tokens, jnp.ones(tokens.shape[:2], bool), grid=(height, width))


def cells(rows: int, columns: int) -> Float[np.ndarray, "S 4"]:
    """The box of each cell of a grid, row by row."""
    down, across = np.meshgrid(np.arange(rows), np.arange(columns), indexing="ij")
    edges = [across / columns, down / rows, (across + 1) / columns, (down + 1) / rows]
    return np.stack(edges, axis=-1).reshape(-1, 4).astype(np.float32)
