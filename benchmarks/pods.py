"""What training needs on TPU pods that are not here, by the programs compiled for them.

python benchmarks/pods.py [--configs configs/coco.py ...] [--topologies v5e:4x4 ...] [--fsdp 16]
    [--images 32] [--out FOLDER]

With --fsdp -1 all chips share out the parameters, however many there are. It needs libtpu
(pip install -e ".[tpu]") and no TPU. Each program takes minutes to compile.
"""

import argparse
from pathlib import Path
from runpy import run_path

from turns import write

from jaxcap.ahead.chips import chip_of
from jaxcap.ahead.program import topology_mesh
from jaxcap.ahead.report import compile_ahead

ROOT = Path(__file__).parents[1]
CONFIGS = ("configs/coco.py", "configs/coco.py:L", "configs/coco.py:g")
TOPOLOGIES = ("v5e:4x4", "v5e:16x16", "v5p:8x8x8", "v6e:16x16")


def row(name: str, topology: str, fsdp: int, images: int) -> dict[str, object]:
    """What a chip needs for a step, with so many images on each."""
    file, _, arg = name.partition(":")
    config = run_path(str(ROOT / file))["get_config"](arg)
    config.mesh = {"data": 1 if fsdp == -1 else -1, "fsdp": fsdp, "tensor": 1}
    chips = topology_mesh(config, topology).size
    config.batch_size = images * chips
    need, chip = compile_ahead(config, topology), chip_of(topology)
    return {
        "config": name,
        "topology": topology,
        "chips": chips,
        "fsdp": chips if fsdp == -1 else fsdp,
        "images": images,
        "memory": need.memory,
        "flops": need.flops,
        "sent": need.sent,
        "milliseconds": {limit: 1e3 * each for limit, each in need.seconds(chip).items()},
        "bound": need.bound(chip),
        "ceiling": need.ceiling(chip),
    }


def told(row: dict) -> str:
    """A line of the table."""
    memory, room = row["memory"] / 2**30, chip_of(row["topology"]).memory / 2**30
    flops, sent = row["flops"] / 1e12, row["sent"] / 2**20
    limits = " | ".join(f"{each:.1f}" for each in row["milliseconds"].values())
    return (
        f"| `{row['config'].removeprefix('configs/')}` | {row['topology']} | {row['chips']} | "
        f"{row['fsdp']} | {memory:.2f} of {room:.0f} | {flops:.2f} | {sent:,.0f} | {limits} | "
        f"{row['bound']} | {row['ceiling']:.0%} |"
    )


def main() -> None:
    """Print a line of the README's table for each, and write pods.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--configs", nargs="+", default=CONFIGS)
    parser.add_argument("--topologies", nargs="+", default=TOPOLOGIES)
    parser.add_argument("--fsdp", type=int, default=16)
    parser.add_argument("--images", type=int, default=32, help="of a chip, in a step")
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"))
    args = parser.parse_args()
    rows = []
    for name in args.configs:
        for topology in args.topologies:
            rows.append(row(name, topology, args.fsdp, args.images))
            write("pods", {"rows": rows}, args.out)
            print(told(rows[-1]), flush=True)


if __name__ == "__main__":
    main()
