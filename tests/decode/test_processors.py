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
from jaxcap.decode.processors import block_ngrams, force_prompt, process, repetition_penalty

B, K, L, V, EOS = 2, 2, 8, 4, 2
SAID = arrays(np.int32, (B, K, L), elements=st.integers(0, V - 1))
WRITTEN = st.integers(0, L - 1)
LOGP = np.asarray(
    jax.nn.log_softmax(np.random.default_rng(0).normal(size=(B, K, V)).astype(np.float32))
)

penalise = jax.jit(functools.partial(repetition_penalty, by=1.3))
blocks = {n: jax.jit(functools.partial(block_ngrams, n=n)) for n in (1, 2, 3)}
force = jax.jit(force_prompt)


def streams():
    return [(b, k) for b in range(B) for k in range(K)]


@settings(deadline=None, max_examples=40)
@given(SAID, WRITTEN)
def test_words_already_said_and_only_they_become_less_likely(said, t):
    found = np.asarray(penalise(LOGP, said, t))
    for b, k in streams():
        before = set(said[b, k, :t].tolist())
        factor = np.array([1.3 if word in before else 1.0 for word in range(V)], np.float32)
        np.testing.assert_allclose(found[b, k], LOGP[b, k] * factor, rtol=1e-6)


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
    np.testing.assert_array_equal(block_ngrams(jnp.asarray(LOGP), said, jnp.int32(L), L + 1), LOGP)


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
    said = jnp.full((B, K, L), 3, jnp.int32)
    lengths = jnp.asarray(prompt_len, jnp.int32)
    return np.asarray(process(jnp.asarray(LOGP), said, jnp.int32(t), lengths, search, EOS))


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


def test_rules_act_together():
    found = processed(Search(repetition_penalty=2.0, no_repeat_ngram=2, min_len=5), t=3)
    expected = LOGP.copy()
    expected[..., 3] = -np.inf  # "3 3" was said: penalised, and blocked
    expected[..., EOS] = -np.inf
    np.testing.assert_array_equal(found, expected)
