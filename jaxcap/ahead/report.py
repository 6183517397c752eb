"""What `--mode=compile` prints."""

from collections import defaultdict
from collections.abc import Sequence

import jax
from ml_collections import ConfigDict

from jaxcap.ahead.chips import Chip, chip_of
from jaxcap.ahead.collectives import Collective, collectives
from jaxcap.ahead.program import PROGRAMS, topology_mesh
from jaxcap.ahead.roofline import Need
from jaxcap.errors import UserError, did_you_mean
from jaxcap.flops import flops
from jaxcap.log import console


def compile_ahead(config: ConfigDict, topology: str, what: str = "train") -> Need:
    """Compile a program of a config for a topology, and tell what it needs there.

    Args:
      config: whose mesh is laid over the topology.
      topology: such as "v5e:16x16".
      what: "train" or "caption".

    Raises:
      UserError: no such chip, topology or program; or the config does not fit them.
    """
    if what not in PROGRAMS:
        raise UserError(f"There is no program {what!r}. {did_you_mean(what, PROGRAMS)}")
    chip, mesh = chip_of(topology), topology_mesh(config, topology)
    program, rounds = PROGRAMS[what]
    traced = program(config, mesh)
    compiled = traced.lower().compile()
    memory = compiled.memory_analysis()
    sent = collectives(compiled.as_text(), mesh.size)
    need = Need(
        flops=flops(traced.jaxpr, rounds(config)) / mesh.size,
        held=memory.argument_size_in_bytes,
        left=memory.output_size_in_bytes,
        work=memory.temp_size_in_bytes,
        sent=sum(each.sent for each in sent),
    )
    _print(topology, chip, mesh, need, sent)
    return need


def _print(
    topology: str, chip: Chip, mesh: jax.sharding.Mesh, need: Need, sent: Sequence[Collective]
) -> None:
    shape = " x ".join(f"{name}={size}" for name, size in mesh.shape.items())
    console.print(f"Mesh           {shape} on {topology}, {mesh.size} chips")
    console.print(
        f"Memory         {need.memory / 2**30:.2f} of {chip.memory / 2**30:.0f} GiB a chip: "
        f"{need.held / 2**30:.2f} state and batch, {need.work / 2**30:.2f} work"
    )
    console.print(f"FLOPs          {need.flops / 1e12:.3f} T a chip")
    kinds: dict[tuple[str, int], list[Collective]] = defaultdict(list)
    for each in sent:
        kinds[each.kind, each.group].append(each)
    for (kind, group), some in sorted(kinds.items()):
        total = sum(each.sent for each in some) / 2**20
        console.print(
            f"Collectives    {sum(each.times for each in some)} {kind} over {group} chips: "
            f"{total:.1f} MiB sent by each"
        )
    seconds = need.seconds(chip)
    told = ", ".join(f"{limit} {1e3 * each:.2f} ms" for limit, each in seconds.items())
    console.print(f"At least       {told}")
    console.print(
        f"Bound by       {need.bound(chip)}; at best {need.ceiling(chip):.0%} of its FLOPs"
    )
