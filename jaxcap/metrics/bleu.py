"""BLEU-1 to BLEU-4 as the COCO scorer computes it, from the counts that sacrebleu takes."""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, Int
from sacrebleu.metrics.bleu import BLEU

ORDER = 4

# The scorer's smoothing: the first keeps zero matches from being a zero, the second guards the
# division. An image without any n-gram in common so scores about 1e-4 or less, not 0.
_TINY = 1e-15
_SMALL = 1e-9

# `force`: the words are tokenized already, which sacrebleu would warn of.
_counter = BLEU(tokenize="none", force=True, effective_order=True, max_ngram_order=ORDER)


def bleu_counts(
    prediction: Sequence[str], references: Sequence[Sequence[str]]
) -> Int[np.ndarray, "10"]:
    """What BLEU needs to know of one image; the counts of a corpus are the sum of its images'.

    Returns:
      matching n-grams for n = 1 to 4 (clipped by the reference that has most of them), n-grams of
      the prediction for n = 1 to 4, its length, and that of the reference nearest in length (the
      shorter of two).
    """
    found = _counter.sentence_score(" ".join(prediction), [" ".join(words) for words in references])
    return np.array([*found.counts, *found.totals, found.sys_len, found.ref_len], np.int64)


def bleu(counts: Int[np.ndarray, "*images 10"]) -> Float[np.ndarray, "*images 4"]:
    """BLEU-1 to BLEU-4 (Papineni et al., 2002), 0 to 1, of the counts of an image or a corpus."""
    matching, total = counts[..., :ORDER], counts[..., ORDER : 2 * ORDER]
    length, reference_length = counts[..., -2, None], counts[..., -1, None]
    precision = (matching + _TINY) / (total + _SMALL)
    mean = np.cumprod(precision, axis=-1) ** (1 / np.arange(1, ORDER + 1))
    ratio = (length + _TINY) / (reference_length + _SMALL)
    return mean * np.exp(np.minimum(0, 1 - 1 / ratio))
