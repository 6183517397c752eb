"""Products of rows with the matrices of a model; for a few rows on a CPU, the other way round.

A step has few rows, one for each stream, and reads all matrices for them: it takes as long as
memory does. On a CPU, XLA comes near that only where the matrix is the left factor, with its
outputs first in memory too, and falls far behind where it is not so laid out. So whoever decodes
gives the model a second collection, `TURNED`, with the matrices laid out like that.
"""

import math
from collections.abc import Callable
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict, unflatten_dict
from jaxtyping import Array, Float

TURNED = "turned"
FEW = 48  # rows; from 64 on the usual order is about as fast


class Dense(nn.Module):
    """x @ kernel + bias.

    Attributes:
      features: N.
      dtype: of the computation.
      use_bias: whether there is one.
      kernel_init: of the kernel.
    """

    features: int
    dtype: str
    use_bias: bool = True
    kernel_init: Callable[..., Array] = nn.initializers.lecun_normal()

    @nn.compact
    def __call__(self, x: Float[Array, "*B D"]) -> Float[Array, "*B N"]:
        shape = (x.shape[-1], self.features)
        kernel = self.param("kernel", self.kernel_init, shape, jnp.float32)
        y = times_kernel(self, x.astype(self.dtype), kernel)
        if self.use_bias:
            bias = self.param("bias", nn.initializers.zeros, (self.features,)).astype(self.dtype)
            y = y + jnp.expand_dims(bias, range(y.ndim - 1))
        return y


def times_kernel(
    module: nn.Module, x: Float[Array, "*B D"], kernel: Float[Array, "D N"]
) -> Float[Array, "*B N"]:
    """The product with a module's parameter `kernel`, in the type of x."""
    if module.has_variable(TURNED, "kernel") and _are_few(x):
        return _turned_first(x, module.get_variable(TURNED, "kernel"), None)
    return jnp.einsum("...d,dn->...n", x, kernel.astype(x.dtype))


def times_table(x: Float[Array, "*B D"], table: Float[Array, "V D"]) -> Float[Array, "*B V"]:
    """Products of rows with the rows of a table, in float32; a table has its outputs first."""

    def rows_first(x: Array, table: Array) -> Array:
        return jnp.einsum("...d,vd->...v", x, table, preferred_element_type=jnp.float32)

    if not _are_few(x):
        return rows_first(x, table.astype(x.dtype))

    def table_first(x: Array, table: Array) -> Array:
        return _turned_first(x, table, jnp.float32)

    return jax.lax.platform_dependent(x, table.astype(x.dtype), cpu=table_first, default=rows_first)


def for_steps(variables: Any) -> Any:
    """The variables of a model that is to decode: on a CPU, its decoder's matrices turned as well.

    They are a second copy, so this is done once and not for every batch.
    """
    if jax.default_backend() != "cpu":
        return variables
    kernels = {
        path: leaf
        for path, leaf in flatten_dict(variables["params"]["decoder"]).items()
        if path[-1] == "kernel"
    }
    # Out of the heads all dimensions but the last are inputs, anywhere else the first alone is.
    turned = {
        path: _turn(leaf, leaf.ndim - 1 if "out" in path else 1) for path, leaf in kernels.items()
    }
    return {**variables, TURNED: {"decoder": unflatten_dict(turned)}}


def _turn(kernel: Array, inputs: int) -> Float[Array, "N D"]:
    """A kernel of so many dimensions of inputs, and some of outputs, as a matrix."""
    return kernel.reshape(math.prod(kernel.shape[:inputs]), -1).T


def _are_few(x: Array) -> bool:
    rows = math.prod(x.shape[:-1])
    return isinstance(rows, int) and rows <= FEW  # a program for any batch does not know them


def _turned_first(x: Array, matrix: Float[Array, "N D"], dtype: Any) -> Array:
    rows = x.reshape(-1, x.shape[-1])
    y = jnp.einsum("nd,md->nm", matrix.astype(x.dtype), rows, preferred_element_type=dtype)
    # Without a barrier XLA would put this turn into the product, and the rows first again.
    return jax.lax.optimization_barrier(y).T.reshape(*x.shape[:-1], len(matrix))
