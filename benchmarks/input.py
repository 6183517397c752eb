"""From JPEG to batch, photographs a second: jaxcap beside PyTorch's DataLoader, and tf.data.

python benchmarks/input.py PHOTOGRAPHS [--rounds 5] [--tf PYTHON] [--out FOLDER]

PHOTOGRAPHS is a folder of JPEGs as large as they are in COCO. They are read as they are, and as
`jaxcap prepare` writes them (short side 256): by jaxcap from ArrayRecord, by the others from files
with the same bytes. All make the same of them: a random part (60% of the area or more) of the same
proportions, resized to 224 pixels a side with a bicubic filter and antialiasing, unmirrored; jaxcap
and PyTorch also the ids of five captions. PyTorch does it in several ways, see input_torch.KINDS.

Each turn starts an iterator of its own and ends it. Its first batches are not timed: with them the
workers start, and fill their queues. From then on as many batches are begun as are taken.

1 core: no worker processes, all threads on one core; seconds are those of the processor, in which
what else the machine does has little part. All cores: a worker for each, seconds on the wall.

It needs PyTorch and the packages of `data.fast`: pip install -e ".[torch,fast]"; and --tf a Python
with tensorflow-cpu.
"""

import argparse
import json
import os
import subprocess
import tempfile
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import input_torch
from absl import flags
from turns import write

from jaxcap.data.frame import Frame
from jaxcap.data.pipeline import TrainExample, train_batches
from jaxcap.data.prepare import prepare
from jaxcap.data.showing import Showing
from jaxcap.data.sources import open_source
from jaxcap.data.text import build_tokenizer
from jaxcap.data.views import Pixels

SIDE, SHARE, SMALL, BATCH, MAX_LEN = 224, 0.6, 256, 32, 20
RECORDS = 2048  # grain shuffles a few records more slowly than many
WARM, TIMED = 8, 16  # batches, in fours: as many are worked on at a time
CAPTIONS = [f"a {color} dog runs over the grass" for color in ("red", "black", "tan", "white", "")]
TOKENIZER = build_tokenizer("word", CAPTIONS)
OURS = {"jaxcap": False, "jaxcap, data.fast": True}

Turn = Callable[[], float]  # -> seconds of an image


def data_sets(photographs: Path, folder: Path) -> dict[str, tuple[str, Path]]:
    """Of each size the source for jaxcap, and the folder for the others."""
    found = sorted(photographs.glob("*.jpg"))
    whole, small, rows = folder / "whole", folder / "small", []
    whole.mkdir()
    small.mkdir()
    for number in range(RECORDS):
        name = f"{number:06d}.jpg"
        (whole / name).symlink_to(found[number % len(found)].resolve())
        rows.append(json.dumps({"image": f"whole/{name}", "captions": CAPTIONS, "split": "train"}))
    (folder / "table.jsonl").write_text("\n".join(rows))
    source = f"jsonl:{folder / 'table.jsonl'}"
    prepared = f"tfds:{prepare(source, folder / 'prepared', short_side=SMALL).folder}"
    records = open_source(prepared, "train")
    for number in range(len(records)):
        (small / f"{number:06d}.jpg").write_bytes(records[number].images[0])
    return {"as they are": (source, whole), f"prepared at {SMALL}": (prepared, small)}


def timed(batches: Generator[Any, None, None], clock: Callable[[], float]) -> float:
    """Seconds of an image, once the queues are full."""
    with closing(batches):
        for _ in range(WARM):
            next(batches)
        begin = clock()
        for _ in range(TIMED):
            next(batches)
        return (clock() - begin) / TIMED / BATCH


@contextmanager
def on_one_core() -> Iterator[None]:
    """What this thread begins inside runs on one core, where the system can be told so."""
    cores = os.sched_getaffinity(0) if hasattr(os, "sched_setaffinity") else None
    try:
        if cores:
            os.sched_setaffinity(0, {min(cores)})
        yield
    finally:
        if cores:
            os.sched_setaffinity(0, cores)


def turn(begin: Callable[..., Generator[Any, None, None]], cores: int, workers: int) -> float:
    """Seconds of an image, given what begins batches with a number of workers."""
    if cores > 1:
        return timed(begin(workers=workers), time.perf_counter)
    with on_one_core():
        return timed(begin(workers=0), time.process_time)


def contenders(source: str, folder: Path, cores: int, tf: str) -> dict[str, Turn]:
    """Their turns by their names."""
    records = open_source(source, "train")
    found: dict[str, Turn] = {}
    for name, fast in OURS.items():
        view = Pixels(records, Showing(Frame(SIDE, resample="bicubic"), crop=SHARE, fast=fast))
        example = TrainExample(records, view, TOKENIZER, len(CAPTIONS), MAX_LEN)
        ours = partial(train_batches, example, batch_size=BATCH, seed=0)
        found[name] = partial(turn, ours, cores, cores)
        if cores > 1:
            found[f"{name}, by threads"] = partial(turn, ours, cores, 0)
    paths, show = sorted(folder.glob("*.jpg")), {"side": SIDE, "share": SHARE, "max_len": MAX_LEN}
    for kind in input_torch.KINDS:
        photographs = input_torch.Photographs(paths, CAPTIONS, TOKENIZER, kind, **show)
        theirs = partial(input_torch.batches, photographs, BATCH)
        found[f"PyTorch, {kind}"] = partial(turn, theirs, cores, cores)
    if tf:
        script = Path(__file__).with_name("input_tf.py")
        words = map(str, (tf, script, folder, SIDE, SHARE, BATCH, WARM, TIMED, cores))
        run = partial(subprocess.check_output, list(words), text=True)
        found["tf.data"] = lambda: float(run().split()[-1])
    return found


def main() -> None:
    """Print the rates, and write input.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("photographs", type=Path)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--tf", default="", help="a Python with TensorFlow")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"))
    args = parser.parse_args()
    flags.FLAGS.mark_as_parsed()  # for grain's worker processes
    found: dict[str, dict[str, list[float]]] = {}
    with tempfile.TemporaryDirectory() as folder:
        for size, (source, files) in data_sets(args.photographs, Path(folder)).items():
            for cores in sorted({1, os.cpu_count() or 1}):
                turns = contenders(source, files, cores, args.tf)
                rates = found[f"{size}, cores: {cores}"] = {name: [] for name in turns}
                for name, call in args.rounds * list(turns.items()):
                    rates[name].append(1 / call())
                tell(f"{size}, cores: {cores}", rates)
    write("input", {"images_per_s": found}, args.out)


def tell(what: str, rates: dict[str, list[float]]) -> None:
    """Print a table of medians, and how far `data.fast` is ahead of them."""
    print(what)
    fast = median(rates["jaxcap, data.fast"])
    for name, each in rates.items():
        middle, spread = median(each), f"{min(each):.0f} to {max(each):.0f}"
        print(f"  {name}: {middle:.0f} images/s ({spread}); 1 / {fast / middle:.2f}")


if __name__ == "__main__":
    main()
