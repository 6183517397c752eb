"""Markov chains built by hand, whose best captions are known without any search."""

from functools import partial

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from toy import BOS, EOS, PAD, on_host

from jaxcap.decode import Search, decode

A, B, C, D = 3, 4, 5, 6


def chain(words):
    """Log-probabilities [V, V], from word to word, of {word: {next word: probability}}."""
    table = np.full((7, 7), -1e9, np.float32)
    for before, after in words.items():
        for word, probability in after.items():
            table[before, word] = np.log(probability)
    return table


@partial(jax.jit, static_argnames=("search", "bos", "eos", "pad"))
def follow(table, search, bos, eos, pad):
    return decode(
        lambda state, token, t: (table[token], state),
        (),
        search,
        prompt=jnp.zeros((1, 0), jnp.int32),
        prompt_len=jnp.zeros(1, jnp.int32),
        keys=jax.random.split(jax.random.key(0), 1),
        bos=bos,
        eos=eos,
        pad=pad,
    )


def captions(table, search, bos=BOS, eos=EOS, pad=PAD):
    """What a search finds for one image."""
    return on_host(follow(table, search, bos, eos, pad))


def test_beams_find_the_optimum_that_greedy_misses():
    # A begins better (0.6 against 0.4) and ends worse (0.5 against 0.9).
    table = chain(
        {BOS: {A: 0.6, B: 0.4}, A: {EOS: 0.5, C: 0.25, D: 0.25}, B: {EOS: 0.9, C: 0.1}}
        | {C: {EOS: 1.0}, D: {EOS: 1.0}}
    )
    greedy = captions(table, Search(max_len=3, length_penalty=0.0))
    assert greedy.tokens[0].tolist() == [[A, EOS, PAD]]
    np.testing.assert_allclose(np.exp(greedy.scores[0]), [0.3], rtol=1e-5)
    beams = captions(table, Search(beams=2, max_len=3, length_penalty=0.0))
    assert beams.tokens[0].tolist() == [[B, EOS, PAD], [A, EOS, PAD]]
    np.testing.assert_allclose(np.exp(beams.scores[0]), [0.36, 0.3], rtol=1e-5)
    np.testing.assert_allclose(
        np.exp(beams.logps[0]), [[0.4, 0.9, 1.0], [0.6, 0.5, 1.0]], rtol=1e-5
    )


@pytest.mark.parametrize(("stop", "patient"), [(0.6, {"never"}), (0.49, {False, "never"})])
def test_early_stopping_is_the_patience_with_live_beams(stop, patient):
    # After two words the pool is full: "EOS" scores log(0.4) = -0.92, "A EOS" -0.78 or -0.88.
    # The live beam "A C" is at log(0.14) / 2 = -0.98 in one case, worse than both, and at
    # log(0.1785) / 2 = -0.86 in the other. It ends at a quarter of its logarithm: far better.
    table = chain(
        {BOS: {EOS: 0.4, A: 0.35, B: 0.25}, A: {EOS: stop, C: 1 - stop}, B: {C: 0.5, D: 0.5}}
        | {C: {D: 1.0}, D: {EOS: 1.0}}
    )
    for early_stopping in (True, False, "never"):
        search = Search(beams=2, max_len=6, early_stopping=early_stopping)
        best = captions(table, search).tokens[0, 0].tolist()
        if early_stopping in patient:
            assert best == [A, C, D, EOS, PAD, PAD]
        else:
            assert best == [A, EOS, PAD, PAD, PAD, PAD]


def test_a_group_leaves_the_words_of_those_before_it():
    # The first group takes A. The second has A at log(0.5) - 1 = -1.69 and takes B, at -1.20. The
    # third has A at -1.69, B at -2.20 and C at -1.90. The ends are no tokens to go on with.
    table = chain(
        {BOS: {A: 0.5, B: 0.3, C: 0.15, D: 0.05}}
        | {A: {EOS: 1.0}, B: {EOS: 1.0}, C: {EOS: 1.0}, D: {EOS: 1.0}}
    )
    settings = {"beams": 3, "max_len": 2, "length_penalty": 0.0, "groups": 3}
    found = captions(table, Search(diversity=1.0, **settings))
    assert found.tokens[0].tolist() == [[A, EOS], [B, EOS], [A, EOS]]
    expected = np.log([0.5, 0.3, 0.5]) - [0.0, 0.0, 1.0]
    np.testing.assert_allclose(found.scores[0], expected, rtol=1e-5)


@pytest.mark.parametrize("beams", [1, 3])
def test_one_id_may_be_beginning_end_and_padding(beams):
    # As in GPT-2. The chain goes on from EOS as from BOS, so that only the padding may differ.
    table = np.random.default_rng(0).normal(size=(7, 7)).astype(np.float32)
    table[:, EOS] += 3  # so that captions end before their last place, and there is padding
    table[EOS] = table[BOS]
    search = Search(beams=beams, max_len=6, min_len=1, no_repeat_ngram=2, suppress=(PAD, BOS))
    apart = captions(table, search)
    shared = captions(table, search, bos=EOS, pad=EOS)
    assert (apart.tokens == PAD).any()
    np.testing.assert_array_equal(shared.tokens, np.where(apart.tokens == PAD, EOS, apart.tokens))
    np.testing.assert_array_equal(shared.scores, apart.scores)
    np.testing.assert_array_equal(shared.logps, apart.logps)


@pytest.mark.parametrize("beams", [1, 3])
def test_the_beginning_is_a_token_that_was_said(beams):
    # So an end of the same id would be the second of its kind: no caption closes.
    table = np.zeros((7, 7), np.float32)
    table[:, EOS] = 3
    search = Search(beams=beams, max_len=3, no_repeat_ngram=1, suppress=(PAD, BOS))
    assert (captions(table, search).tokens == EOS).any()
    assert not (captions(table, search, bos=EOS).tokens == EOS).any()
