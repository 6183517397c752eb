"""The signs of a collapsed model, which scores alone do not show."""

from collections.abc import Mapping, Sequence
from itertools import pairwise

import numpy as np

from jaxcap.metrics.cider import Idf, cider
from jaxcap.metrics.report import words_of

# Words after which a sentence must go on.
_UNFINISHED = frozenset(
    (
        *("a", "an", "the", "his", "its", "their", "my", "your", "is", "are", "was", "were"),
        *("of", "in", "at", "for", "from", "with", "into", "onto", "and", "or", "but", "while"),
        "as",
    )
)


def collapse(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str]], seed: int
) -> dict[str, float]:
    """Whether the captions depend on their images at all, and are whole sentences.

    Returns:
      "distinct": the share of captions that differ in their words, 1 where no two are alike;
      "CIDEr_shuffled": CIDEr with the predictions dealt out to the images at random. A model that
      looks at its images scores far more than that; one that does not, about as much;
      "repeated": the share of captions that say the same two words twice, as 4% of Flickr8k's do;
      "broken_endings": the share that end in a word such as "a" or "with".

    Raises:
      UserError: as `score`.
    """
    predicted, expected = words_of(predictions, references)
    idf = Idf.of(expected.values())
    images = sorted(expected)
    dealt = np.random.default_rng(seed).permutation(len(images))
    shuffled = [
        cider(predicted[images[other]], expected[image], idf)
        for image, other in zip(images, dealt, strict=True)
    ]
    distinct = len({tuple(words) for words in predicted.values()}) / len(images)
    captions = predicted.values()
    return {
        "distinct": distinct,
        "CIDEr_shuffled": float(np.mean(shuffled)),
        "repeated": float(np.mean([_repeats(words) for words in captions])),
        "broken_endings": float(np.mean([not _UNFINISHED.isdisjoint(w[-1:]) for w in captions])),
    }


def _repeats(words: Sequence[str]) -> bool:
    pairs = list(pairwise(words))
    return len(set(pairs)) < len(pairs)
