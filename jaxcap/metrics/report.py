"""The scores of a predictions file: the corpus, each image, and the signs of a collapsed model."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from jaxcap.errors import UserError
from jaxcap.metrics.bleu import bleu, bleu_counts
from jaxcap.metrics.cider import Idf, cider
from jaxcap.metrics.ptb import ptb_words
from jaxcap.metrics.rouge import rouge_l

_BLEU = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4")


@dataclass(frozen=True)
class Report:
    """Scores by the COCO scorer's names: Bleu_1 to Bleu_4 and ROUGE_L in 0..1, CIDEr in 0..10.

    Attributes:
      corpus: one number a metric. BLEU's is not the mean of the images': it is of summed counts.
      per_image: image id -> metric -> score.
    """

    corpus: dict[str, float]
    per_image: dict[str, dict[str, float]]


def score(predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]) -> Report:
    """Scores one caption an image against its references, as the COCO scorer does.

    Raises:
      UserError: an image of either side is missing on the other, or has no references.
    """
    predicted, expected = _words(predictions, references)
    idf = Idf.of(expected.values())
    counts = np.stack([bleu_counts(predicted[image], expected[image]) for image in expected])
    bleus = bleu(counts)
    per_image = {
        image: dict(zip(_BLEU, map(float, bleus[row]), strict=True))
        | {
            "ROUGE_L": rouge_l(predicted[image], expected[image]),
            "CIDEr": cider(predicted[image], expected[image], idf),
        }
        for row, image in enumerate(expected)
    }
    corpus = dict(zip(_BLEU, map(float, bleu(counts.sum(axis=0))), strict=True))
    for name in ("ROUGE_L", "CIDEr"):
        corpus[name] = float(np.mean([scores[name] for scores in per_image.values()]))
    return Report(corpus, per_image)


def collapse(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str]], seed: int
) -> dict[str, float]:
    """Whether the captions depend on their images at all.

    Returns:
      "distinct": the share of captions that differ in their words, 1 where no two are alike;
      "CIDEr_shuffled": CIDEr with the predictions dealt out to the images at random. A model that
      looks at its images scores far more than that; one that does not, about as much.

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
    return {"distinct": distinct, "CIDEr_shuffled": float(np.mean(shuffled))}


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
