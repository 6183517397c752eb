"""How sure scores are: what they would have been on other images like these."""

from collections.abc import Iterator
from dataclasses import replace
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

from jaxcap.errors import UserError
from jaxcap.metrics.report import Report

_AT_ONCE = 64  # corpora that are drawn together


class Compared(NamedTuple):
    """A score beside another system's.

    Attributes:
      difference: by how much it is higher.
      p: how often chance alone would make a difference as great, either way.
    """

    difference: float
    p: float


def intervals(
    report: Report, resamples: int = 1000, seed: int = 0, level: float = 0.95
) -> dict[str, tuple[float, float]]:
    """Confidence intervals of the corpus scores, by the bootstrap's percentiles (Efron, 1979).

    Images are drawn anew, with replacement, with all that was counted of each. How rare n-grams are
    is not counted anew: CIDEr is that of the same references.

    Args:
      report: of a split.
      resamples: corpora that are drawn.
      seed: of the draws.
      level: share of the corpora whose score lies within.
    """
    found = [report.of_sums(weights) for weights in _drawn(len(report.images), resamples, seed)]
    ends = np.quantile(np.concatenate(found), [(1 - level) / 2, (1 + level) / 2], axis=0)
    return dict(zip(report.names, map(tuple, ends.T.tolist()), strict=True))


def compared(
    report: Report, other: Report, resamples: int = 1000, seed: int = 0
) -> dict[str, Compared]:
    """Whether two systems differ, by approximate randomisation (Noreen, 1989; two-sided).

    Were they the same, it would not matter which of them an image's caption is from: so captions
    are exchanged at random, an image at a time.

    Args:
      report: of one system.
      other: of the other, on the same images.
      resamples: exchanges that are drawn.
      seed: of the draws.

    Returns:
      The scores that both have.

    Raises:
      UserError: the images are not the same.
    """
    if report.images != other.images:
        raise UserError("Two systems are compared on the same images only.")
    report, other = _common(report, other), _common(other, report)
    every = np.ones((1, len(report.images)))
    difference = report.of_sums(every) - other.of_sums(every)
    rng = np.random.default_rng(seed)
    greater = np.zeros(len(report.names))
    for count in _counts(resamples):
        kept = rng.integers(0, 2, (count, len(report.images)))
        mixed, rest = (_mixed(report, other, each) for each in (kept, 1 - kept))
        greater += (np.abs(mixed - rest) >= np.abs(difference) - 1e-12).sum(axis=0)
    p = (greater + 1) / (resamples + 1)
    return {
        name: Compared(*row)
        for name, row in zip(report.names, np.stack([difference[0], p], 1).tolist(), strict=True)
    }


def _common(report: Report, other: Report) -> Report:
    """Without what the other lacks."""
    return replace(report, tallies=tuple(t for t in report.tallies if {*t.names} <= {*other.names}))


def _mixed(
    report: Report, other: Report, kept: Int[np.ndarray, "many images"]
) -> Float[np.ndarray, "many names"]:
    """The scores where so many images are of the one system, and the others of the other."""
    images = np.full(len(kept), kept.shape[1], np.float64)
    found = [
        mine.scores(kept @ mine.counts + (1 - kept) @ theirs.counts, images)
        for mine, theirs in zip(report.tallies, other.tallies, strict=True)
    ]
    return np.concatenate(found, axis=1)


def _drawn(images: int, resamples: int, seed: int) -> Iterator[Int[np.ndarray, "many images"]]:
    """How often each image stands in corpora of as many images."""
    rng = np.random.default_rng(seed)
    for count in _counts(resamples):
        rows = rng.integers(0, images, (count, images)) + images * np.arange(count)[:, None]
        yield np.bincount(rows.ravel(), minlength=count * images).reshape(count, images)


def _counts(resamples: int) -> Iterator[int]:
    for first in range(0, resamples, _AT_ONCE):
        yield min(_AT_ONCE, resamples - first)
