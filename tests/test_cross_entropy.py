"""The loss against sums written out in numpy, and what must not change it."""

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcap.objective.cross_entropy import cross_entropy

B, K, T, V = 2, 3, 5, 7


@pytest.fixture
def case():
    rng = np.random.default_rng(0)
    logits = 3 * rng.standard_normal((B, K, T, V), np.float32)
    targets = rng.integers(0, V, (B, K, T), np.int32)
    mask = rng.random((B, K, T)) < 0.7
    weights = rng.standard_normal((B, K, T), np.float32)
    return tuple(map(jnp.asarray, (logits, targets, mask, weights)))


def written_out(logits, targets, mask, weights, smoothing):
    """(loss, nll, correct), a token at a time."""
    loss = nll = correct = 0.0
    for place in np.ndindex(B, K, T):
        if not mask[place]:
            continue
        row = np.asarray(logits[place], np.float64)
        logp = row - np.log(np.exp(row).sum())
        told = np.full(V, smoothing / V)
        told[targets[place]] += 1 - smoothing
        loss -= float(weights[place]) * (told * logp).sum()
        nll -= logp[targets[place]]
        correct += row.argmax() == targets[place]
    return loss, nll, correct


@pytest.mark.parametrize("smoothing", [0.0, 0.1, 1.0])
def test_it_is_the_sum_written_out(case, smoothing):
    found = cross_entropy(*case, smoothing)
    expected = written_out(*map(np.asarray, case), smoothing)
    np.testing.assert_allclose(found, expected, rtol=1e-5)


def test_without_smoothing_and_weights_it_is_that_of_optax(case):
    logits, targets, mask, _ = case
    losses = optax.softmax_cross_entropy_with_integer_labels(logits, targets)
    found = cross_entropy(logits, targets, mask, jnp.ones_like(losses))
    np.testing.assert_allclose(found.loss, losses[mask].sum(), rtol=1e-5)
    np.testing.assert_allclose(found.nll, found.loss, rtol=1e-6)


def test_smoothed_it_is_that_of_optax(case):
    logits, targets, mask, _ = case
    labels = optax.smooth_labels(jax.nn.one_hot(targets, V), 0.2)
    losses = optax.softmax_cross_entropy(logits, labels)
    found = cross_entropy(logits, targets, mask, jnp.ones_like(losses), 0.2)
    np.testing.assert_allclose(found.loss, losses[mask].sum(), rtol=1e-5)


def test_padding_has_no_part_in_it(case):
    logits, targets, mask, weights = case
    real = mask[..., None]
    other = (
        jnp.where(real, logits, 1e4 * logits[..., ::-1]),
        jnp.where(mask, targets, (targets + 1) % V),
        mask,
        jnp.where(mask, weights, 1e6),
    )
    for mine, others in zip(cross_entropy(*case, 0.1), cross_entropy(*other, 0.1), strict=True):
        assert mine == others

    def loss(logits):
        return cross_entropy(logits, targets, mask, weights, 0.1).loss

    gradient = jax.grad(loss)(logits)
    assert not gradient[~mask].any()
    assert gradient[mask].all()


def test_a_negative_weight_pushes_the_target_away(case):
    logits, targets, mask, _ = case

    def loss(logits, sign):
        return cross_entropy(logits, targets, mask, jnp.full(mask.shape, sign)).loss

    towards, away = (jax.grad(loss)(logits, sign) for sign in (1.0, -1.0))
    np.testing.assert_array_equal(towards, -away)
    at_target = jnp.take_along_axis(away, targets[..., None], axis=-1)[..., 0]
    assert (at_target[mask] > 0).all()


def test_large_logits_do_not_overflow(case):
    _, targets, mask, weights = case
    logits = jnp.full((B, K, T, V), -3e4).at[..., 0].set(3e4)
    assert all(jnp.isfinite(number) for number in cross_entropy(logits, targets, mask, weights))
