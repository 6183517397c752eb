"""Parallelism, all of it: the mesh, the rules that lay parameters on it, and the batch."""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from typing import Any

import jax
import numpy as np
from jax import Array
from jax.experimental.mesh_utils import create_device_mesh
from jax.sharding import AbstractMesh, AxisType, Mesh, NamedSharding
from jax.sharding import PartitionSpec as P

from jaxcap.errors import UserError, did_you_mean

AXES = ("data", "fsdp", "tensor")
BATCH = ("data", "fsdp")  # the axes that share out the images of a batch

Rules = Sequence[tuple[str, tuple[str | None, ...]]]

# (regex on the parameter's path, axis of each dimension); the first match wins, and an axis that
# does not divide its dimension is left out.
RULES: Rules = (
    (r"(query|key|value)/kernel$", ("fsdp", "tensor", None)),
    (r"(query|key|value)/bias$", ("tensor", None)),
    (r"attention/out/kernel$", ("tensor", None, "fsdp")),
    (r"mlp/up/kernel$", ("fsdp", "tensor")),
    (r"mlp/up/bias$", ("tensor",)),
    (r"mlp/down/kernel$", ("tensor", "fsdp")),
    (r"(embedding|unembedding)$", ("tensor", "fsdp")),
    (r"project/kernel$", (None, "fsdp")),
    (r"kernel$", (None, None, None, "fsdp")),  # convolutions
    (r"kernel$", ("fsdp", None)),  # gates of recurrent layers and all other dense ones
)


def make_mesh(sizes: Mapping[str, int], devices: Sequence[jax.Device] | None = None) -> Mesh:
    """The mesh `data x fsdp x tensor`; one size may be -1 and takes the devices that are left.

    Raises:
      UserError: for an unknown axis, or sizes whose product is not the number of devices.
    """
    for name in sizes:
        if name not in AXES:
            raise UserError(f"The mesh has no axis {name!r}. {did_you_mean(name, AXES)}")
    devices = jax.devices() if devices is None else devices
    shape = [sizes.get(name, 1) for name in AXES]
    fixed = math.prod(size for size in shape if size != -1)
    if shape.count(-1) == 1 and fixed > 0 and len(devices) % fixed == 0:
        shape[shape.index(-1)] = len(devices) // fixed
    if math.prod(shape) != len(devices) or min(shape) < 1:
        asked = " x ".join(f"{name}={sizes.get(name, 1)}" for name in AXES)
        raise UserError(
            f"The mesh {asked} does not fit the {len(devices)} devices of this run: the product of "
            "the sizes must be their number (one size may be -1: what is left)."
        )
    # An axis may be part of a dimension of the chips' torus: 16 of 8 x 8 x 8.
    placed = create_device_mesh(shape, devices, allow_split_physical_axes=True)
    return Mesh(placed, AXES, axis_types=(AxisType.Auto,) * 3)


def check_batch(batch_size: int, mesh: Mesh, parts: int = 1, *, name: str = "batch_size") -> None:
    """Refuse a batch whose parts (see `accumulate`) the mesh cannot share out evenly.

    Args:
      batch_size: over all devices.
      mesh: of the devices.
      parts: that it is worked through in.
      name: of the field that says how large it is.

    Raises:
      UserError: with the numbers.
    """
    ways = math.prod(mesh.shape[name] for name in BATCH)
    if batch_size < 1 or parts < 1 or batch_size % (ways * parts):
        accumulated = f" in {parts} parts (accumulate)" if parts != 1 else ""
        raise UserError(
            f"A batch of {batch_size} images{accumulated} cannot be shared out evenly over {ways} "
            f"devices (data={mesh.shape['data']} x fsdp={mesh.shape['fsdp']}). Make {name} a "
            f"multiple of {ways * max(parts, 1)}, or the mesh smaller."
        )


def shardings(tree: Any, mesh: Mesh, rules: Rules = RULES) -> Any:
    """The sharding of every array of a tree, by its path; what no rule names is replicated.

    Optimizer moments and averages carry the path of their parameter at the end of their own, so
    that the same rules lay them out alike.
    """

    def lay_out(path: Any, leaf: Any) -> NamedSharding:
        name = path_name(path)
        for pattern, axes in rules:
            if re.search(pattern, name) and len(axes) == len(leaf.shape):
                fits = (
                    axis if axis and size % mesh.shape[axis] == 0 else None
                    for axis, size in zip(axes, leaf.shape, strict=True)
                )
                return NamedSharding(mesh, P(*fits))
        return NamedSharding(mesh, P())

    return jax.tree_util.tree_map_with_path(lay_out, tree)


def path_name(path: Any) -> str:
    """A leaf's path as text: `decoder/layers_0/mlp/up/kernel`."""
    return jax.tree_util.keystr(path, simple=True, separator="/")


def batch_sharding(mesh: Mesh) -> NamedSharding:
    """The sharding of every array of a batch: its first dimension over `BATCH`."""
    return NamedSharding(mesh, P(BATCH))


def by_image(x: Array) -> Array:
    """The same array, its first dimension over `BATCH` on whatever mesh a program is compiled for.

    XLA finds the layout of activations from those of their makers, and of words it would follow
    their table, which is shared out over the width: each device would then work on all images.
    """
    mesh = jax.sharding.get_abstract_mesh()
    free = tuple(axis for axis in BATCH if axis in mesh.axis_names and _is_auto(mesh, axis))
    return jax.lax.with_sharding_constraint(x, P(free)) if free else x


def _is_auto(mesh: AbstractMesh, axis: str) -> bool:
    return mesh.axis_types[mesh.axis_names.index(axis)] == AxisType.Auto


def rows_here(batch_size: int, mesh: Mesh) -> list[int]:
    """The rows of a batch that the devices of this process work on, in the order they lie there."""
    places = batch_sharding(mesh).addressable_devices_indices_map((batch_size,)).values()
    rows = range(batch_size)
    return sorted({row for place in places if place is not None for row in rows[place[0]]})


def to_devices(batch: Any, mesh: Mesh) -> Any:
    """The rows of a batch that are of this process (numpy) -> global arrays on the mesh."""
    place = partial(jax.make_array_from_process_local_data, batch_sharding(mesh))
    return jax.tree.map(place, batch)


def to_host(tree: Any) -> Any:
    """Global arrays -> numpy arrays with all rows, on every host."""
    if jax.process_count() == 1:
        return jax.tree.map(np.asarray, tree)
    from jax.experimental import multihost_utils

    return multihost_utils.process_allgather(tree, tiled=True)


def over_batch(function: Callable[..., Any], mesh: Mesh) -> Any:
    """`function(params, batch)` compiled so that each device works through its own images alone."""
    return jax.jit(by_device(function, mesh))


def by_device(function: Callable[..., Any], mesh: Mesh | AbstractMesh) -> Callable[..., Any]:
    """`function(params, batch)`, of which each device works through its own images alone.

    The loop inside it may end at a different step on each device, and holds no collective:
    parameters that are sharded are gathered once, before it. The devices of an axis that no batch
    is split over work on the same images; were they to share the work, they would have to talk in
    the loop, and there wait for devices that have left it.
    """
    return jax.shard_map(
        function,
        mesh=mesh,
        in_specs=(P(), P(BATCH)),
        out_specs=P(BATCH),
        check_vma=False,
    )
