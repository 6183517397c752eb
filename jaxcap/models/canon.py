"""A Canon layer: each word takes something of the few before it (Allen-Zhu, arXiv 2512.17351).

After "a small red circle" the vector of the last word so holds all of the thing, and asks the
image for it at once. An attention layer learns as much only when it has learned to find the words
of one thing, from a gradient that is next to nothing until it has: in the drawn shapes, where the
next word says left or right of another thing, that took more than twice as many steps. The paper
has such layers inside of every block; here is one, over the embedded words.
"""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float

# The layer starts as a sum: the word just before counts as much as the own one, each farther back
# so much less than the next.
FADE = 0.5**0.5


class Canon(nn.Module):
    """A causal convolution over words, each channel by itself, added to them.

    Attributes:
      reach: how many words before its own a word takes something of; with 0 the layer is none.
    """

    reach: int
    dtype: str

    @nn.compact
    def __call__(self, words: Float[Array, "B K N D"]) -> Float[Array, "B K T D"]:
        """[B, K, reach + T, D] -> the last T, each with something of those before it."""
        T = words.shape[2] - self.reach
        own = words[:, :, self.reach :]
        if not self.reach:
            return own
        gates = self.param("gates", _fading, (self.reach, words.shape[-1])).astype(self.dtype)
        earlier = (
            gates[None, None, lag - 1, None] * words[:, :, self.reach - lag :][:, :, :T]
            for lag in range(1, self.reach + 1)
        )
        return sum(earlier, start=own)


def _fading(_: Array, shape: tuple[int, int]) -> Float[Array, "reach D"]:
    return jnp.broadcast_to(FADE ** jnp.arange(shape[0], dtype=jnp.float32)[:, None], shape)
