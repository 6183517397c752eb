"""What a run is, printed before its first step: parameters, mesh, memory and FLOPs."""

import math
from collections.abc import Mapping

import jax
from jax.sharding import Mesh
from rich.table import Table

from jaxcap.flops import flops
from jaxcap.log import console
from jaxcap.state import TrainState


def print_parameters(state: TrainState) -> None:
    """A table of the parts of the model: how many parameters, how many of them trained."""
    table = Table("part", "parameters", "trained", title="Parameters", title_justify="left")
    for column in table.columns[1:]:
        column.justify = "right"
    total = {**state.trained, **state.frozen}
    parts = sorted({_part(name) for name in total})
    for part in parts:
        table.add_row(part, _count(total, part), _count(state.trained, part))
    table.add_section()
    table.add_row("all", _count(total, ""), _count(state.trained, ""))
    console.print(table)


def print_program(
    traced: jax.stages.Traced, compiled: jax.stages.Compiled, mesh: Mesh, batch_size: int
) -> None:
    """Where the compiled step runs, and what it needs on each device."""
    shape = " x ".join(f"{name}={size}" for name, size in mesh.shape.items())
    device = mesh.devices.flat[0]
    console.print(f"Mesh      {shape} on {mesh.size} {device.device_kind} ({device.platform})")
    memory = compiled.memory_analysis()
    if memory is not None:
        held = memory.argument_size_in_bytes
        work = memory.temp_size_in_bytes
        console.print(
            f"Memory    {(held + work) / 2**20:,.0f} MiB a device: "
            f"{held / 2**20:,.0f} state and batch, {work / 2**20:,.0f} work"
        )
    giga = flops(traced.jaxpr) / mesh.size / 1e9
    console.print(f"FLOPs     {giga:,.1f} G a step and device, {batch_size} images")


def _part(name: str) -> str:
    return "/".join(name.split("/")[:2])


def _count(params: Mapping[str, jax.Array], part: str) -> str:
    sizes = (math.prod(p.shape) for name, p in params.items() if not part or _part(name) == part)
    return f"{sum(sizes):,}"
