"""Dropout (Srivastava et al., 2014) whose coin costs a byte, not a word."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, PRNGKeyArray

from jaxcap.errors import UserError

BYTES_A_WORD = 4
SIDES = 256  # of a coin: rates are multiples of 1 / 256


class Dropout(nn.Module):
    """Sets a share of the elements to zero in training and scales the others up.

    Flax draws 32 random bits for each element, which on a CPU costs as much as the layer that
    they drop from. Eight are enough, so a fourth of the random words is drawn.

    Attributes:
      rate: the share, rounded to a multiple of 1/256.
      whole: drop whole vectors (the last dimension) instead of single elements.
    """

    rate: float
    whole: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "..."], train: bool) -> Float[Array, "..."]:
        if not 0 <= self.rate < 1:
            raise UserError(f"A dropout of {self.rate} is no share; expected 0 or more, under 1.")
        dropped = min(round(self.rate * SIDES), SIDES - 1)
        if not train or dropped == 0:
            return x
        shape = (*x.shape[:-1], 1) if self.whole else x.shape
        keep = coins(self.make_rng("dropout"), shape, dropped)
        return jnp.where(keep, x * jnp.asarray(SIDES / (SIDES - dropped), x.dtype), 0)


def coins(key: PRNGKeyArray, shape: tuple[int, ...], dropped: int) -> Bool[Array, "..."]:
    """True with probability 1 - dropped / 256, drawn apart for each element."""
    words = -(-shape[-1] // BYTES_A_WORD)
    drawn = jax.random.bits(key, (*shape[:-1], words), jnp.uint32)
    thrown = jax.lax.bitcast_convert_type(drawn, jnp.uint8)
    thrown = thrown.reshape(*shape[:-1], words * BYTES_A_WORD)[..., : shape[-1]]
    return thrown >= jnp.uint8(dropped)
