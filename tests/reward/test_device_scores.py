"""CIDEr-D and BLEU-4 on the device beside those of the scores, which are the COCO scorer's."""

import json
from functools import cache

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewarded import as_tokens, of_images, on_device, words

from jaxcap.data.text import build_tokenizer
from jaxcap.metrics.bleu import bleu as bleu_of_counts
from jaxcap.metrics.bleu import bleu_counts
from jaxcap.metrics.cider import Idf
from jaxcap.metrics.cider import cider as cider_of_words
from jaxcap.reward.bleu import bleu
from jaxcap.reward.cider import cider
from jaxcap.reward.codes import ngrams
from jaxcap.reward.rarity import Rarity
from jaxcap.reward.spelling import Spelling

CORPUS = [
    [words("a dog runs on the grass"), words("a brown dog runs")],
    [words("a cat sleeps"), words("the cat sleeps on a bed all day"), words("a cat")],
    [words("two dogs and a cat run on a green field")],
    [words("a man rides a horse on the grass"), words("a man on a horse")],
]
RARITY = Rarity.of(CORPUS)
IDF = Idf.of(CORPUS)
WORDS = sorted({word for each in CORPUS for caption in each for word in caption})
CAPTION = st.lists(st.sampled_from([*WORDS, "unheard"]), max_size=9)
REFERENCE = st.lists(st.sampled_from(WORDS), min_size=1, max_size=9)


@cache
def compiled(score):
    return jax.jit(score)


def both(captions, references):
    """(CIDEr, BLEU-4) of one image's captions."""
    rows = [on_rows(captions), on_rows(references)]
    return (np.asarray(compiled(score)(*rows))[0] for score in (_cider, bleu))


def _cider(captions, references):
    return cider(captions, references, RARITY)


def on_rows(captions):
    """[1, 3, 9] words, whatever the captions are, so that one program is compiled for all."""
    rows = on_device([*captions, *[[]] * (3 - len(captions))], 9)
    return jax.tree.map(lambda x: x[None], rows)


@settings(deadline=None, max_examples=100)
@given(st.lists(CAPTION, min_size=1, max_size=3), st.lists(REFERENCE, min_size=1, max_size=3))
def test_captions_are_scored_as_the_scores_score_them(captions, references):
    ciders, bleus = both(captions, references)
    for place, caption in enumerate(captions):
        assert ciders[place] == pytest.approx(cider_of_words(caption, references, IDF), abs=1e-5)
        expected = bleu_of_counts(bleu_counts(caption, references))[3]
        assert bleus[place] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize("count", [1, 2, 4])
def test_rarity_is_that_of_the_scores(count):
    corpus = CORPUS[:count]
    rarity, idf = Rarity.of(corpus), Idf.of(corpus)
    for caption in [caption for each in CORPUS for caption in each]:
        for n, codes in enumerate(ngrams(on_device([caption]).codes), start=1):
            expected = [
                idf.weights.get(tuple(caption[at : at + n]), idf.unseen)
                for at in range(len(caption) - n + 1)
            ]
            np.testing.assert_allclose(rarity(codes)[0], expected, rtol=1e-6)


def test_the_table_tells_codes_apart_that_are_half_alike():
    """With a first half that is the same for all, only the second is left to tell by."""
    codes = RARITY.codes._replace(first=np.zeros_like(RARITY.codes.first))
    half = RARITY._replace(codes=codes, alike=len(codes.first))
    np.testing.assert_array_equal(half(codes), RARITY.weights)
    np.testing.assert_allclose(half(codes._replace(second=~codes.second)), RARITY.unseen)


@pytest.mark.parametrize("name", ["coco_test_magic", "flickr30k_test_magic"])
@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_golden_captions_have_the_golden_scores(name, kind, reference_data):
    """Words by a vocabulary that has all of them, and in pieces of words."""
    file = json.loads((reference_data / "golden" / f"{name}.json").read_text())
    said, told = file["ptb_predictions"], file["ptb_references"]
    references = [[text.split() for text in told[image]] for image in said]
    tokenizer = build_tokenizer(kind, said.values(), vocab_size=1500)
    spelling = Spelling.of(tokenizer, tokenizer.vocab_size)
    tokens, real = as_tokens(tokenizer, list(said.values()), 48)
    rarity, theirs = Rarity.of(references), of_images(references)

    @jax.jit
    def scores(tokens, real, theirs):
        mine = spelling.words(tokens[:, None], real[:, None], end=False)
        return cider(mine, theirs, rarity), bleu(mine, theirs)

    for found, metric in zip(scores(tokens, real, theirs), ("CIDEr", "Bleu_4"), strict=True):
        expected = [file["expected_per_image"][metric][image] for image in said]
        np.testing.assert_allclose(found[:, 0], expected, atol=1e-4)
