"""How rare n-grams are, as a table on the device: the idf of CIDEr, of the training references."""

from collections.abc import Iterable, Sequence
from itertools import islice
from math import log
from typing import NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxcap.reward.codes import Codes, in_rows, ngrams

_AT_ONCE = 2000  # images whose n-grams are counted together


class Rarity(NamedTuple):
    """log(images / images with the n-gram in any of their references), as in `metrics.cider`.

    What one image alone has weighs as much as what none has, and is not in the table.

    Attributes:
      codes: of the n-grams, by the first half in order; numpy arrays [G].
      weights: float32 [G].
      unseen: the weight of all others.
      alike: so many of them, at most, have the same first half.
    """

    codes: Codes
    weights: np.ndarray
    unseen: float
    alike: int

    @classmethod
    def of(cls, references: Iterable[Sequence[list[str]]]) -> "Rarity":
        """Counts over images, each given as its references, each a list of words."""
        images, found, rest = 0, [np.zeros(0, np.uint64)], iter(references)
        while some := list(islice(rest, _AT_ONCE)):
            images += len(some)
            found.append(_of_each_image(some))
        numbers, counts = np.unique(np.concatenate(found), return_counts=True)
        shared = counts > 1
        numbers, counts = numbers[shared], counts[shared]
        codes = Codes((numbers >> np.uint64(32)).astype(np.uint32), numbers.astype(np.uint32))
        unseen = log(max(images, 1))
        weights = (unseen - np.log(counts)).astype(np.float32)
        _, alike = np.unique(codes.first, return_counts=True)
        return cls(codes, weights, unseen, max(alike.tolist(), default=0))

    def __call__(self, codes: Codes) -> Float[Array, "*S"]:
        """The weight of each n-gram."""
        first, second = (jnp.asarray(codes.first), jnp.asarray(codes.second))
        found = jnp.full(first.shape, self.unseen, jnp.float32)
        if not len(self.weights):
            return found
        keys, others, weights = map(jnp.asarray, (*self.codes, self.weights))
        place = jnp.searchsorted(keys, first)
        for step in range(self.alike):
            at = jnp.minimum(place + step, len(self.weights) - 1)
            found = jnp.where((keys[at] == first) & (others[at] == second), weights[at], found)
        return found


def _of_each_image(references: Sequence[Sequence[list[str]]]) -> np.ndarray:
    """The n-grams of each image, once each; whole codes as uint64."""
    captions = [words for each in references for words in each]
    images = np.repeat(np.arange(len(references)), [len(each) for each in references])
    padded, real = in_rows(captions, max(map(len, captions), default=0))
    found = [np.zeros((0, 2), np.uint64)]
    for n, codes in enumerate(ngrams(padded), start=1):
        there = real[:, n - 1 :]
        whole = codes.first.astype(np.uint64) << np.uint64(32) | codes.second.astype(np.uint64)
        owner = np.broadcast_to(images[:, None], there.shape)[there].astype(np.uint64)
        found.append(np.unique(np.stack([owner, whole[there]], axis=1), axis=0))
    return np.concatenate(found)[:, 1]
