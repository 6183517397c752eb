"""Recurrent cells: what a layer remembers of the words so far, and how a word changes it."""

from functools import partial
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Float32, PRNGKeyArray

from jaxcap.errors import UserError, did_you_mean
from jaxcap.models.product import Dense

# What a layer remembers; its output comes first. It is float32 whatever the products are computed
# in: what one word adds to it may be less than a coarser number can take up.
State = tuple[Float32[Array, "... D"], ...]


class LSTM(nn.Module):
    """Long short-term memory (Hochreiter and Schmidhuber, 1997; forget gates: Gers et al., 2000).

    Gates are those of the input (i), of forgetting (f), of the candidate (g) and of the output
    (o), in this order. What the input adds to each comes ready-made: it is one product, for all
    words at once where they are known.

    Attributes:
      width: D.
      dtype: of the product.
    """

    width: int
    dtype: str
    gates = 4
    remembers = 2  # output and cell

    @nn.compact
    def __call__(self, state: State, of_input: Float[Array, "... G"]) -> State:
        """The state after one more input; `of_input` is [..., 4 D]."""
        out, cell = state
        gates = of_input + _recurrent(self.width, self.gates, self.dtype, name="recurrent")(out)
        i, f, g, o = jnp.split(gates.astype(cell.dtype), self.gates, axis=-1)
        # A bias of one keeps gradients alive over many words (Jozefowicz et al., 2015).
        cell = jax.nn.sigmoid(f + 1) * cell + jax.nn.sigmoid(i) * jnp.tanh(g)
        return jax.nn.sigmoid(o) * jnp.tanh(cell), cell


class GRU(nn.Module):
    """Gated recurrent unit (Cho et al., arXiv 1406.1078), reset after the product as in cuDNN.

    Gates are reset (r), update (z) and candidate (n), in this order; else as `LSTM`.
    """

    width: int
    dtype: str
    gates = 3
    remembers = 1

    @nn.compact
    def __call__(self, state: State, of_input: Float[Array, "... G"]) -> State:
        """The state after one more input; `of_input` is [..., 3 D]."""
        (out,) = state
        of_state = _recurrent(self.width, self.gates, self.dtype, name="recurrent")(out)
        (r, z, n), (hr, hz, hn) = (
            jnp.split(each.astype(out.dtype), self.gates, axis=-1) for each in (of_input, of_state)
        )
        r, z = jax.nn.sigmoid(r + hr), jax.nn.sigmoid(z + hz)
        return ((1 - z) * jnp.tanh(n + r * hn) + z * out,)


CELLS: dict[str, type[LSTM] | type[GRU]] = {"lstm": LSTM, "gru": GRU}


def cell_of(name: str) -> type[LSTM] | type[GRU]:
    """The kind of cell that settings name.

    Raises:
      UserError: there is no such kind.
    """
    if name not in CELLS:
        raise UserError(f"There is no cell {name!r}. {did_you_mean(name, CELLS)}")
    return CELLS[name]


def _recurrent(width: int, gates: int, dtype: str, name: str) -> Dense:
    return Dense(
        gates * width, dtype=dtype, kernel_init=partial(_orthogonal, gates=gates), name=name
    )


def _orthogonal(
    key: PRNGKeyArray, shape: tuple[int, int], dtype: Any, gates: int
) -> Float[Array, "D G"]:
    """An orthogonal matrix for each gate (Saxe et al., arXiv 1312.6120)."""
    draw = nn.initializers.orthogonal()
    parts = [draw(each, (shape[0], shape[0]), dtype) for each in jax.random.split(key, gates)]
    return jnp.concatenate(parts, axis=1)
