"""What the devices of a compiled program send each other, read from its HLO.

A collective in a loop counts as often as the loop goes round, which the text tells: where a while
has no `known_trip_count`, its counter goes from 0 to the constant that its condition has, by what
its body adds.

TPUs have two ways of their own to write one. What goes on beside other work stands in the fusion
that starts it, again in each that it goes on beside, and again in the one that ends it. And a
reduce-scatter is a fusion of an all-reduce with the slice of it that is kept.
"""

import math
import re
from collections.abc import Iterator
from typing import NamedTuple

KINDS = ("all-reduce", "all-gather", "reduce-scatter", "all-to-all", "collective-permute")
_BITS = re.compile(r"\d+")

_COMPUTATION = re.compile(r"^(ENTRY )?%?([\w.\-]+) \(.*\{$")
_COLLECTIVE = re.compile(rf"= (.*?) ({'|'.join(KINDS)})(-start)?\(")
_SHAPE = re.compile(r"\b(pred|[a-z]+\d+\w*)\[([\d,]*)\]")
_LOOP = re.compile(r" while\(.*condition=%?([\w.\-]+), body=%?([\w.\-]+)")
_TRIPS = re.compile(r'known_trip_count":\{"n":"(\d+)"')
_CALLS = re.compile(
    r"(?:calls|branch_computations|true_computation|false_computation| call\(.*to_apply)="
    r"\{?((?:%?[\w.\-]+(?:, )?)+)"
)
_CONSTANT = re.compile(r"%?([\w.\-]+) = [su]32\[\]\S* constant\((\d+)\)")
_FIELD = re.compile(r"[su]32\[\]\S* get-tuple-element\(.*index=(\d+)")
_ADDED = re.compile(r"%?([\w.\-]+) = [su]32\[\]\S* add\(%?([\w.\-]+), %?([\w.\-]+)\)")
_MESH = re.compile(r"replica_groups=mesh\[(.*?)\](?:, device_ids=\(.*?\))? \{(.*?)\}")


class Collective(NamedTuple):
    """One of a program.

    Attributes:
      kind: one of `KINDS`.
      size: bytes of what each device has afterwards (of a reduce-scatter: before).
      group: devices that take part together.
      times: a call of the program.
    """

    kind: str
    size: int
    group: int
    times: int

    @property
    def sent(self) -> float:
        """Bytes that each device sends in a call of the program, round a ring of its group."""
        if self.kind == "collective-permute":
            return float(self.times * self.size)
        rounds = 2 if self.kind == "all-reduce" else 1
        return self.times * rounds * self.size * (self.group - 1) / self.group


def collectives(text: str, devices: int) -> list[Collective]:
    """Those of a program.

    Args:
      text: `compiled.as_text()`.
      devices: that the program is for.
    """
    computations = _computations(text)
    return list(_of("ENTRY", computations, devices, 1))


def _computations(text: str) -> dict[str, list[str]]:
    """The lines of each computation, by its name; of the main one by ENTRY."""
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if head := _COMPUTATION.match(line):
            lines = found.setdefault("ENTRY" if head[1] else head[2], [])
        else:
            lines.append(line)
    return found


def _of(
    name: str, computations: dict[str, list[str]], devices: int, times: int
) -> Iterator[Collective]:
    lines = computations.get(name, ())
    if name.startswith("async_collective_fusion") or any("AsyncCollectiveDone" in x for x in lines):
        return  # told of where it starts
    for line in lines:
        if found := _COLLECTIVE.search(line):
            shapes, kind, started = found.groups()
            sizes = list(map(_bytes, _SHAPE.findall(shapes)))
            size = max(sizes) if started and kind != "all-reduce" else sum(sizes)
            group = _group(line, devices)
            if kind == "reduce-scatter":
                size *= group
            elif name.startswith("all-reduce-scatter"):
                kind = "reduce-scatter"
            if group > 1:
                yield Collective(kind, size, group, times)
        elif loop := _LOOP.search(line):
            condition, body = loop.groups()
            told = _TRIPS.search(line)
            rounds = int(told[1]) if told else _rounds(computations[condition], computations[body])
            yield from _of(body, computations, devices, times * rounds)
        else:
            for names in _CALLS.findall(line):
                for called in names.split(", "):
                    yield from _of(called.lstrip("%"), computations, devices, times)


def _rounds(condition: list[str], body: list[str]) -> int:
    """How often a loop goes round: each time it adds to one of its fields, up to a limit."""
    limits = [int(number) for _, number in _CONSTANT.findall("\n".join(condition))]
    places = _FIELD.findall("\n".join(condition))
    root = next((line for line in body if "ROOT" in line), "")
    left = re.findall(r"%?([\w.\-]+)(?=[,)])", root.partition(" tuple(")[2])
    if not limits or not places or int(places[0]) >= len(left):
        return limits[0] if limits else 1
    constants = {name: int(number) for name, number in _CONSTANT.findall("\n".join(body))}
    for name, *terms in _ADDED.findall("\n".join(body)):
        if name == left[int(places[0])]:
            step = next((constants[term] for term in terms if term in constants), 1)
            return -(-limits[0] // step)
    return limits[0]


def _bytes(shape: tuple[str, str]) -> int:
    """Of an array such as ("bf16", "128,512")."""
    kind, sides = shape
    bits = _BITS.search(kind)
    return math.prod(map(int, filter(None, sides.split(",")))) * (int(bits[0]) if bits else 8) // 8


def _group(line: str, devices: int) -> int:
    """How many devices take part together, by any of the three ways that HLO writes it."""
    if "source_target_pairs" in line:
        return devices
    if found := re.search(r"replica_groups=\[(\d+),(\d+)\]", line):
        return int(found[2])
    if found := re.search(r"replica_groups=\{\{([\d,]+)\}", line):
        return found[1].count(",") + 1
    if found := _MESH.search(line):
        sizes = dict(re.findall(r"'(\w+)'=(\d+)", found[1]))
        return math.prod(int(sizes[axis]) for axis in re.findall(r"'(\w+)'", found[2]))
    return devices
