"""The optimizer against AdamW written out, and what each parameter is spared or given."""

import math

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcap.config import base
from jaxcap.errors import UserError
from jaxcap.optim import SCHEDULES, check_parts, optimizer, rate, schedule, split

PARAMS = {
    "encoder/patches/kernel": jnp.full((2, 3), 0.5),
    "encoder/positions": jnp.full((4, 3), 0.5),
    "decoder/embedding": jnp.full((5, 3), 0.5),
    "decoder/layer_0/attention/query/bias": jnp.full((2, 2), 0.5),
    "decoder/norm/scale": jnp.full((3,), 0.5),
}


def settings(**changes):
    config = base().optim
    config.update({"lr": 0.1, "warmup": 0, "final_lr": 1.0, "clip": 0.0, **changes})
    return config


def gradients(seed):
    rng = np.random.default_rng(seed)
    return {
        name: jnp.asarray(rng.standard_normal(p.shape, np.float32)) for name, p in PARAMS.items()
    }


def updates(config, seeds, steps=100):
    tx = optimizer(config, steps, PARAMS)
    state = tx.init(PARAMS)
    for seed in seeds:
        found, state = tx.update(gradients(seed), state, PARAMS)
    return found


def test_the_rate_warms_up_and_falls_as_a_cosine():
    rates = schedule(settings(lr=2.0, warmup=10, final_lr=0.1), 110)
    assert rates(0) == 0
    assert rates(5) == pytest.approx(1.0)
    assert rates(10) == pytest.approx(2.0)
    for step in (35, 60, 85):
        fall = 0.5 * (1 + math.cos(math.pi * (step - 10) / 100))
        assert rates(step) == pytest.approx(0.2 + 1.8 * fall, rel=1e-5)
    assert rates(110) == pytest.approx(0.2)
    assert rates(1000) == pytest.approx(0.2)


@pytest.mark.parametrize(
    ("name", "rate"),
    [
        ("linear", lambda step: 2.0 - 1.8 * min(step, 100) / 100),
        ("constant", lambda step: 2.0),
        # Vaswani et al., arXiv 1706.03762, (3), where the warm-up ends at 2
        ("rsqrt", lambda step: 2.0 * 10**0.5 * min((step + 10) ** -0.5, (step + 10) * 10**-1.5)),
        ("step", lambda step: 2.0 * 0.5 ** (step // 30)),
    ],
)
def test_the_rates_after_the_warm_up(name, rate):
    rates = schedule(
        settings(lr=2.0, warmup=10, final_lr=0.1, schedule=name, decay=0.5, decay_every=30), 110
    )
    for step in range(10):
        assert rates(step) == pytest.approx(0.2 * step)
    for step in (0, 1, 29, 30, 59, 60, 99, 100, 1000):
        assert rates(10 + step) == pytest.approx(rate(step), rel=1e-5)


@pytest.mark.parametrize("name", SCHEDULES)
@pytest.mark.parametrize("steps", [1, 2, 5])
def test_a_run_shorter_than_its_warm_up_has_a_rate_still(steps, name):
    rates = schedule(settings(lr=1.0, warmup=50, schedule=name), steps)
    assert all(0 <= rates(step) <= 1 for step in range(steps + 1))
    assert steps == 1 or rates(steps - 1) > 0


def test_tables_of_what_a_token_is_of_do_not_decay():
    tables = ("bridge/images", "bridge/positions", "decoder/words/segment")
    kernel = "decoder/words/head/kernel"
    params = {name: jnp.ones((2, 3)) for name in (*tables, kernel)}
    tx = optimizer(settings(weight_decay=0.3), 10, params)
    none = {name: jnp.zeros_like(leaf) for name, leaf in params.items()}
    moved, _ = tx.update(none, tx.init(params), params)
    assert {name for name, leaf in moved.items() if np.any(leaf)} == {kernel}


def test_it_is_adamw_written_out():
    config = settings(weight_decay=0.3, b1=0.8, b2=0.9, eps=1e-3)
    found = updates(config, seeds=(1, 2, 3))
    for name, p in PARAMS.items():
        mean = square = 0.0
        for seed in (1, 2, 3):
            g = np.asarray(gradients(seed)[name], np.float64)
            mean, square = 0.8 * mean + 0.2 * g, 0.9 * square + 0.1 * g * g
        step = mean / (1 - 0.8**3) / (np.sqrt(square / (1 - 0.9**3)) + 1e-3)
        decays = name in ("encoder/patches/kernel", "decoder/embedding")
        expected = -0.1 * (step + (0.3 * np.asarray(p) if decays else 0))
        np.testing.assert_allclose(found[name], expected, rtol=1e-4, atol=1e-6)


def test_the_norm_that_is_clipped_is_that_of_all_parts_together():
    """With a huge eps Adam is linear in the gradients, so that their scale shows."""
    config = settings(weight_decay=0.0, b1=0.0, b2=0.0, eps=1e6)
    free, clipped = updates(config, [1]), updates(settings(**{**config, "clip": 0.25}), [1])
    norm = math.sqrt(sum(float((g**2).sum()) for g in gradients(1).values()))
    for name in PARAMS:
        np.testing.assert_allclose(clipped[name], free[name] * 0.25 / norm, rtol=1e-3)


def test_each_part_has_the_rate_of_the_first_regex_that_names_it():
    parts = (("embedding$", 0.5), ("^decoder/", 0.1), ("^(encoder|decoder)/", 3.0))
    plain, found = updates(settings(), [1, 2]), updates(settings(parts=parts), [1, 2])
    for name in PARAMS:
        factor = 0.5 if "embedding" in name else 0.1 if "decoder" in name else 3.0
        assert rate(name, parts) == factor
        np.testing.assert_allclose(found[name], plain[name] * factor, rtol=1e-5)
    assert rate("bridge/project/kernel", parts) == 1


def test_a_factor_of_nothing_freezes_and_an_earlier_regex_may_spare_from_it():
    trained, frozen = split(PARAMS, (("positions$", 1.0), ("^encoder/", 0.0)))
    assert set(frozen) == {"encoder/patches/kernel"}
    assert set(trained) == set(PARAMS) - set(frozen)
    assert split(PARAMS, ()) == (PARAMS, {})


def test_a_part_that_is_not_there_is_refused():
    check_parts(PARAMS, (("^encoder/", 0.0), ("positions", 1.0), ("", 0.1)))
    message = "'\\^encodr/' of optim.parts is found in no .* such as decoder/embedding and encoder"
    with pytest.raises(UserError, match=message):
        check_parts(PARAMS, (("^encoder/", 0.0), ("^encodr/", 0.0)))


def test_parts_may_be_the_lists_that_a_stored_config_holds():
    trained, frozen = split(PARAMS, [["^encoder/", 0.0], ["^decoder/", 0.5]])
    assert set(frozen) == {"encoder/patches/kernel", "encoder/positions"}
    assert jax.tree.structure(trained) == jax.tree.structure(
        {name: p for name, p in PARAMS.items() if name.startswith("decoder/")}
    )
