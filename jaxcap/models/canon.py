"""A Canon layer: each word takes something of the few before it (Allen-Zhu, arXiv 2512.17351).

After "a small red circle" the vector of the last word so holds all of the thing, and asks the
image for it at once. An attention layer learns as much only when it has learned to find the words
of one thing, from a gradient that is next to nothing until it has: in the drawn shapes, where the
next word says left or right of another thing, that took three times as many steps.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

FADE = 0.5**0.5  # the layer starts as a sum in which each earlier word counts so much less


class Canon(nn.Module):
    """A causal convolution over words, each channel by itself, added to them.

    Attributes:
      before: how many words before its own a word takes something of; with 0 the layer is none.
    """

    before: int
    dtype: str

    @nn.compact
    def __call__(self, words: Float[Array, "B K N D"]) -> Float[Array, "B K T D"]:
        """[B, K, before + T, D] -> the last T, each with something of those before it."""
        T = words.shape[2] - self.before
        own = words[:, :, self.before :]
        if not self.before:
            return own
        gates = self.param("gates", _fading, (self.before, words.shape[-1])).astype(self.dtype)
        earlier = (
            gates[None, None, lag - 1, None] * words[:, :, self.before - lag :][:, :, :T]
            for lag in range(1, self.before + 1)
        )
        return sum(earlier, start=own)


def _fading(_: Array, shape: tuple[int, int]) -> Float[Array, "before D"]:
    return jnp.broadcast_to(FADE ** jnp.arange(shape[0], dtype=jnp.float32)[:, None], shape)
