"""The scores of a predictions file: the corpus, each image, and the signs of a collapsed model."""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Num

from jaxcap.errors import UserError
from jaxcap.metrics.bleu import bleu, bleu_counts
from jaxcap.metrics.cider import Idf, cider
from jaxcap.metrics.meteor import lacking as meteor_lacks
from jaxcap.metrics.meteor import meteor
from jaxcap.metrics.meteor.score import meteor_score
from jaxcap.metrics.ptb import ptb_words
from jaxcap.metrics.rouge import rouge_l

# Words after which a sentence must go on.
_UNFINISHED = frozenset(
    (
        *("a", "an", "the", "his", "its", "their", "my", "your", "is", "are", "was", "were"),
        *("of", "in", "at", "for", "from", "with", "into", "onto", "and", "or", "but", "while"),
        "as",
    )
)
_BLEU = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4")


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


@dataclass(frozen=True)
class Report:
    """Scores by the COCO scorer's names: Bleu_1 to 4, METEOR and ROUGE_L in 0..1, CIDEr in 0..10.

    Attributes:
      images: their ids.
      tallies: of all metrics.
      lacking: what could not be computed, by name, and what it needs.
    """

    images: tuple[str, ...]
    tallies: tuple[Tally, ...]
    lacking: Mapping[str, str]

    @cached_property
    def corpus(self) -> dict[str, float]:
        """One number a metric; BLEU's and METEOR's are of summed counts, no means of images'."""
        (row,) = self.of_sums(np.ones((1, len(self.images))))
        return dict(zip(self.names, row.tolist(), strict=True))

    @cached_property
    def per_image(self) -> dict[str, dict[str, float]]:
        """Image id -> metric -> score."""
        ones = np.ones(len(self.images))
        rows = np.concatenate([each.scores(each.counts, ones) for each in self.tallies], axis=1)
        return {
            image: dict(zip(self.names, row.tolist(), strict=True))
            for image, row in zip(self.images, rows, strict=True)
        }

    @property
    def names(self) -> list[str]:
        """Of the metrics, in the COCO scorer's order."""
        return [name for each in self.tallies for name in each.names]

    def of_sums(self, weights: Num[np.ndarray, "many images"]) -> Float[np.ndarray, "many names"]:
        """The scores of many corpora, in each of which an image stands as often as its weight."""
        count = weights.sum(axis=1)
        found = [each.scores(weights @ each.counts, count) for each in self.tallies]
        return np.concatenate(found, axis=1)


def score(
    predictions: Mapping[str, str],
    references: Mapping[str, Sequence[str]],
    with_meteor: bool = False,
) -> Report:
    """Scores one caption an image against its references, as the COCO scorer does.

    Args:
      predictions: image id -> caption.
      references: image id -> captions.
      with_meteor: whether METEOR, which takes seconds, is computed where its data are.

    Raises:
      UserError: an image of either side is missing on the other, or has no references.
    """
    predicted, expected = _words(predictions, references)
    pairs = [(predicted[image], captions) for image, captions in expected.items()]
    idf, lacking = Idf.of(expected.values()), dict[str, str]()
    tallies = [Tally(_BLEU, np.stack([bleu_counts(*pair) for pair in pairs]), _bleu_of)]
    if with_meteor and (needs := meteor_lacks()):
        lacking["METEOR"] = needs
    elif with_meteor:
        try:
            tallies.append(Tally(("METEOR",), meteor(predicted, expected).counts, _meteor_of))
        except UserError as error:  # its data are damaged: no reason to lose the other scores
            lacking["METEOR"] = str(error)
    rouge = np.array([[rouge_l(*pair)] for pair in pairs])
    ciders = np.array([[cider(*pair, idf)] for pair in pairs])
    tallies += [Tally(("ROUGE_L",), rouge, _mean), Tally(("CIDEr",), ciders, _mean)]
    return Report(tuple(expected), tuple(tallies), lacking)


def protocol_of(report: Report) -> dict[str, str]:
    """What a signature says of the scores that not every report has."""
    return {"meteor": "1.5,python"} if "METEOR" in report.names else {}


def _bleu_of(sums: np.ndarray, _: np.ndarray) -> np.ndarray:
    return bleu(sums)


def _meteor_of(sums: np.ndarray, _: np.ndarray) -> np.ndarray:
    return meteor_score(sums)[:, None]


def _mean(sums: np.ndarray, images: np.ndarray) -> np.ndarray:
    return sums / images[:, None]


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
    predicted, expected = _words(predictions, references)
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


def exact_match(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]
) -> dict[str, bool]:
    """Image id -> whether the prediction has the very words of one of its references.

    Raises:
      UserError: as `score`.
    """
    predicted, expected = _words(predictions, references)
    return {image: predicted[image] in captions for image, captions in expected.items()}


def _words(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]
) -> tuple[dict[str, list[str]], dict[str, list[list[str]]]]:
    check_images(predictions, references)
    return (
        {image: ptb_words(caption) for image, caption in predictions.items()},
        {image: [ptb_words(c) for c in captions] for image, captions in references.items()},
    )


def check_images(predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> None:
    """Refuse to score a part of a split.

    Raises:
      UserError: an image of either side is missing on the other, or has no references.
    """
    if not references:
        raise UserError("There are no images to score: the references are empty.")
    if unknown := predictions.keys() - references.keys():
        raise UserError(
            f"{_count(unknown, predictions)} predictions are for images without references: "
            f"{_some(unknown)}. Expected the image ids of the references, such as "
            f"{_some(references)}. Check that both files are of the same split."
        )
    if missing := references.keys() - predictions.keys():
        raise UserError(
            f"{_count(missing, references)} images of the references have no prediction: "
            f"{_some(missing)}. Scores are comparable only over the whole split: caption these "
            "images too, or give references of the captioned images alone."
        )
    if silent := {image for image, captions in references.items() if not captions}:
        raise UserError(
            f"{_count(silent, references)} images have an empty list of references: "
            f"{_some(silent)}. Give each at least one caption, or leave the image out."
        )


def _count(part: Collection[str], whole: Collection[str]) -> str:
    return f"{len(part):,} of {len(whole):,}"


def _some(images: Collection[str]) -> str:
    shown = ", ".join(repr(image) for image in sorted(images)[:3])
    return shown + (", ..." if len(images) > 3 else "")
