"""How time and memory grow with the batch, beams, caption length, depth and resolution.

python benchmarks/scaling.py [--config configs/coco.py] [--what caption train] [--rounds 3]
    [--out FOLDER]

Each curve changes one of them, from the middle that `MIDDLE` gives. Parameters are no good ones,
and no caption ends early. It draws scaling.svg with matplotlib: pip install -e ".[benchmarks]".
"""

import argparse
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from runpy import run_path
from statistics import median
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import matplotlib.pyplot as plt
import numpy as np
from ml_collections import ConfigDict
from turns import write

from jaxcap.data.showing import Showing
from jaxcap.data.text import build_tokenizer
from jaxcap.decode import Search
from jaxcap.decode.captions import captioner
from jaxcap.experiment import Experiment
from jaxcap.models.product import for_steps
from jaxcap.partition import make_mesh
from jaxcap.state import linen_variables
from jaxcap.train_step import make_step, trace_step

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
Call = Callable[[], object]


class Cost(NamedTuple):
    """Of a program: seconds to compile it, seconds of a call, bytes that it works in."""

    compiling: float
    seconds: float
    memory: int


def experiment_of(config: ConfigDict, point: dict[str, int]) -> Experiment:
    """The config at a point, with a vocabulary of `WORDS`, on one device."""
    config = ConfigDict(config.to_dict())
    config.model.dtype, config.model.vocab_size = "float32", WORDS
    config.data.max_len = config.data.max_len if not point["tokens"] else point["tokens"]
    config.model.decoder.depth = point["layers"] or config.model.decoder.depth
    config.data.image_size = point["pixels"] or config.data.image_size
    return Experiment(config, build_tokenizer("word", ["a"]), make_mesh({}, jax.devices()[:1]))


def filled(shapes: Any) -> Any:
    """Arrays of such shapes; what they hold does not change what there is to do."""
    return jax.tree.map(lambda leaf: jnp.full(leaf.shape, 0.01).astype(leaf.dtype), shapes)


def shown(config: ConfigDict, images: int) -> dict[str, np.ndarray]:
    blank = Showing.of(config.data).blank()
    return {name: np.zeros((images, *leaf.shape), leaf.dtype) for name, leaf in blank.items()}


def caption(config: ConfigDict, point: dict[str, int]) -> tuple[jax.stages.Traced, Any]:
    """The search for as many captions, all of them as long as they may be."""
    experiment, images, tokens = experiment_of(config, point), point["images"], point["tokens"]
    search = Search.of(beams=point["beams"], max_len=tokens, min_len=tokens)
    numbers = np.zeros(images, np.int32)
    batch = {
        **shown(experiment.config, images),
        "prompt": np.zeros((images, 0), np.int32),
        "prompt_len": numbers,
        "index": numbers,
    }
    variables = for_steps(linen_variables(*filled(experiment.abstract_variables)))
    find = jax.jit(captioner(experiment.model, experiment.tokenizer, search))
    traced = find.trace(variables, batch)
    return traced, lambda compiled: lambda: jax.block_until_ready(compiled(variables, batch))


def train(config: ConfigDict, point: dict[str, int]) -> tuple[jax.stages.Traced, Any]:
    """A step over the images, with as many captions as the config has of each."""
    experiment = experiment_of(config, point)
    config = experiment.config
    tokens = (point["images"], config.data.captions, point["tokens"])
    batch = {
        **shown(config, point["images"]),
        "tokens": np.ones(tokens, np.int32),
        "mask": np.ones(tokens, bool),
    }
    state = filled(experiment.abstract_state())
    step = make_step(experiment.model, config, experiment.optimizer, experiment.tokenizer)

    def calling(compiled: Any) -> Call:
        def call() -> None:
            nonlocal state
            state, metrics = compiled(state, batch)
            jax.block_until_ready(metrics)

        return call

    return trace_step(step, state, batch), calling


PROGRAMS = {"caption": caption, "train": train}


def cost(traced: jax.stages.Traced, calling: Callable[[Any], Call], rounds: int) -> Cost:
    begin = time.perf_counter()
    compiled = traced.lower().compile()
    compiling, seconds, call = time.perf_counter() - begin, [], calling(compiled)
    for _ in range(1 + rounds):
        begin = time.perf_counter()
        call()
        seconds.append(time.perf_counter() - begin)
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
                points[value] = cost(*PROGRAMS[what](config, MIDDLE | {name: value}), args.rounds)
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
