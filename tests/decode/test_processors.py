"""Each rule, against the same rule said in a loop over words."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from jaxcap.decode import Search
from jaxcap.decode.processors import (
    block_ngrams,
    block_words,
    force_prompt,
    process,
    repetition_penalty,
)

B, K, L, V, EOS = 2, 2, 8, 4, 2
SAID = arrays(np.int32, (B, K, L), elements=st.integers(0, V - 1))
WRITTEN = st.integers(0, L - 1)
LOGITS = np.random.default_rng(0).normal(size=(B, K, V)).astype(np.float32)
LOGP = LOGITS - np.log(np.exp(LOGITS).sum(-1, keepdims=True))
TAKEN = np.array([[0, 1, 0, 2], [0, 0, 0, 3]], np.float32)
BAD = ((1,), (EOS, 3), (0, 3), (3, 3, 0), (0,) * L, (0,) * (L + 2))

penalise = jax.jit(functools.partial(repetition_penalty, by=1.3))
block_bad = jax.jit(functools.partial(block_words, words=BAD))
blocks = {n: jax.jit(functools.partial(block_ngrams, n=n)) for n in (1, 2, 3)}
force = jax.jit(force_prompt)
under_rules = jax.jit(process, static_argnames=("search", "eos"))


def streams():
    return [(b, k) for b in range(B) for k in range(K)]


@settings(deadline=None, max_examples=40)
@given(SAID, WRITTEN)
def test_words_already_said_and_only_they_become_less_likely(said, t):
    found = np.asarray(penalise(LOGITS, said, t))
    assert (LOGITS > 0).any()
    for b, k in streams():
        before = set(said[b, k, :t].tolist())
        for word, logit in enumerate(LOGITS[b, k]):
            less = logit * 1.3 if logit < 0 else logit / 1.3
            assert found[b, k, word] == pytest.approx(less if word in before else logit, rel=1e-6)


@settings(deadline=None, max_examples=60)
@given(SAID, WRITTEN, st.sampled_from([1, 2, 3]))
def test_exactly_the_words_that_would_repeat_an_ngram_are_blocked(said, t, n):
    found = np.asarray(blocks[n](LOGP, said, t))
    for b, k in streams():
        before = said[b, k, :t].tolist()
        known = {tuple(before[i : i + n]) for i in range(t - n + 1)}
        for word in range(V):
            repeats = tuple([*before, word][-n:]) in known
            assert found[b, k, word] == (-np.inf if repeats else LOGP[b, k, word])


def test_ngrams_longer_than_a_caption_block_nothing():
    said = jnp.zeros((B, K, L), jnp.int32)
    np.testing.assert_array_equal(block_ngrams(jnp.asarray(LOGP), said, jnp.int32(L), L + 2), LOGP)


@settings(deadline=None, max_examples=60)
@given(SAID, WRITTEN)
def test_exactly_the_words_that_would_complete_a_bad_one_are_blocked(said, t):
    found = np.asarray(block_bad(LOGP, said, t))
    for b, k in streams():
        before = said[b, k, :t].tolist()
        for word in range(V):
            bad = any(tuple([*before, word][-len(each) :]) == each for each in BAD)
            assert found[b, k, word] == (-np.inf if bad else LOGP[b, k, word])


@settings(deadline=None, max_examples=40)
@given(
    arrays(np.int32, (B, 3), elements=st.integers(0, V - 1)),
    arrays(np.int32, (B,), elements=st.integers(0, 3)),
    WRITTEN,
)
def test_the_prompt_is_certain_while_it_lasts_and_nothing_after(prompt, prompt_len, t):
    found = np.asarray(force(LOGP, t, prompt, prompt_len))
    for b, k in streams():
        if t < prompt_len[b]:
            assert found[b, k].tolist() == [
                0.0 if word == prompt[b, t] else -np.inf for word in range(V)
            ]
        else:
            np.testing.assert_array_equal(found[b, k], LOGP[b, k])


def processed(search, t, prompt_len=(0, 2)):
    said, lengths = np.full((B, K, L), 3, np.int32), np.array(prompt_len, np.int32)
    return np.asarray(under_rules(LOGP, said, t, lengths, TAKEN, search=search, eos=EOS))


def test_a_search_without_rules_changes_nothing():
    np.testing.assert_array_equal(processed(Search(beams=3), 4), LOGP)


@pytest.mark.parametrize("t", [1, 2, 3, 4, 5])
def test_no_end_before_the_least_length_which_counts_from_the_prompt(t):
    found = processed(Search(min_len=3), t)
    for b, prompt_len in enumerate((0, 2)):
        early = t - prompt_len < 3
        assert (found[b, :, EOS] == -np.inf).all() == early
        np.testing.assert_array_equal(found[b, :, :EOS], LOGP[b, :, :EOS])
        np.testing.assert_array_equal(found[b, :, EOS + 1 :], LOGP[b, :, EOS + 1 :])


@pytest.mark.parametrize("t", [0, 2, 5, 7])
def test_first_and_last_token_are_forced(t):
    found = processed(Search(max_len=6, forced_bos=1, forced_eos=3, no_repeat_ngram=1), t)
    for b, prompt_len in enumerate((0, 2)):
        certain = {(0, 0): 1, (5, 0): 3, (7, 2): 3}.get((t, prompt_len))
        if certain is None:
            assert (np.isfinite(found[b]) == [True, True, True, False]).all()  # "3" was said
        else:
            assert (
                found[b].tolist()
                == [[0.0 if word == certain else -np.inf for word in range(V)]] * K
            )


def test_what_earlier_groups_took_becomes_less_likely():
    found = processed(Search(beams=4, groups=2, diversity=0.5), 3)
    np.testing.assert_allclose(found, LOGP - 0.5 * TAKEN[:, None], rtol=1e-6)


def test_suppressed_words_and_the_end_as_a_bad_word():
    found = processed(Search(suppress=(0, 3), bad_words=((EOS,),)), 3)
    assert (found[..., [0, 3]] == -np.inf).all()
    np.testing.assert_array_equal(found[..., [1, EOS]], LOGP[..., [1, EOS]])


def test_rules_act_together():
    found = processed(Search(repetition_penalty=2.0, no_repeat_ngram=2, min_len=5), t=3)
    expected = LOGP.copy()
    expected[..., 3] = -np.inf  # "3 3" was said: penalised, and blocked
    expected[..., EOS] = -np.inf
    np.testing.assert_array_equal(found, expected)
