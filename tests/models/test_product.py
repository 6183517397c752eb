"""Matrices that are turned for steps change nothing that is said, and are there where it pays."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from test_contract import MEMORY, TOKENS, model_of, stepwise, teacher, variables_of

from jaxcap.models.product import FEW, TURNED, Dense, for_steps, times_table


@pytest.mark.parametrize("kind", ["cross", "prefix", "lstm up-down", "gru merge"])
def test_steps_with_turned_matrices_give_the_logits_of_teacher_forcing(kind):
    variables = for_steps(variables_of(kind))
    program = jax.jit(stepwise, static_argnums=0)
    logits = program(model_of(kind=kind), variables, MEMORY, TOKENS)
    np.testing.assert_allclose(logits, teacher(kind)(MEMORY, TOKENS), rtol=1e-4, atol=1e-4)


def test_every_kernel_of_the_decoder_is_turned_and_no_other():
    variables = variables_of("cross")
    turned = for_steps(variables)[TURNED]
    assert turned.keys() == {"decoder"}
    kernels = [
        (path, leaf)
        for path, leaf in jax.tree_util.tree_leaves_with_path(variables["params"]["decoder"])
        if "kernel" in str(path)
    ]
    assert len(jax.tree.leaves(turned)) == len(kernels) > 10
    assert sum(leaf.size for leaf in jax.tree.leaves(turned)) == sum(x.size for _, x in kernels)


@pytest.mark.parametrize("rows", [1, FEW, FEW + 1])
def test_a_few_rows_are_multiplied_by_the_turned_matrix(rows):
    """Which another matrix in its place shows."""
    x = jnp.asarray(np.random.default_rng(0).normal(size=(rows, 6)), jnp.float32)
    dense = Dense(4, "float32")
    params = dense.init(jax.random.key(0), x)["params"]
    given = {"params": params, TURNED: {"kernel": 2 * params["kernel"].T}}
    plain, found = dense.apply({"params": params}, x), dense.apply(given, x)
    np.testing.assert_allclose(found, plain * (2 if rows <= FEW else 1), rtol=1e-5)


@pytest.mark.parametrize("rows", [3, FEW + 2])
def test_products_with_a_table_are_float32_whatever_the_rows(rows):
    rng = np.random.default_rng(0)
    x, table = rng.normal(size=(2, rows // 2, 6)), rng.normal(size=(9, 6))
    found = jax.jit(times_table)(x.astype(jnp.bfloat16), jnp.asarray(table, jnp.float32))
    assert found.dtype == jnp.float32
    assert found.shape == (2, rows // 2, 9)
    np.testing.assert_allclose(found, np.einsum("abd,vd->abv", x, table), atol=0.1)


def test_elsewhere_than_on_a_cpu_nothing_is_turned(monkeypatch):
    monkeypatch.setattr(jax, "default_backend", lambda: "tpu")
    assert for_steps(variables_of("cross")) is variables_of("cross")
