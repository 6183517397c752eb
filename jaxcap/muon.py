"""Muon: the update of a matrix is the orthogonal matrix nearest to its momentum.

Jordan, "Muon: an optimizer for hidden layers in neural networks", 2024. No direction of a layer
is left behind for being rare in the gradient: a small model learns to look at the right place of
an image in a fraction of AdamW's steps, and takes to combinations that it was never shown.

Matrices of one kind and shape are worked on together (optax takes them one by one): the products
of a small model are too small to be worth a call each.
"""

import re
from collections import defaultdict
from math import prod
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float

Params = dict[str, Any]  # by path

# A kernel reads along its first axes and writes along the others: how many it reads along.
READ_AXES = ((r"/out/kernel$", 2), (r"/kernel$", 1))
MOMENTUM = 0.95
# From Jordan: the quintic with the steepest rise at zero; singular values end near 1, not at 1.
QUINTIC = (3.4445, -4.7750, 2.0315)
ROUNDS = 5
# The root mean square of an update, as AdamW's is: both take the same learning rates and weight
# decays (Liu et al., arXiv 2502.16982).
RMS = 0.2


def read_axes(name: str, shape: tuple[int, ...]) -> int:
    """How many axes a parameter reads along, where it is a matrix in use; 0 where it is not.

    A depthwise convolution is none: it works on each channel apart.
    """
    if not name.endswith("/kernel"):
        return 0
    if len(shape) == 4:
        return 3 if shape[2] > 1 else 0
    return next(count for pattern, count in READ_AXES if re.search(pattern, name))


def direction(other: optax.GradientTransformation, trained: Params) -> optax.GradientTransformation:
    """Muon's updates of the matrices among the trained parameters, `other`'s of all else.

    Args:
      other: such as `optax.scale_by_adam()`.
      trained: parameters by path, or their shapes.
    """
    reads = {name: read_axes(name, leaf.shape) for name, leaf in trained.items()}
    labels = {name: "matrix" if count else "other" for name, count in reads.items()}
    muon = optax.chain(
        optax.trace(MOMENTUM, nesterov=True),
        optax.stateless(lambda updates, _: _all_orthogonal(updates, reads)),
    )
    return optax.partition({"matrix": muon, "other": other}, labels)


def orthogonal(x: Float[Array, "N R C"]) -> Float[Array, "N R C"]:
    """About the nearest orthogonal matrix of each, by Newton and Schulz; entries of size `RMS`."""
    if x.shape[1] > x.shape[2]:
        return orthogonal(x.swapaxes(1, 2)).swapaxes(1, 2)
    a, b, c = QUINTIC

    def nearer(_: Any, x: Array) -> Array:
        square = x @ x.swapaxes(1, 2)
        return a * x + (b * square + c * (square @ square)) @ x

    x = x / (jnp.linalg.norm(x, axis=(1, 2), keepdims=True) + 1e-8)
    return jax.lax.fori_loop(0, ROUNDS, nearer, x) * (RMS * x.shape[2] ** 0.5)


def _all_orthogonal(updates: Params, reads: dict[str, int]) -> Params:
    kinds = defaultdict(list)
    for name, leaf in updates.items():
        if not isinstance(leaf, optax.MaskedNode):  # optax.partition's, in the place of the others
            kinds[leaf.shape, reads[name]].append(name)
    done: Params = {}
    for (shape, count), names in kinds.items():
        stack = jnp.stack([updates[name] for name in names])
        matrices = stack.reshape(len(names), prod(shape[:count]), -1)
        done |= zip(names, orthogonal(matrices).reshape(stack.shape), strict=True)
    return updates | done
