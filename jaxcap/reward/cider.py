"""CIDEr-D on the device: the figures of `jaxcap.metrics.cider`, of K captions of B images."""

import jax.numpy as jnp
from jaxtyping import Array, Float

from jaxcap.reward.matches import lengths, pairs
from jaxcap.reward.rarity import Rarity
from jaxcap.reward.spelling import Words

SIGMA = 6.0


def cider(captions: Words, references: Words, rarity: Rarity) -> Float[Array, "B K"]:
    """Clipped cosines of weighted n-grams, n = 1 to 4, less where lengths differ; 0 to 10.

    Vedantam et al., arXiv 1411.5726, as the COCO scorer has it.

    Args:
      captions: [B, K, W].
      references: [B, R, W]; those without words are none.
      rarity: of the n-grams.
    """
    cosines = []
    for mine, theirs in pairs(captions, references):
        weight = rarity(mine.codes)
        here, there = mine.counts() * weight, mine.counts_in(theirs) * weight
        product = mine.sum(jnp.minimum(here, there) * there)
        squares = mine.sum(here**2) * theirs.sum((theirs.counts() * rarity(theirs.codes)) ** 2)
        cosines.append(product / jnp.sqrt(jnp.where(squares > 0, squares, jnp.inf)))
    # The scorer takes the number of bigrams for the length.
    longer, shorter = (
        jnp.expand_dims(jnp.maximum(lengths(words) - 1, 0), axis)
        for words, axis in ((captions, 2), (references, 1))
    )
    similarity = jnp.stack(cosines).mean(axis=0) * jnp.exp(
        -((longer - shorter) ** 2) / (2 * SIGMA**2)
    )
    present = references.real.any(axis=-1)[:, None].astype(jnp.float32)
    return 10 * (similarity * present).sum(axis=-1) / jnp.maximum(present.sum(axis=-1), 1)
