"""BLEU, ROUGE-L and CIDEr by hand, and against slower and plainer ways to the same number."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxcap.metrics.bleu import bleu, bleu_counts
from jaxcap.metrics.cider import Idf, cider
from jaxcap.metrics.rouge import longest_common_subsequence, rouge_l

sentences = st.lists(st.sampled_from("abcde"), max_size=12)
some_words = st.lists(st.sampled_from("abcde"), min_size=4, max_size=12)


def bleu_of(prediction, *references):
    counts = bleu_counts(prediction.split(), [reference.split() for reference in references])
    return bleu(counts).tolist()


def test_bleu_of_three_words_in_four():
    expected = [3 / 4, (3 / 4 * 2 / 3) ** (1 / 2), (3 / 4 * 2 / 3 * 1 / 2) ** (1 / 3)]
    found = bleu_of("a b c d", "a b c e")
    assert found[:3] == pytest.approx(expected)
    assert found[3] == pytest.approx((1 / 4 * 1e-15) ** (1 / 4), rel=1e-4)


def test_bleu_counts_a_repeated_word_no_more_often_than_a_reference_has_it():
    assert bleu_of("a a a", "a b c", "a a c")[0] == pytest.approx(2 / 3)


def test_bleu_punishes_a_prediction_shorter_than_the_nearest_reference():
    assert bleu_of("a b", "a b c d", "a b c d e")[0] == pytest.approx(math.exp(1 - 4 / 2))


def test_bleu_takes_the_shorter_of_two_references_equally_near():
    assert bleu_of("a b c d", "a b c d e", "a b c")[0] == pytest.approx(1)


def test_bleu_of_a_corpus_is_of_the_summed_counts():
    counts = np.stack([bleu_counts(["a"] * 3, [["a"] * 3]), bleu_counts(["b"], [["c"]])])
    assert bleu(counts.sum(axis=0))[0] == pytest.approx(3 / 4)
    assert bleu(counts)[:, 0] == pytest.approx([1, 0], abs=1e-6)


def test_nothing_said_scores_nothing():
    assert bleu_of("", "a b") == pytest.approx([0] * 4)
    assert rouge_l([], [["a"]]) == 0
    assert cider([], [["a"]], Idf.of([[["a"]], [["b"]]])) == 0


@given(some_words, st.lists(sentences, max_size=3))
def test_a_reference_repeated_scores_one(prediction, others):
    references = [*others, prediction]
    assert bleu(bleu_counts(prediction, references)) == pytest.approx([1] * 4)
    assert rouge_l(prediction, references) == pytest.approx(1)


def test_rouge_by_hand():
    recall, precision = 3 / 4, 1.0
    expected = (1 + 1.44) * precision * recall / (recall + 1.44 * precision)
    assert rouge_l(["a", "c", "d"], [["a", "b", "c", "d"]]) == pytest.approx(expected)


def test_rouge_takes_precision_and_recall_from_different_references():
    references = [["a", "b", "x", "x"], ["a"]]
    assert rouge_l(["a", "b"], references) == pytest.approx(1)


@given(sentences, sentences)
def test_the_common_subsequence_against_the_table(a, b):
    table = np.zeros((len(a) + 1, len(b) + 1), int)
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            longer = max(table[i, j + 1], table[i + 1, j])
            table[i + 1, j + 1] = table[i, j] + 1 if x == y else longer
    assert longest_common_subsequence(a, b) == table[-1, -1]


TWO_IMAGES = Idf.of([[["a", "b"]], [["c", "d"]]])


def test_cider_of_the_reference_itself_counts_the_orders_it_has():
    assert cider(["a", "b"], [["a", "b"]], TWO_IMAGES) == pytest.approx(10 * 2 / 4)


def test_cider_punishes_the_difference_in_length():
    expected = 10 * (1 / math.sqrt(2)) / 4 * math.exp(-1 / (2 * 36))
    assert cider(["c"], [["c", "d"]], TWO_IMAGES) == pytest.approx(expected)


def test_cider_clips_a_repeated_word():
    assert cider(["c", "c"], [["c", "d"]], TWO_IMAGES) == pytest.approx(10 / (2 * math.sqrt(2)) / 4)


def test_cider_is_the_mean_over_the_references():
    assert cider(["a", "b"], [["a", "b"], ["x", "y"]], TWO_IMAGES) == pytest.approx(10 / 4)


def test_idf_counts_images_not_captions():
    idf = Idf.of([[["a"], ["a", "b"]], [["a"]], [["c"]]])
    assert idf.weights[("a",)] == pytest.approx(math.log(3 / 2))
    assert idf.weights[("a", "b")] == pytest.approx(math.log(3))
    assert idf.unseen == pytest.approx(math.log(3))


def plain_cider(prediction, references, corpus):
    """The definition, one n at a time, with vectors over all n-grams."""

    def grams(sentence, n):
        return [tuple(sentence[i : i + n]) for i in range(len(sentence) - n + 1)]

    total = 0.0
    for n in range(1, 5):
        seen = [{g for reference in image for g in grams(reference, n)} for image in corpus]
        space = sorted({g for s in (prediction, *references) for g in grams(s, n)})
        idf = np.array([math.log(len(corpus) / max(1, sum(g in s for s in seen))) for g in space])
        mine = np.array([grams(prediction, n).count(g) for g in space]) * idf
        for reference in references:
            theirs = np.array([grams(reference, n).count(g) for g in space]) * idf
            norm = np.linalg.norm(mine) * np.linalg.norm(theirs)
            cosine = np.minimum(mine, theirs) @ theirs / norm if norm else 0.0
            lengths = len(grams(prediction, 2)) - len(grams(reference, 2))
            total += cosine * math.exp(-(lengths**2) / 72) / 4 / len(references)
    return 10 * total


@given(
    sentences,
    st.lists(st.lists(sentences, min_size=1, max_size=3), min_size=1, max_size=4),
)
def test_cider_against_its_definition(prediction, corpus):
    found = cider(prediction, corpus[0], Idf.of(corpus))
    assert found == pytest.approx(plain_cider(prediction, corpus[0], corpus), abs=1e-9)
