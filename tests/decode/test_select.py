"""Competing streams take the best of all continuations; samples follow the distribution."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcap.decode import Search
from jaxcap.decode.select import select, top


@functools.partial(jax.jit, static_argnames="search")
def on_device(scores, logp, total, search):
    return select(scores, logp, total, jax.random.split(jax.random.key(0), 2), search)


def choose(*arrays, search):
    return jax.tree.map(np.asarray, on_device(*arrays, search=search))


def log_probabilities(seed, shape, scale=2.0):
    logits = np.random.default_rng(seed).normal(0, scale, shape).astype(np.float32)
    return logits - np.log(np.exp(logits).sum(axis=-1, keepdims=True))


@settings(deadline=None, max_examples=25)
@given(st.integers(0, 2**32 - 1), st.sampled_from([(2, 3), (3, 5), (3, 20)]), st.booleans())
def test_beams_take_the_best_continuations_of_all_streams(seed, shape, ties):
    K, V = shape
    logp = log_probabilities(seed, (2, K, V))
    if ties:
        logp = np.round(logp) + 0.0  # a sort tells -0 from 0, and the oracle does not
    logp[0, 0, 1] = -np.inf
    total = np.random.default_rng(seed).normal(0, 3, (2, K)).astype(np.float32).round() + 0.0
    found = choose(logp, 2 * logp, total, search=Search(beams=K))
    for b in range(2):
        every = (total[b][:, None] + logp[b]).reshape(-1)
        order = np.argsort(-every, kind="stable")[: min(2 * K, K * V)]
        np.testing.assert_array_equal(found.total[b], every[order])
        np.testing.assert_array_equal(found.parent[b], order // V)
        np.testing.assert_array_equal(found.token[b], order % V)
        np.testing.assert_array_equal(found.logp[b], 2 * logp[b].reshape(-1)[order])


def test_of_equals_the_first_is_taken():
    best, place = top(jnp.array([[1.0, 3.0, 3.0, 2.0, 3.0]]), 3)
    assert (best.tolist(), place.tolist()) == ([[3.0, 3.0, 3.0]], [[1, 2, 4]])


def test_greedy_takes_the_word_of_the_best_score_and_adds_its_log_probability():
    logp, scores = log_probabilities(0, (2, 1, 9)), log_probabilities(1, (2, 1, 9))
    found = choose(scores, logp, np.full((2, 1), -2, np.float32), search=Search())
    np.testing.assert_array_equal(found.token, scores.argmax(-1))
    picked = np.take_along_axis(logp, scores.argmax(-1)[..., None], axis=-1)[..., 0]
    np.testing.assert_array_equal(found.logp, picked)
    np.testing.assert_allclose(found.total, picked - 2, rtol=1e-6)


def test_a_stream_with_no_word_left_is_dead():
    scores = np.full((2, 1, 9), -np.inf, np.float32)
    logp = log_probabilities(0, (2, 1, 9))
    found = choose(scores, logp, np.zeros((2, 1), np.float32), search=Search())
    assert (found.total == -np.inf).all()


STREAMS = 4000


@functools.cache
def draws(**settings):
    """(log-probabilities [V], sampled words [2, STREAMS]) of two images that are alike."""
    logp = log_probabilities(3, 8, scale=0.7)
    search = Search(beams=STREAMS, sample=True, **settings)
    rows = np.broadcast_to(logp, (2, STREAMS, 8))
    found = choose(rows, rows, np.zeros((2, STREAMS), np.float32), search=search)
    np.testing.assert_array_equal(found.parent[0], np.arange(STREAMS))
    np.testing.assert_allclose(found.total, logp[found.token], rtol=1e-6)  # no temperature in it
    return logp, found.token


def kept(logp, settings):
    """The distribution that the settings ask for, in float64."""
    p = np.exp(logp.astype(np.float64) / settings.get("temperature", 1.0))
    order = np.argsort(-p)
    if settings.get("top_k"):
        p[order[settings["top_k"] :]] = 0
    p /= p.sum()
    if settings.get("top_p"):
        size = 1 + int(np.searchsorted(np.cumsum(p[order]), settings["top_p"]))
        p[order[size:]] = 0
    return p / p.sum()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, 8),
        ({"temperature": 2.0}, 8),
        ({"top_k": 3}, 3),
        ({"top_k": 99}, 8),
        ({"top_p": 0.8}, None),
        ({"top_p": 1e-6}, 1),
        ({"temperature": 1.5, "top_k": 5, "top_p": 0.9}, None),
    ],
)
def test_samples_follow_the_softmax_of_the_words_kept(settings, words):
    logp, token = draws(**settings)
    p = kept(logp, settings)
    assert (p > 0).sum() == words if words else 1 < (p > 0).sum() < 8
    for image in range(2):
        share = np.bincount(token[image], minlength=8) / STREAMS
        assert not share[p == 0].any()
        assert (np.abs(share - p) <= 5 * np.sqrt(p * (1 - p) / STREAMS) + 1e-9).all()


def test_samples_at_almost_no_temperature_are_greedy():
    logp, token = draws(temperature=1e-4)
    assert (token == logp.argmax()).all()


def test_images_and_streams_draw_for_themselves():
    _, token = draws()
    assert (token[0] != token[1]).mean() > 0.2
    assert (token[0, ::2] != token[0, 1::2]).mean() > 0.2


def test_a_word_that_is_forbidden_is_never_drawn():
    logp = np.full((2, 500, 4), np.log(0.25), np.float32)
    logp[..., 1] = -np.inf
    total = np.zeros((2, 500), np.float32)
    search = Search(beams=500, sample=True, top_p=0.999, top_k=4)
    assert set(np.unique(choose(logp, logp, total, search=search).token)) == {0, 2, 3}
