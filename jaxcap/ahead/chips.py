"""TPU chips as their maker describes them (cloud.google.com/tpu/docs, system architecture)."""

from typing import NamedTuple

from jaxcap.errors import UserError, did_you_mean


class Chip(NamedTuple):
    """What one chip can do at best.

    Attributes:
      flops: a second, of bfloat16 products.
      memory: bytes of HBM.
      memory_rate: bytes a second to and from HBM.
      link_rate: bytes a second that it sends to its neighbours, over all links together.
    """

    flops: float
    memory: float
    memory_rate: float
    link_rate: float


# Links are told in bits a second and for both directions.
CHIPS = {
    "v4": Chip(275e12, 32 * 2**30, 1228e9, 2400e9 / 16),
    "v5e": Chip(197e12, 16 * 2**30, 819e9, 1600e9 / 16),
    "v5p": Chip(459e12, 95 * 2**30, 2765e9, 4800e9 / 16),
    "v6e": Chip(918e12, 32 * 2**30, 1640e9, 3584e9 / 16),
}


def chip_of(topology: str) -> Chip:
    """The chip of a topology, such as "v5e:16x16".

    Raises:
      UserError: there is no such chip here.
    """
    name = topology.partition(":")[0]
    if name not in CHIPS:
        raise UserError(f"There is no chip {name!r} here. {did_you_mean(name, CHIPS)}")
    return CHIPS[name]
