"""From an alignment to a score: what is counted of one caption, and the formula."""

from collections.abc import Sequence, Set

import numpy as np
from jaxtyping import Int

from jaxcap.metrics.meteor.matches import Match

# Tuned on human rankings of English (Denkowski and Lavie, 2014). Weights by stage.
_WEIGHTS = np.array([1.0, 0.6, 0.8, 0.6])
_ALPHA, _BETA, _GAMMA, _DELTA = 0.85, 0.2, 0.6, 0.75

_BY_STAGE = slice(4, 20)


def meteor_counts(
    words: Sequence[str],
    reference: Sequence[str],
    alignment: Sequence[Match],
    function_words: Set[str],
) -> Int[np.ndarray, "23"]:
    """What METEOR needs to know of one image; the counts of a corpus are the sum of its images'.

    Returns:
      words of the caption and of the reference, function words of both; for each of the four stages
      the matched content words of both and the matched function words of both; chunks, matched
      words of the caption and of the reference. A caption that is its reference has no chunks.
    """
    by_stage = np.zeros((4, 2, 2), np.int64)
    chunks = 0
    end = reference_end = -1
    for match in alignment:
        chunks += (match.start, match.reference_start) != (end, reference_end)
        end = match.start + match.length
        reference_end = match.reference_start + match.reference_length
        for side, matched in enumerate(
            (words[match.start : end], reference[match.reference_start : reference_end])
        ):
            for word in matched:
                by_stage[match.stage, int(word in function_words), side] += 1
    sides = by_stage.sum(axis=(0, 1))
    if chunks == 1 and sides.tolist() == [len(words), len(reference)]:
        chunks = 0
    functions = [sum(word in function_words for word in text) for text in (words, reference)]
    lengths = [len(words), len(reference), *functions]
    return np.array([*lengths, *by_stage.ravel(), chunks, *sides], np.int64)


def meteor_score(counts: Int[np.ndarray, "23"]) -> float:
    """METEOR (Denkowski and Lavie, 2014) of the counts of an image or a corpus, 0 to 1."""
    lengths, functions = counts[:2], counts[2:4]
    matched = np.tensordot(_WEIGHTS, counts[_BY_STAGE].reshape(4, 2, 2), axes=1)
    content_and_function = np.array([_DELTA, 1 - _DELTA])
    weighted = content_and_function @ matched
    total = content_and_function @ np.stack([lengths - functions, functions])
    if not weighted.all():
        return 0.0
    precision, recall = weighted / total
    mean = 1 / ((1 - _ALPHA) / precision + _ALPHA / recall)
    chunks, *matched_words = counts[-3:]
    fragmentation = chunks / np.mean(matched_words)
    return float(mean * (1 - _GAMMA * fragmentation**_BETA))
