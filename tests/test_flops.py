"""The count of FLOPs against counts by hand."""

import jax
import jax.numpy as jnp
import pytest
from jax.sharding import PartitionSpec as P

from jaxcap.flops import flops
from jaxcap.partition import make_mesh

A, B, C = jnp.ones((3, 4, 5)), jnp.ones((3, 5, 7)), jnp.ones((5, 5))
PRODUCT = 2 * 3 * 4 * 5 * 7


def count(function, *args, **how):
    return flops(jax.jit(function).trace(*args).jaxpr, **how)


def product(a, b):
    return jnp.einsum("bij,bjk->bik", a, b)


def test_a_product_and_its_gradient():
    assert count(product, A, B) == PRODUCT
    gradient = jax.grad(lambda a, b: (product(a, b) ** 2).sum(), (0, 1))
    assert count(gradient, A, B) == 3 * PRODUCT
    assert count(jnp.dot, C[0], C[0]) == 2 * 5


@pytest.mark.parametrize(("groups", "each"), [(1, 3 * 3 * 4), (4, 3 * 3)])
def test_a_convolution(groups, each):
    x, kernel = jnp.ones((2, 6, 6, 4)), jnp.ones((3, 3, 4 // groups, 8))

    def convolve(x, kernel):
        return jax.lax.conv_general_dilated(
            x,
            kernel,
            (2, 2),
            "SAME",
            dimension_numbers=("NHWC", "HWIO", "NHWC"),
            feature_group_count=groups,
        )

    forward = 2 * (2 * 3 * 3 * 8) * each
    assert count(convolve, x, kernel) == forward
    gradient = jax.grad(lambda kernel: (convolve(x, kernel) ** 2).sum())
    assert count(gradient, kernel) == 2 * forward


def test_the_rounds_of_a_loop_and_what_is_done_again():
    square = 2 * 5**3

    def scanned(x):
        return jax.lax.scan(lambda x, _: (x @ C, None), x, length=6)[0]

    def looped(x):
        return jax.lax.while_loop(lambda x: x.sum() < 9, scanned, x)

    assert count(scanned, C) == 6 * square
    assert count(looped, C, rounds=4) == 4 * 6 * square
    again = jax.checkpoint(lambda x: jnp.tanh(x @ C) @ C)
    assert count(jax.grad(lambda x: again(x).sum()), C) == (2 + 1 + 2) * square


def test_the_longer_branch_and_all_devices():
    square = 2 * 5**3

    def choose(x):
        return jax.lax.cond(x.sum() > 0, lambda x: x @ C @ C, lambda x: x, x)

    assert count(choose, C) == 2 * square
    mesh = make_mesh({"data": 4, "tensor": 2})
    each = jax.shard_map(
        lambda x: x @ C,
        mesh=mesh,
        in_specs=P("data"),
        out_specs=P("data"),
        axis_names={"data"},
        check_vma=False,
    )
    with jax.set_mesh(mesh):
        assert count(each, jnp.ones((8, 5))) == 8 * 2 * 5 * 5
