"""BLEU-4 of single captions on the device: the figures of `jaxcap.metrics.bleu`."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxcap.reward.matches import lengths, pairs
from jaxcap.reward.spelling import Words

# In float32 the scorer's own guards, 1e-15 and 1e-9, would vanish beside a count; they matter
# where there is none, and are as small there.
_TINY, _SMALL = 1e-15, 1e-9


def bleu(captions: Words, references: Words) -> Float[Array, "B K"]:
    """Of each caption, 0 to 1 (Papineni et al., 2002), as the COCO scorer has it.

    Args:
      captions: [B, K, W].
      references: [B, R, W]; those without words are none.
    """
    log_precisions = []
    for mine, theirs in pairs(captions, references):
        most = mine.counts_in(theirs).max(axis=2, keepdims=True)
        matching = mine.sum(jnp.minimum(mine.counts(), most))[..., 0]
        total = mine.real.sum(axis=-1)[..., 0].astype(jnp.float32)
        log_precisions.append(jnp.log(matching + _TINY) - jnp.log(total + _SMALL))
    length, others = lengths(captions)[..., None], lengths(references)[:, None]
    # The nearest length, of two the shorter; what is no reference is farther than any.
    off = jnp.where(others > 0, jnp.abs(others - length) + others / 1e4, jnp.inf)
    place = off.argmin(axis=-1, keepdims=True)
    nearest = jnp.take_along_axis(jnp.broadcast_to(others, off.shape), place, axis=-1)
    ratio = (length + _TINY) / (nearest + _SMALL)
    brevity = jnp.minimum(0, 1 - 1 / ratio)[..., 0]
    return jnp.exp(jnp.stack(log_precisions).mean(axis=0) + brevity)
