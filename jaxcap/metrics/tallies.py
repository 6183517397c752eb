"""All metrics as a report has them: what is counted of an image, and what is made of sums of it."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np
from jaxtyping import Num

from jaxcap.metrics.bleu import bleu, bleu_counts
from jaxcap.metrics.cider import Idf, cider
from jaxcap.metrics.meteor import lacking as meteor_lacks
from jaxcap.metrics.meteor import meteor
from jaxcap.metrics.meteor.score import meteor_score
from jaxcap.metrics.rouge import rouge_l
from jaxcap.metrics.spice import lacking as spice_lacks
from jaxcap.metrics.spice import spice

_BLEU = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4")

Predicted = Mapping[str, Sequence[str]]  # image id -> words of its caption
Expected = Mapping[str, Sequence[Sequence[str]]]  # image id -> words of each of its references


class Tally(NamedTuple):
    """What a metric, or a family of them, counts of each image, and what it makes of sums of it.

    Attributes:
      names: of the scores.
      counts: of each image.
      scores: (sums over some images, how many they are) -> their scores, [..., D] -> [..., names].
    """

    names: tuple[str, ...]
    counts: Num[np.ndarray, "images D"]
    scores: Callable[[np.ndarray, np.ndarray], np.ndarray]


def _bleu(predicted: Predicted, expected: Expected) -> Tally:
    counts = [bleu_counts(predicted[image], captions) for image, captions in expected.items()]
    return Tally(_BLEU, np.stack(counts), lambda sums, _: bleu(sums))


def _meteor(predicted: Predicted, expected: Expected) -> Tally:
    counts = meteor(predicted, expected).counts
    return Tally(("METEOR",), counts, lambda sums, _: meteor_score(sums)[:, None])


def _rouge(predicted: Predicted, expected: Expected) -> Tally:
    return _means("ROUGE_L", [rouge_l(predicted[image], expected[image]) for image in expected])


def _cider(predicted: Predicted, expected: Expected) -> Tally:
    idf = Idf.of(expected.values())
    return _means("CIDEr", [cider(predicted[image], expected[image], idf) for image in expected])


def _spice(predicted: Predicted, expected: Expected) -> Tally:
    return _means("SPICE", list(spice(predicted, expected).values()))


def _means(name: str, scores: Sequence[float]) -> Tally:
    """A metric whose score of a corpus is the mean of its images'."""
    return Tally((name,), np.array(scores)[:, None], lambda sums, images: sums / images[:, None])


# In the COCO scorer's order.
METRICS = {"BLEU": _bleu, "METEOR": _meteor, "ROUGE_L": _rouge, "CIDEr": _cider, "SPICE": _spice}
# Those that take long and need what is not installed with this package: what of it is lacking.
ON_REQUEST = {"METEOR": meteor_lacks, "SPICE": spice_lacks}
