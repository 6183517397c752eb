"""Numbers of words and n-grams: alike on host and device, however the letters came in pieces."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewarded import words

from jaxcap.reward.codes import ORDER, Codes, Piece, in_rows, ngrams, reference_words

LETTERS = st.text("abcdefg-'é", min_size=1, max_size=8)


@settings(deadline=None)
@given(st.lists(LETTERS, min_size=1, max_size=4))
def test_the_code_of_a_word_is_put_together_of_the_codes_of_its_pieces(pieces):
    (whole,) = zip(*Codes.of_words(["".join(pieces)]), strict=True)
    for half in (0, 1):
        code = 0
        for piece in map(Piece.of, pieces):
            code = (code * piece.factor[half] + piece.added[half]) % 2**32
        assert code == whole[half]


def test_words_of_a_language_have_codes_of_their_own():
    made = [
        f"{a}{b}{c}{d}"
        for a in "abcdefgh"
        for b in "aeiou"
        for c in "lmnrst"
        for d in ("", *"aeios")
    ]
    codes = Codes.of_words(made)
    assert len(set(zip(*map(np.ndarray.tolist, codes), strict=True))) == len(set(made))
    # Either half tells nearly all of them apart: a half that were constant would show nowhere else.
    for half in codes:
        assert len(np.unique(half)) > 0.99 * len(set(made))


@settings(deadline=None, max_examples=50)
@given(st.lists(st.sampled_from("abcd"), max_size=7))
def test_ngrams_are_alike_where_their_words_are(words):
    codes = ngrams(Codes.of_words(words))
    assert len(codes) == ORDER
    seen = {}
    for n, found in enumerate(codes, start=1):
        mine = [tuple(words[at : at + n]) for at in range(len(words) - n + 1)]
        for ngram, code in zip(mine, zip(*map(np.ndarray.tolist, found), strict=True), strict=True):
            assert seen.setdefault(ngram, code) == code
    assert len(set(seen.values())) == len(seen)


def test_the_device_has_the_same_codes():
    caption = words("a man rides a big brown horse")
    here = ngrams(Codes.of_words(caption))
    there = ngrams(Codes(*map(jnp.asarray, Codes.of_words(caption))))
    for mine, theirs in zip(here, there, strict=True):
        for half, other in zip(mine, theirs, strict=True):
            assert other.dtype == jnp.uint32
            np.testing.assert_array_equal(half, other)


def test_rows_are_padded_and_cut_on_the_right():
    codes, real = in_rows([["a", "b", "c"], [], ["b"]], 2)
    a, b = Codes.of_words(["a", "b"]).first
    np.testing.assert_array_equal(codes.first, [[a, b], [0, 0], [b, 0]])
    np.testing.assert_array_equal(real, [[True, True], [False, False], [True, False]])


@pytest.mark.parametrize("end", [False, True])
def test_a_reference_may_end_in_a_word_for_its_end(end):
    found = reference_words("A dog, sleeping.", end)
    assert found[:3] == ["a", "dog", "sleeping"]
    assert len(found) == 3 + end
