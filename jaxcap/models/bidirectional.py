"""A stage that reads the cells of an image one after the other, from both ends."""

from typing import Any

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxcap.models.cells import State, cell_of
from jaxcap.models.dropout import Dropout
from jaxcap.models.memory import Memory
from jaxcap.models.shown import Shown


class Bidirectional(nn.Module):
    """Every token knows those before and behind it (Schuster and Paliwal, 1997).

    As `lstm_encoder` in the code of Xu et al. (arXiv 1502.03044): a grid is read row by row. Tokens
    that are not real are passed over.

    Attributes:
      width: of each direction; the memory is twice as wide.
      cell: `lstm` or `gru`.
      depth: layers.
      dropout: before each layer.
    """

    width: int
    cell: str = "lstm"
    depth: int = 1
    dropout: float = 0.0
    dtype: str = "float32"

    @nn.compact
    def __call__(self, memory: Memory, shown: Shown, train: bool = False) -> Memory:
        x = memory.tokens.astype(self.dtype)
        for i in range(self.depth):
            x = Dropout(self.dropout)(x, train)
            sides = [
                _Reader(self.cell, self.width, backwards, self.dtype, name=f"{name}_{i}")
                for name, backwards in (("forward", False), ("backward", True))
            ]
            x = jnp.concatenate([side(x, memory.mask) for side in sides], axis=-1)
        return memory.replace(tokens=x, whole=None)


class _Reader(nn.Module):
    """One layer in one direction."""

    cell: str
    width: int
    backwards: bool
    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "B S D"], mask: Bool[Array, "B S"]) -> Float[Array, "B S E"]:
        cell = cell_of(self.cell)(self.width, self.dtype, name="cell")
        read = nn.Dense(cell.gates * self.width, dtype=self.dtype, name="read")(x)
        start = (jnp.zeros((x.shape[0], self.width)),) * cell.remembers

        def tick(cell: Any, state: State, token: Any) -> tuple[State, Array]:
            gates, real = token
            new = cell(state, gates)
            state = tuple(
                jnp.where(real[:, None], after, before)
                for after, before in zip(new, state, strict=True)
            )
            return state, state[0].astype(self.dtype)

        over_tokens = nn.scan(
            tick,
            variable_broadcast="params",
            split_rngs={"params": False},
            in_axes=1,
            out_axes=1,
            reverse=self.backwards,
        )
        return over_tokens(cell, start, (read, mask))[1]
