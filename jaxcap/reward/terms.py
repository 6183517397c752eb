"""Terms of a reward that are of the caption's own form."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxcap.reward.matches import grams, lengths
from jaxcap.reward.spelling import Words


def as_long(captions: Words, references: Words) -> Float[Array, "B K"]:
    """How near a caption's length is to the mean of its references', 0 to 1.

    The shorter of the two over the longer.

    Args:
      captions: [B, K, W].
      references: [B, R, W]; those without words are none.
    """
    theirs = lengths(references)
    present = (theirs > 0).astype(jnp.float32)
    mean = theirs.sum(axis=1, keepdims=True) / jnp.maximum(present.sum(axis=1, keepdims=True), 1)
    mine = lengths(captions)
    return jnp.minimum(mine, mean) / jnp.maximum(jnp.maximum(mine, mean), 1)


def repeated(captions: Words) -> Float[Array, "*B"]:
    """How many pairs of neighbouring words stand in a caption that stood there before."""
    pairs = grams(captions)[1]
    every = pairs.real.astype(jnp.float32)
    return every.sum(axis=-1) - pairs.sum(every)
