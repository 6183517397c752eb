"""Layers one after the other: written out or as one loop, kept for the backward pass or not."""

from collections.abc import Callable, Sequence
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from flax.traverse_util import flatten_dict

from jaxcap.models.seen import SEEN
from jaxcap.partition import by_image


def through(
    layers: Sequence[nn.Module],
    call: Callable[[Any, Any, Any], Any],
    x: Any,
    each: Sequence[Any] | None = None,
    *,
    scan: bool,
    remat: bool,
) -> Any:
    """x, after `x = call(layer, x, item)` for each layer and its own item.

    Each layer has parameters of its own, under its own name, whatever the loop: they are stacked
    where it begins, which costs one copy of them, and the program has the size of one layer.

    Args:
      layers: bound modules of one class and one setting.
      call: of a layer, with x and what belongs to this layer alone.
      x: any pytree of leaves [B, ...]; it keeps its shape from layer to layer.
      each: an item for every layer, of one shape; None gives each None.
      scan: make it a loop.
      remat: compute what is inside a layer again in the backward pass.
    """
    items = [None] * len(layers) if each is None else each
    if not scan or not layers or layers[0].is_initializing():
        written = nn.remat(call) if remat else call
        for layer, item in zip(layers, items, strict=True):
            x = written(layer, x, item)
        return x
    apart = nn.apply(call, layers[0].clone(parent=None), mutable=[SEEN])

    def one(x: Any, own: Any) -> tuple[Any, Any]:
        variables, key, item = own
        x = jax.tree.map(by_image, x)  # the layout of what goes round is not found by XLA
        return apart(variables, x, item, rngs={} if key is None else {"dropout": key})

    own = [
        (_parameters(layer), layer.make_rng("dropout") if layer.has_rng("dropout") else None, item)
        for layer, item in zip(layers, items, strict=True)
    ]
    stacked = jax.tree.map(lambda *leaves: jnp.stack(leaves), *own)
    x, seen = jax.lax.scan(jax.checkpoint(one) if remat else one, x, stacked)
    for i, layer in enumerate(layers):
        _leave(layer, jax.tree.map(lambda leaf, i=i: leaf[i], seen))
    return x


def _parameters(layer: nn.Module) -> dict[str, Any]:
    return {name: found for name, found in layer.variables.items() if name != SEEN}


def _leave(layer: nn.Module, seen: Any) -> None:
    """What the layer would have sown, had it been called itself."""
    for (*path, name), sown in flatten_dict(seen.get(SEEN, {})).items():
        assert not path, "what a layer leaves, it leaves itself"
        for leaf in sown:
            layer.sow(SEEN, name, leaf)
