"""Words on the device, from ids of words and of pieces of words, beside those of the scores."""

import json
from functools import cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from rewarded import as_tokens, on_device
from tokenizers import AddedToken

from jaxcap.data.text import Tokenizer, build_tokenizer
from jaxcap.metrics.ptb import ptb_words
from jaxcap.reward.codes import END
from jaxcap.reward.spelling import Spelling

CAPTIONS = [
    "A man in a red-and-white T-shirt rides a bike.",
    "Two dogs , one of them brown , play with the girl's ball !",
    "He is at 12:45 on St. Mark's square, with 10,000 others.",
    'A sign says "do not enter": it costs $ 3.50 ... or 1/2 of that',
    "The café of the t.v. tower, (closed) by 5 o'clock",
    "it 's here & there",
]
T = 64


def tokenizers():
    words = build_tokenizer("word", CAPTIONS)
    few = build_tokenizer("bpe", CAPTIONS, vocab_size=262)  # little more than bytes
    many = build_tokenizer("bpe", CAPTIONS, vocab_size=600)
    return {"word": words, "bytes": few, "bpe": many}


TOKENIZERS = tokenizers()


@cache
def read_by(kind, end=False):
    """(tokens, real) -> Words, compiled."""
    spelling = Spelling.of(TOKENIZERS[kind], TOKENIZERS[kind].vocab_size)
    return jax.jit(lambda tokens, real: spelling.words(tokens, real, end))


def assert_words(found, texts, end=False):
    expected = on_device([[*ptb_words(text), *[END] * end] for text in texts], found.real.shape[1])
    np.testing.assert_array_equal(found.real, expected.real)
    for mine, theirs in zip(found.codes, expected.codes, strict=True):
        np.testing.assert_array_equal(np.where(found.real, mine, 0), theirs)


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("text", CAPTIONS)
def test_words_are_those_that_the_scores_count(kind, text):
    assert_words(read_by(kind)(*as_tokens(TOKENIZERS[kind], [text], T)), [text])


WORDS = st.lists(st.sampled_from(" ".join(map(" ".join, map(ptb_words, CAPTIONS))).split()))
MARKS = st.sampled_from(["", ",", ".", " .", " ,", "..."])


@settings(deadline=None, max_examples=60)
@given(st.lists(st.tuples(WORDS, MARKS), max_size=3))
def test_however_words_and_marks_follow_one_another(parts):
    """But for a stop after a stop, of which it is anybody's guess what it belongs to."""
    text = " ".join(
        " ".join(words) + mark * (not " ".join(words).endswith(".")) for words, mark in parts
    )
    assert_words(read_by("bpe")(*as_tokens(TOKENIZERS["bpe"], [text[:T]], T)), [text[:T]])


@pytest.mark.parametrize("kind", TOKENIZERS)
@pytest.mark.parametrize("end", [False, True])
def test_the_end_is_a_word_where_it_is_asked_for_and_said(kind, end):
    tokenizer, words = TOKENIZERS[kind], read_by(kind, end)
    tokens, real = (np.array(each) for each in as_tokens(tokenizer, ["a red dog"], T))
    known = tokenizer.decode(tokens[0][real[0]].tolist())
    assert_words(words(tokens, real), [known])
    place = real.sum()
    tokens[0, place], real[0, place] = tokenizer.eos, True
    assert_words(words(tokens, real), [known], end)


def test_a_word_is_the_same_however_a_model_has_spelt_it():
    tokenizer = TOKENIZERS["bpe"]
    letters = [tokenizer.encode(letter)[0] for letter in "rides"]
    ours = tokenizer.encode("rides")
    assert len(ours) < len(letters)
    rows = np.zeros((2, T), np.int32)
    rows[0, : len(ours)], rows[1, : len(letters)] = ours, letters
    real = np.arange(T)[None] < np.array([[len(ours)], [len(letters)]])
    assert_words(read_by("bpe")(rows, real), ["rides", "rides"])


def test_added_tokens_are_spelt_as_they_are_written():
    """Of a byte-level tokenizer others are in letters for bytes, which a space is not."""
    tokenizer = build_tokenizer("bpe", CAPTIONS, vocab_size=300)
    tokenizer.backend.add_tokens([AddedToken("  a  ", special=False)])
    spelt = Tokenizer(tokenizer.backend, "bpe", tokenizer.roles, "").spelt
    assert spelt[-1] == "  a  "
    assert " the" in spelt
    assert not any(spelt[id] for id in tokenizer.roles.values())


def test_ids_that_say_nothing_are_no_words():
    tokenizer = build_tokenizer("word", CAPTIONS, prompts=("<look>",))
    spelling = Spelling.of(tokenizer, tokenizer.vocab_size + 10)  # a model may have more words
    dog = tokenizer.encode("dogs")[0]
    row = [*tokenizer.encode("<look>"), dog, tokenizer.pad, tokenizer.unk, tokenizer.vocab_size + 5]
    tokens = jnp.asarray([row], jnp.int32)
    assert_words(spelling.words(tokens, jnp.ones(tokens.shape, bool), end=False), ["dogs"])


def test_of_published_predictions_every_word_is_right(reference_data):
    """In pieces of a small vocabulary, of which most words have two or three."""
    file = json.loads((reference_data / "golden" / "coco_test_magic.json").read_text())
    texts = [*file["predictions"].values()]
    tokenizer = build_tokenizer("bpe", texts, vocab_size=1500)
    spelling = Spelling.of(tokenizer, tokenizer.vocab_size)
    tokens, real = as_tokens(tokenizer, texts, T)
    assert_words(spelling.words(tokens, real, end=False), texts)
