"""From an alignment to a score: what is counted of one caption, and the formula."""

from collections.abc import Sequence, Set

import numpy as np
from jaxtyping import Float, Num

from jaxcap.metrics.meteor.matches import Match

# Tuned on human rankings of English (Denkowski and Lavie, 2014). Weights by stage.
_WEIGHTS = np.array([1.0, 0.6, 0.8, 0.6])
_ALPHA, _BETA, _GAMMA = 0.85, 0.2, 0.6
_KINDS = np.array([0.75, 0.25])  # content words, function words

_BY_STAGE = slice(4, 20)


def meteor_counts(
    words: Sequence[str],
    reference: Sequence[str],
    alignment: Sequence[Match],
    function_words: Set[str],
) -> list[int]:
    """What METEOR needs to know of one image; the counts of a corpus are the sum of its images'.

    Returns:
      23 numbers: words of the caption and of the reference, function words of both; for each of
      the four stages the matched content words of both and the matched function words of both;
      chunks, matched words of the caption and of the reference. A caption that is its reference has
      no chunks.
    """
    by_stage = [0] * 16
    chunks = 0
    end = reference_end = -1
    for match in alignment:
        chunks += (match.start, match.reference_start) != (end, reference_end)
        end = match.start + match.length
        reference_end = match.reference_start + match.reference_length
        of_stage = 4 * match.stage
        for word in words[match.start : end]:
            by_stage[of_stage + 2 * (word in function_words)] += 1
        for word in reference[match.reference_start : reference_end]:
            by_stage[of_stage + 2 * (word in function_words) + 1] += 1
    sides = [sum(by_stage[::2]), sum(by_stage[1::2])]
    if chunks == 1 and sides == [len(words), len(reference)]:
        chunks = 0
    functions = [sum(word in function_words for word in text) for text in (words, reference)]
    return [len(words), len(reference), *functions, *by_stage, chunks, *sides]


def meteor_score(counts: Num[np.ndarray, "*N 23"]) -> Float[np.ndarray, "*N"]:
    """METEOR (Denkowski and Lavie, 2014) of the counts of images or corpora, 0 to 1."""
    lengths, functions = counts[..., :2], counts[..., 2:4]
    by_stage = counts[..., _BY_STAGE].reshape(*counts.shape[:-1], 4, 2, 2)
    weighted = _KINDS @ np.tensordot(by_stage, _WEIGHTS, axes=(-3, 0))
    total = _KINDS @ np.stack([lengths - functions, functions], axis=-2)
    nothing = ~weighted.all(axis=-1)
    weighted[nothing] = total[nothing] = 1
    precision, recall = np.moveaxis(weighted / total, -1, 0)
    mean = 1 / ((1 - _ALPHA) / precision + _ALPHA / recall)
    fragmentation = counts[..., -3] / np.maximum(counts[..., -2:].mean(axis=-1), 1)
    return np.where(nothing, 0, mean * (1 - _GAMMA * fragmentation**_BETA))
