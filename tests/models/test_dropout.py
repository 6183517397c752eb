"""Dropout: the share it drops, the mean it keeps, and what it leaves alone."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcap.errors import UserError
from jaxcap.models.dropout import Dropout, coins


def apply(x, train=True, seed=0, **settings):
    return Dropout(**settings).apply({}, x, train, rngs={"dropout": jax.random.key(seed)})


@pytest.mark.parametrize("width", [64, 7, 1])
def test_the_share_dropped_is_the_rate_and_the_mean_stays(width):
    y = np.asarray(apply(jnp.ones((4096, width)), rate=0.25))
    tolerance = 5 * (0.25 * 0.75 / y.size) ** 0.5
    assert abs((y == 0).mean() - 0.25) < tolerance
    assert set(np.unique(y)) == {0, np.float32(1 / 0.75)}


@pytest.mark.parametrize("rate", [-0.1, 1.0, 1.5])
def test_a_rate_that_is_no_share_is_refused(rate):
    with pytest.raises(UserError, match=f"dropout of {rate} is no share"):
        apply(jnp.ones((2, 4)), rate=rate)


def test_nearly_all_may_be_dropped():
    assert np.asarray(apply(jnp.ones((64, 64)), rate=0.999)).max() == 256


def test_a_rate_is_rounded_to_the_coin_and_the_scale_follows_it():
    y = np.asarray(apply(jnp.ones((64, 64)), rate=0.3))
    assert y.max() == np.float32(256 / (256 - 77))  # 0.3 * 256 = 76.8


def test_every_place_of_a_vector_is_dropped_equally_often():
    # A word of random bits is cut into four coins: none of the four may differ.
    share = np.asarray(coins(jax.random.key(1), (20_000, 8), 128)).mean(axis=0)
    np.testing.assert_allclose(share, 0.5, atol=5 * (0.25 / 20_000) ** 0.5)


def test_the_coins_of_one_word_are_independent():
    thrown = np.asarray(coins(jax.random.key(2), (20_000, 8), 128)).astype(float)
    related = np.corrcoef(thrown.T) - np.eye(8)
    np.testing.assert_allclose(related, 0, atol=5 / 20_000**0.5)


def test_whole_vectors_are_dropped_where_asked():
    y = np.asarray(apply(jnp.ones((2000, 5)), rate=0.5, whole=True))
    assert (y.min(axis=1) == y.max(axis=1)).all()
    assert 0.4 < (y[:, 0] == 0).mean() < 0.6


@pytest.mark.parametrize(("train", "rate"), [(False, 0.5), (True, 0.0)])
def test_nothing_is_dropped_at_test_or_at_rate_zero(train, rate):
    x = jnp.arange(12.0).reshape(3, 4)
    np.testing.assert_array_equal(apply(x, train, rate=rate), x)


def test_the_key_decides():
    x = jnp.ones((8, 64))
    np.testing.assert_array_equal(apply(x, rate=0.5, seed=3), apply(x, rate=0.5, seed=3))
    assert (apply(x, rate=0.5, seed=3) != apply(x, rate=0.5, seed=4)).any()


def test_bfloat16_stays_bfloat16():
    assert apply(jnp.ones((4, 4), jnp.bfloat16), rate=0.5).dtype == jnp.bfloat16
