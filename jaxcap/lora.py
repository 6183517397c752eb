"""Low-rank adapters: a kernel stays as it is, and a product of two thin matrices is added to it.

LoRA: Hu et al., arXiv 2106.09685. A kernel that reads I numbers and writes O has the adapters
a [I, rank] and b [rank, O]. They are parameters like all others, by the path of their kernel
(`lora/decoder/layers_0/mlp/up/kernel/a`), which is frozen because it has them. The model knows
nothing of it: it is applied with kernels into which the adapters are merged.
"""

import re
from collections.abc import Sequence
from math import prod
from typing import Any

import jax
import jax.numpy as jnp

from jaxcap.errors import UserError
from jaxcap.muon import read_axes

Params = dict[str, Any]  # by path

# alpha / rank in the paper. With an alpha of twice the rank, as is usual, a learning rate that
# suits one rank suits the others too.
SCALE = 2.0
LEAF = re.compile(r"^lora/(.+)/(a|b)$")


def fresh_adapters(params: Params, lora: Sequence[Sequence[Any]], key: jax.Array) -> Params:
    """Adapters that change nothing yet: b is zero, a random.

    Args:
      params: of the model, by path.
      lora: (regex on a kernel's path, rank); the first match wins.
      key: for the a.

    Raises:
      UserError: a regex matches no kernel, or a rank is less than 1.
    """
    reads = {name: read_axes(name, leaf.shape) for name, leaf in params.items()}
    kernels = [name for name, count in reads.items() if count]
    for pattern, rank in lora:
        _check(pattern, rank, params, kernels)
    adapters = {}
    for name, draw in zip(kernels, jax.random.split(key, len(kernels)), strict=True):
        rank = next((rank for pattern, rank in lora if re.search(pattern, name)), 0)
        if rank:
            shape = params[name].shape
            inputs, outputs = prod(shape[: reads[name]]), prod(shape[reads[name] :])
            adapters[f"lora/{name}/a"] = inputs**-0.5 * jax.random.normal(draw, (inputs, rank))
            adapters[f"lora/{name}/b"] = jnp.zeros((rank, outputs))
    return adapters


def adapted(params: Params) -> set[str]:
    """The kernels that have adapters, among parameters by path."""
    return {found[1] for name in params if (found := LEAF.match(name))}


def without_adapters(params: Params) -> Params:
    """The parameters that the model itself has, among parameters by path."""
    return {name: leaf for name, leaf in params.items() if not LEAF.match(name)}


def merged(params: Params) -> Params:
    """What the model is applied with: adapters added to their kernels, and none left."""
    model = without_adapters(params)
    for name in adapted(params):
        product = params[f"lora/{name}/a"] @ params[f"lora/{name}/b"]
        model[name] = model[name] + SCALE * product.reshape(model[name].shape)
    return model


def _check(pattern: str, rank: int, params: Params, kernels: list[str]) -> None:
    if rank < 1 or not isinstance(rank, int):
        raise UserError(
            f"model.lora gives {pattern!r} the rank {rank}; expected a whole number, 1 or more."
        )
    if not any(re.search(pattern, name) for name in kernels):
        others = [name for name in params if re.search(pattern, name)]
        instead = f"but {others[0]}, which is no matrix of a layer" if others else "nor anything"
        raise UserError(
            f"The regex {pattern!r} of model.lora matches no kernel, {instead}. Kernels are such "
            f"as {kernels[0]} and {kernels[-1]}."
        )
