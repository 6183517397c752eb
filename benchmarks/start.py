"""From the command to the first step, with and without programs that an earlier start compiled.

python benchmarks/start.py [--config configs/shapes.py:long] [--rounds 3] [--out FOLDER]
"""

import argparse
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

from turns import by_turns, write

ROOT = Path(__file__).parents[1]


def starter(config: str, kept: Path | None) -> Callable[[], None]:
    """Starts a run and ends it after its first step; compiled programs are kept in a folder."""
    settings = {"JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS": "0"}
    if kept is not None:
        settings["JAX_COMPILATION_CACHE_DIR"] = str(kept)

    def start() -> None:
        with tempfile.TemporaryDirectory() as folder:
            words = [f"--config={config}", f"--workdir={folder}/run", "--config.log_every=1"]
            running = subprocess.Popen(
                [sys.executable, "-m", "jaxcap.main", *words],
                env={**os.environ, **settings},
                cwd=ROOT,
                stdout=subprocess.DEVNULL,
            )
            metrics = Path(folder) / "run" / "metrics.jsonl"
            while not (metrics.is_file() and metrics.stat().st_size):
                if running.poll() is not None:
                    raise SystemExit(f"The run of {config} ended before its first step.")
                time.sleep(0.02)
            running.kill()
            running.wait()

    return start


def main() -> None:
    """Print the medians and their ratio, and write start.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--config", default="configs/shapes.py:long")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"))
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as kept:
        contenders = {
            "first start": starter(args.config, None),
            "second start": starter(args.config, Path(kept)),
        }
        times = by_turns(contenders, args.rounds)
    for name, each in times.items():
        print(f"{name}: {each.told()}")
    ratio = times["first start"].median / times["second start"].median
    print(f"The second start is {ratio:.2f} times as fast.")
    write("start", {"config": args.config, "ratio": ratio, "times": times}, args.out)


if __name__ == "__main__":
    main()
