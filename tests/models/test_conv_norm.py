"""Convolutions: by either depthwise way, and with the padding of either framework."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcap.models.conv_norm import convolve, depthwise, pads, shifted_products


@pytest.mark.parametrize("padding", ["same", "symmetric"])
@pytest.mark.parametrize("size", [(1, 2), (7, 8), (8, 7)])
@pytest.mark.parametrize("kernel", [(3, 3), (5, 5), (1, 7)])
@pytest.mark.parametrize("stride", [1, 2])
def test_shifted_products_are_the_depthwise_convolution(size, kernel, stride, padding):
    a, b = jax.random.split(jax.random.key(0))
    x, w = jax.random.normal(a, (2, *size, 6)), jax.random.normal(b, (*kernel, 1, 6))
    ways = jax.jit(
        lambda x, w: [way(x, w, stride, padding) for way in (convolve, shifted_products)]
    )
    expected, ours = ways(x, w)
    assert ours.shape == (2, -(-size[0] // stride), -(-size[1] // stride), 6)
    np.testing.assert_allclose(ours, expected, rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "tensorflow", "pytorch"),
    [
        ((6, 7), (3, 3), 1, [(1, 1), (1, 1)], [(1, 1), (1, 1)]),
        ((6, 7), (3, 3), 2, [(0, 1), (1, 1)], [(1, 1), (1, 1)]),
        ((6, 7), (7, 7), 2, [(2, 3), (3, 3)], [(3, 3), (3, 3)]),
        ((6, 7), (1, 1), 2, [(0, 0), (0, 0)], [(0, 0), (0, 0)]),
        ((6, 7), (1, 7), 1, [(0, 0), (3, 3)], [(0, 0), (3, 3)]),
    ],
)
def test_each_framework_pads_in_its_own_way(size, kernel, stride, tensorflow, pytorch):
    assert pads(size, kernel, stride, "same") == tensorflow
    assert pads(size, kernel, stride, "symmetric") == pytorch
    assert pads(size, kernel, stride, "valid") == [(0, 0), (0, 0)]


@pytest.mark.parametrize(("platform", "convolves"), [("cpu", False), ("cuda", True), ("tpu", True)])
def test_each_platform_gets_its_own_depthwise_convolution(platform, convolves):
    traced = jax.jit(lambda x, w: depthwise(x, w, 1, "same")).trace(
        jnp.ones((1, 4, 4, 6)), jnp.ones((3, 3, 1, 6))
    )
    text = traced.lower(lowering_platforms=(platform,)).as_text()
    assert ("stablehlo.convolution" in text) == convolves
