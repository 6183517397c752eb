"""Muon: the update of a matrix is the orthogonal matrix nearest to its momentum.

Jordan, "Muon: an optimizer for hidden layers in neural networks", 2024. No direction of a layer
is left behind for being rare in the gradient: a small model learns to look at the right place of
an image in a fraction of AdamW's steps, and takes to combinations that it was never shown.
"""

import re
from math import prod
from typing import Any

import jax
import optax
from optax.contrib import MuonDimensionNumbers, scale_by_muon

Params = dict[str, Any]  # by path

# Where a kernel is no plain matrix: its name, and the axes of what it reads and what it writes.
MATRICES = (
    (r"/(query|key|value)/kernel$", (0,), (1, 2)),
    (r"/out/kernel$", (0, 1), (2,)),
    (r"/kernel$", (0,), (1,)),
)
CONVOLUTION = ((0, 1, 2), (3,))
# The root mean square of an update, as AdamW's is: both take the same learning rates and weight
# decays (Liu et al., arXiv 2502.16982).
RMS = 0.2


def axes(name: str, rank: int) -> MuonDimensionNumbers | None:
    """The axes of a parameter that is a matrix in use; None for tables, biases and scales."""
    if rank == 4 and name.endswith("/kernel"):
        return MuonDimensionNumbers(*CONVOLUTION)
    for pattern, reads, writes in MATRICES:
        if re.search(pattern, name):
            return MuonDimensionNumbers(reads, writes)
    return None


def direction(other: optax.GradientTransformation, trained: Params) -> optax.GradientTransformation:
    """Muon's updates of the matrices among the trained parameters, `other`'s of all else.

    Args:
      other: such as `optax.scale_by_adam()`.
      trained: parameters by path, or their shapes.
    """
    found = {name: axes(name, len(leaf.shape)) for name, leaf in trained.items()}

    def numbers(params: Params) -> Params:
        # optax.partition puts a MaskedNode in the place of each parameter of the others.
        return {
            name: leaf if isinstance(leaf, optax.MaskedNode) else found[name]
            for name, leaf in params.items()
        }

    def resize(updates: Params, _: Any) -> Params:
        return jax.tree.map_with_path(
            lambda path, leaf: leaf * (RMS * _longer_side(leaf.shape, found[path[0].key]) ** 0.5),
            updates,
        )

    muon = optax.chain(scale_by_muon(weight_dimension_numbers=numbers), optax.stateless(resize))
    labels = {name: "other" if kind is None else "matrix" for name, kind in found.items()}
    return optax.partition({"matrix": muon, "other": other}, labels)


def _longer_side(shape: tuple[int, ...], kind: MuonDimensionNumbers) -> int:
    """Of a matrix with these axes. Made orthogonal, its entries are of size side ** -0.5."""
    groups = (kind.reduction_axis, kind.output_axis)
    return max(prod(shape[axis] for axis in group) for group in groups)
