"""ROUGE-L as the COCO scorer computes it: the longest common subsequence, recall favoured."""

from collections.abc import Sequence

_BETA = 1.2


def rouge_l(prediction: Sequence[str], references: Sequence[Sequence[str]]) -> float:
    """ROUGE-L (Lin, 2004) of one image, 0 to 1.

    Precision and recall are each the best over the references, as in the scorer: they may come
    from different ones. A caption without words counts as one empty word, as in the scorer too.
    """
    words = prediction or [""]
    sentences = [reference or [""] for reference in references]
    common = [longest_common_subsequence(words, sentence) for sentence in sentences]
    precision = max(common) / len(words)
    recall = max(n / len(sentence) for n, sentence in zip(common, sentences, strict=True))
    if precision == 0:
        return 0.0
    return (1 + _BETA**2) * precision * recall / (recall + _BETA**2 * precision)


def longest_common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """The length of the longest common subsequence, a row of the usual table in one integer.

    Bit i of `row` is 0 where the table grows by one at a[i] (Hyyro, Bit-parallel LCS-length
    computation revisited, 2004).
    """
    places: dict[str, int] = {}
    for i, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << i
    full = (1 << len(a)) - 1
    row = full
    for word in b:
        here = row & places.get(word, 0)
        row = ((row + here) | (row - here)) & full
    return len(a) - row.bit_count()
