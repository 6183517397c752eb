"""How long a caption is in words: counted as people count them, and held to it by the search."""

import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcap.data.text import build_tokenizer
from jaxcap.decode import Search
from jaxcap.decode.words import Words, keep_length
from jaxcap.errors import UserError

CAPTIONS = ["a dog runs, fast!", "two café-goers don't mind the dogs' t-shirts", "a dog, 3 dogs"]
PIECES = ("a", "dog", "runs", "dogs", "mind", ",", "!", "-", "3", "t-shirts", "café", "don't")
PIECES += ('"stop"', "(dog)")
TOKENIZERS = {
    "word": build_tokenizer("word", CAPTIONS),
    "bpe": build_tokenizer("bpe", CAPTIONS, vocab_size=290),
}


def words_of(text):
    """Those with a letter, a digit or a byte of one beyond ASCII."""
    return [
        word
        for word in text.split()
        if any(at.isalnum() or 0xDC80 <= ord(at) <= 0xDCFF for at in word)
    ]


@pytest.mark.parametrize("kind", TOKENIZERS)
@settings(deadline=None, max_examples=60)
@given(st.data())
def test_words_are_counted_as_in_the_text(kind, data):
    tokenizer = TOKENIZERS[kind]
    texts = st.sampled_from(PIECES)
    ids = tokenizer.encode(" ".join(data.draw(st.lists(texts, max_size=6))))
    said = np.array([[[tokenizer.bos, *ids, tokenizer.eos, tokenizer.pad]]], np.int32)
    begun = Words.of(tokenizer).begun(jnp.asarray(said), jnp.int32(1 + len(ids)))
    assert begun.sum() == len(words_of(tokenizer.decode(ids)))


@pytest.mark.parametrize("kind", TOKENIZERS)
def test_only_the_end_or_a_new_word_is_ever_forbidden(kind):
    """Before two words no end; after two no third, but the second may go on."""
    tokenizer = TOKENIZERS[kind]
    V, words = tokenizer.vocab_size, Words.of(tokenizer)
    texts = tokenizer.spelt
    for text, ends, begins in (
        ("a", False, True),
        ("a dog", True, False),
        ('a dog "', True, False),
        ("", False, True),
    ):
        ids = tokenizer.encode(text)
        said = jnp.asarray([[[tokenizer.bos, *ids]]], jnp.int32)
        scores = jnp.zeros((1, 1, V + 3))  # a model has more words than its tokenizer
        limits = Search(min_words=2, max_words=2)
        kept = keep_length(scores, said, jnp.int32(1 + len(ids)), words, limits, tokenizer.eos)
        allowed = np.asarray(kept[0, 0]) == 0
        assert allowed[tokenizer.eos] == ends
        for id in range(V):
            new = len(words_of(f"{text}{texts[id]}")) > len(words_of(text))
            if kind == "word":
                new = bool(words_of(texts[id]))
            if id != tokenizer.eos and text:
                assert allowed[id] == (begins or not new), (text, texts[id])
        assert allowed[V:].all()


def test_limits_that_cannot_be():
    with pytest.raises(UserError, match=r"max_words is 2; expected .* min_words \(3\)"):
        Search(min_words=3, max_words=2)
    with pytest.raises(UserError, match="min_words is -1"):
        Search(min_words=-1)
