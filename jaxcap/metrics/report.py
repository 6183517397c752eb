"""The scores of a predictions file: the corpus and each image."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Float, Num

from jaxcap.errors import UserError
from jaxcap.metrics.ptb import ptb_words
from jaxcap.metrics.tallies import METRICS, ON_REQUEST, Tally


@dataclass(frozen=True)
class Report:
    """Scores by the COCO scorer's names: CIDEr in 0..10, all others in 0..1.

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
    also: Collection[str] = (),
) -> Report:
    """Scores one caption an image against its references, as the COCO scorer does.

    Args:
      predictions: image id -> caption.
      references: image id -> captions.
      also: those of `jaxcap.metrics.tallies.ON_REQUEST` that are computed too, where what they
        need is there.

    Raises:
      UserError: an image of either side is missing on the other, or has no references.
    """
    predicted, expected = words_of(predictions, references)
    tallies, lacking = list[Tally](), dict[str, str]()
    for name, tally in METRICS.items():
        if name not in ON_REQUEST:
            tallies.append(tally(predicted, expected))
        elif name in also and (needs := ON_REQUEST[name]()):
            lacking[name] = needs
        elif name in also:
            try:
                tallies.append(tally(predicted, expected))
            except UserError as error:  # what it needs is damaged: the other scores are not lost
                lacking[name] = str(error)
    return Report(tuple(expected), tuple(tallies), lacking)


def protocol_of(report: Report) -> dict[str, str]:
    """What a signature says of the scores that not every report has."""
    said = {"METEOR": {"meteor": "1.5,python"}, "SPICE": {"spice": "1.0,java"}}
    return {k: v for name in report.names for k, v in said.get(name, {}).items()}


def exact_match(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]
) -> dict[str, bool]:
    """Image id -> whether the prediction has the very words of one of its references.

    Raises:
      UserError: as `score`.
    """
    predicted, expected = words_of(predictions, references)
    return {image: predicted[image] in captions for image, captions in expected.items()}


def words_of(
    predictions: Mapping[str, str], references: Mapping[str, Sequence[str]]
) -> tuple[dict[str, list[str]], dict[str, list[list[str]]]]:
    """The words of the predictions and of the references.

    Raises:
      UserError: as `check_images`.
    """
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
