"""CIDEr as the COCO scorer computes it, which is CIDEr-D: clipped, with a penalty on length."""

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

Ngram = tuple[str, ...]

_ORDER = 4
_SIGMA = 6.0


@dataclass(frozen=True)
class Idf:
    """How rare each n-gram is: log(images / images with it in any of their references).

    Attributes:
      weights: the n-grams seen (n = 1 to 4) and their weights.
      unseen: log(images), the weight of all others, as if one image had them.
    """

    weights: Mapping[Ngram, float]
    unseen: float

    @classmethod
    def of(cls, references: Iterable[Sequence[Sequence[str]]]) -> "Idf":
        """Counts over images, each given as its references, each a list of words."""
        images = 0
        counts: Counter[Ngram] = Counter()
        for captions in references:
            images += 1
            counts.update(set().union(*map(ngrams, captions)))
        unseen = math.log(images)
        return cls({ngram: unseen - math.log(n) for ngram, n in counts.items()}, unseen)


def ngrams(words: Sequence[str]) -> Counter[Ngram]:
    """How often each n-gram, n = 1 to 4, stands in a caption."""
    counts: Counter[Ngram] = Counter()
    for n in range(1, _ORDER + 1):
        counts.update(zip(*(words[i:] for i in range(n)), strict=False))
    return counts


def cider(prediction: Sequence[str], references: Sequence[Sequence[str]], idf: Idf) -> float:
    """CIDEr-D (Vedantam et al., 2015) of one image, 0 to 10: mean over n and the references."""
    candidate = _Vector(prediction, idf)
    similarities = [candidate.similarity(_Vector(words, idf)) for words in references]
    return 10 * sum(similarities) / len(references)


class _Vector:
    """A caption as its n-grams, each weighted by how often it stands there and how rare it is."""

    def __init__(self, words: Sequence[str], idf: Idf):
        counts = ngrams(words)
        weight = idf.weights.get
        self.weights = {ngram: n * weight(ngram, idf.unseen) for ngram, n in counts.items()}
        squares = [0.0] * _ORDER
        for ngram, value in self.weights.items():
            squares[len(ngram) - 1] += value * value
        self.norms = [math.sqrt(square) for square in squares]
        # The scorer takes the number of bigrams for the length.
        self.length = sum(n for ngram, n in counts.items() if len(ngram) == 2)

    def similarity(self, reference: "_Vector") -> float:
        """Clipped cosine, mean over n, less where the lengths differ; 0 to 1."""
        products = [0.0] * _ORDER
        for ngram, weight in self.weights.items():
            if other := reference.weights.get(ngram):
                products[len(ngram) - 1] += min(weight, other) * other
        cosines = (
            product / (mine * theirs)
            for product, mine, theirs in zip(products, self.norms, reference.norms, strict=True)
            if mine and theirs
        )
        penalty = math.exp(-((self.length - reference.length) ** 2) / (2 * _SIGMA**2))
        return sum(cosines) * penalty / _ORDER
