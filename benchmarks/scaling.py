"""How time and memory grow with the batch, beams, caption length, depth and resolution.

python benchmarks/scaling.py [--config configs/coco.py] [--what caption train] [--rounds 3]
    [--out FOLDER]

Each curve changes one of them, from the middle that `MIDDLE` gives. Parameters are no good ones,
and no caption ends early. It draws scaling.svg with matplotlib: pip install -e ".[benchmarks]".
"""

import argparse
import time
from collections.abc import Iterable
from pathlib import Path
from runpy import run_path
from statistics import median
from typing import NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
from ml_collections import ConfigDict
from turns import write

from jaxcap.ahead.program import PROGRAMS
from jaxcap.partition import make_mesh

ROOT = Path(__file__).parents[1]
WORDS = 8192
MIDDLE = {"images": 8, "beams": 4, "tokens": 20, "layers": 0, "pixels": 0}  # 0 is the config's own
CURVES = {
    "images": (1, 2, 4, 8, 16),
    "beams": (1, 2, 4, 8),
    "tokens": (8, 16, 24, 32),
    "layers": (2, 4, 6, 12),
    "pixels": (128, 192, 256, 320),
}


class Cost(NamedTuple):
    """Of a program: seconds to compile it, seconds of a call, bytes that it works in."""

    compiling: float
    seconds: float
    memory: int


def at(config: ConfigDict, point: dict[str, int]) -> ConfigDict:
    """The config at a point, in float32 and with a vocabulary of `WORDS`."""
    config = ConfigDict(config.to_dict())
    config.model.dtype, config.model.vocab_size = "float32", WORDS
    config.batch_size = config.eval.batch_size = point["images"]
    config.data.max_len = tokens = point["tokens"]
    config.search = {"beams": point["beams"], "max_len": tokens, "min_len": tokens}
    config.model.decoder.depth = point["layers"] or config.model.decoder.depth
    config.data.image_size = point["pixels"] or config.data.image_size
    return config


def cost(what: str, config: ConfigDict, rounds: int) -> Cost:
    """Of a program of `jaxcap.ahead` on one device."""
    traced = PROGRAMS[what][0](config, make_mesh({}, jax.devices()[:1]))
    begin = time.perf_counter()
    compiled = traced.lower().compile()
    compiling, seconds = time.perf_counter() - begin, []
    # What the arrays hold does not change what there is to do.
    given, _ = jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.01, leaf.dtype), traced.args_info)
    for _ in range(1 + rounds):
        begin = time.perf_counter()
        left = jax.block_until_ready(compiled(*given))
        seconds.append(time.perf_counter() - begin)
        if what == "train":  # which works in the memory of its state
            given = (left[0], given[1])
    return Cost(compiling, median(seconds[1:]), compiled.memory_analysis().temp_size_in_bytes)


def draw(curves: dict[str, dict[str, dict[int, Cost]]], file: Path) -> None:
    """A row for each program, a column for each thing that grows; all from 0."""
    shape = len(curves), max(map(len, curves.values()))
    plt.rcParams["svg.fonttype"] = "none"  # text stays text
    _, rows = plt.subplots(*shape, figsize=(3 * shape[1], 2.6 * shape[0]), squeeze=False)
    for row, (what, of) in zip(rows, curves.items(), strict=True):
        for axes in row[len(of) :]:
            axes.set_axis_off()
        for axes, (name, points) in zip(row, of.items(), strict=False):
            axes.set(xlabel=name, title=what, xlim=(0, 1.05 * max(points)))
            of_time = [each.seconds for each in points.values()]
            of_memory = [each.memory / 2**30 for each in points.values()]
            line(axes, points, of_time, "seconds", "o-C0")
            line(axes.twinx(), points, of_memory, "GiB", "s--C1")
    plt.tight_layout()
    plt.savefig(file, metadata={"Date": None})


def line(axes: plt.Axes, points: Iterable[int], values: list[float], unit: str, style: str) -> None:
    axes.plot(list(points), values, style)
    axes.set_ylim(0, 1.1 * max(values))
    axes.set_ylabel(unit, color=style[-2:])


def main() -> None:
    """Print each point, and write scaling.json and scaling.svg."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", default="configs/coco.py")
    parser.add_argument("--what", nargs="+", default=list(PROGRAMS), choices=PROGRAMS)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"))
    args = parser.parse_args()
    file, _, arg = args.config.partition(":")
    config = run_path(str(ROOT / file))["get_config"](arg)
    found: dict[str, dict[str, dict[int, Cost]]] = {}
    for what in args.what:
        for name, values in CURVES.items():
            if (what, name) == ("train", "beams"):
                continue
            points = found.setdefault(what, {}).setdefault(name, {})
            for value in values:
                points[value] = cost(what, at(config, MIDDLE | {name: value}), args.rounds)
                told = points[value]
                print(
                    f"{what}, {name} {value}: {told.seconds:.2f} s, {told.memory / 2**20:.0f} MiB "
                    f"of work; compiled in {told.compiling:.1f} s",
                    flush=True,
                )
    kept = {
        what: {name: {v: each._asdict() for v, each in of.items()} for name, of in curves.items()}
        for what, curves in found.items()
    }
    write("scaling", {"config": args.config, "middle": MIDDLE, "curves": kept}, args.out)
    draw(found, args.out / "scaling.svg")


if __name__ == "__main__":
    main()
