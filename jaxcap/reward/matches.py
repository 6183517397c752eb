"""Which n-grams captions share with their references: what CIDEr and BLEU are computed of."""

from typing import NamedTuple

import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxcap.reward.codes import Codes, ngrams
from jaxcap.reward.spelling import Words


class Grams(NamedTuple):
    """The n-grams of one order n of some captions, each at the place of its first word.

    Attributes:
      codes: [..., W].
      real: True where there is one.
    """

    codes: Codes
    real: Bool[Array, "*B W"]

    def expanded(self, axis: int) -> "Grams":
        """With one more axis of length 1 before the places."""
        codes = Codes(*(jnp.expand_dims(half, axis) for half in self.codes))
        return Grams(codes, jnp.expand_dims(self.real, axis))

    def counts_in(self, others: "Grams") -> Float[Array, "*B W"]:
        """How often each stands in other captions; 0 where there is none."""
        same = others.real[..., None, :] & self.real[..., :, None]
        for one, other in zip(self.codes, others.codes, strict=True):
            same &= one[..., :, None] == other[..., None, :]
        return same.sum(axis=-1).astype(jnp.float32)

    def counts(self) -> Float[Array, "*B W"]:
        """How often each stands in its own caption."""
        return self.counts_in(self)

    def sum(self, values: Float[Array, "*B W"]) -> Float[Array, "*B"]:
        """Over the different n-grams of a caption, each once, however often it stands there."""
        return (values / jnp.maximum(self.counts(), 1)).sum(axis=-1)


def grams(words: Words) -> list[Grams]:
    """The n-grams of captions, n = 1 to 4."""
    return [
        Grams(codes, words.real[..., n - 1 :]) for n, codes in enumerate(ngrams(words.codes), 1)
    ]


def pairs(captions: Words, references: Words) -> list[tuple[Grams, Grams]]:
    """The n-grams of K captions and of R references of each image, as [B, K, R, W], n = 1 to 4."""
    return [
        (mine.expanded(2), theirs.expanded(1))
        for mine, theirs in zip(grams(captions), grams(references), strict=True)
    ]


def lengths(words: Words) -> Float[Array, "*B"]:
    """How many words there are."""
    return words.real.sum(axis=-1).astype(jnp.float32)
