"""The Canon layer against a convolution written out, and how it starts."""

import jax
import numpy as np
import pytest

from jaxcap.models.canon import Canon

WORDS = np.random.default_rng(0).normal(size=(2, 3, 7, 4)).astype(np.float32)


@pytest.mark.parametrize("reach", [1, 3, 6])
def test_each_word_takes_from_those_before_it_by_the_gates_of_its_channel(reach):
    gates = np.random.default_rng(1).normal(size=(reach, 4)).astype(np.float32)
    found = jax.jit(Canon(reach, "float32").apply)({"params": {"gates": gates}}, WORDS)
    kernel = np.concatenate([gates[::-1], np.ones((1, 4), np.float32)])
    expected = np.stack(
        [(WORDS[:, :, t : t + reach + 1] * kernel).sum(axis=2) for t in range(7 - reach)],
        axis=2,
    )
    np.testing.assert_allclose(found, expected, rtol=1e-5, atol=1e-6)


def test_it_starts_as_a_sum_that_fades():
    ones = np.ones((1, 1, 3, 4), np.float32)
    found, params = jax.jit(Canon(2, "float32").init_with_output)(jax.random.key(0), ones)
    np.testing.assert_allclose(found, np.full((1, 1, 1, 4), 1 + 1 + 0.5**0.5), rtol=1e-6)
    np.testing.assert_allclose(params["params"]["gates"][:, 0], [1, 0.5**0.5], rtol=1e-6)


def test_with_nothing_before_it_is_no_layer():
    found, params = jax.jit(Canon(0, "float32").init_with_output)(jax.random.key(0), WORDS)
    np.testing.assert_array_equal(found, WORDS)
    assert not jax.tree.leaves(params)
