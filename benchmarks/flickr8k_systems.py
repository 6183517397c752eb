"""The captioners of the lineage beside one another: one encoder, one data set, one protocol.

    python benchmarks/flickr8k_systems.py datasets/flickr8k runs/systems [--only NAME ...]

trains each system of `SYSTEMS` on Flickr8k over the grid of a frozen EfficientNet-lite2, in the way
of configs/flickr8k.py, evaluates it on the development split and prints a table. Runs that are done
are not done again, and one that was cut short goes on; a second look costs nothing. It needs
`pip install 'jaxcap[pretrained]'` and, on two CPU cores, about half an hour a system.

What a system is stays that of its config: its stage, how it joins encoder and decoder, and its
decoder. What does not: the encoder and the optimizer, which are the same for all; widths that were
chosen for a data set twenty times as large; and regularisation, without which 6,000 photographs are
learned by heart. `SYSTEMS` has what is set in the place of each config's own.
"""

import argparse
import json
import re
from collections.abc import Mapping
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

import jax
from ml_collections import ConfigDict

from jaxcap.models import build
from jaxcap.optim import split
from jaxcap.run import Run
from jaxcap.state import init_variables
from jaxcap.train import train

CONFIGS = Path(__file__).parents[1] / "configs"
METRICS = ("Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr")
DROPOUT = {"dropout": 0.4, "word_dropout": 0.1}
BRIDGE = {"dropout": 0.3, "token_dropout": 0.3}


class System(NamedTuple):
    """A system of the lineage.

    Attributes:
      config: its file and argument.
      published: its figures on Flickr8k's test split, with another encoder.
      model: settings in the place of the config's.
      objective: likewise.
    """

    config: str
    published: str
    model: Mapping[str, Mapping[str, Any]]
    objective: Mapping[str, float] = MappingProxyType({})


PROJECTED = {"bridge": {"project": True, "norm": True, "positions": True}}
SYSTEMS = {
    "Transformer": System("flickr8k", "B4 18.7, CIDEr 45.5 (ResNet-50)", {}),
    "Show and Tell": System(
        "show_and_tell",
        "B1 63 (Inception); pre-inject of Tanti et al.: B4 19.0, CIDEr 46.9 (VGG16)",
        {"decoder": {"width": 512, "word_width": 256, **DROPOUT}, "bridge": {"norm": True}},
    ),
    "Show, Attend and Tell, soft": System(
        "show_attend_tell",
        "B4 19.5 (VGG19)",
        {
            "decoder": {"width": 512, "word_width": 256, "attention_width": 256, **DROPOUT},
            **PROJECTED,
        },
        {"doubly_stochastic": 1.0},
    ),
    "Show, Attend and Tell, hard": System(
        "show_attend_tell:hard",
        "B4 21.3 (VGG19)",
        {  # what is drawn is noise enough before it
            "decoder": {"width": 512, "word_width": 256, "attention_width": 256, **DROPOUT},
            "bridge": {**PROJECTED["bridge"], "dropout": 0.0},
        },
        {"reinforce": 0.1, "entropy": 0.002},
    ),
    "seq2seq, GRU": System(
        "seq2seq_gru",
        "none",
        {"decoder": {"width": 512, "attention_width": 256, **DROPOUT}, "stage": {"dropout": 0.3}},
    ),
    "Merge": System(
        "merge_lstm",
        "B4 17.9, CIDEr 47.0 (VGG16)",
        {"decoder": DROPOUT},
    ),
    "Bottom-up top-down": System(
        "regions_lstm",
        "none (over cells here, and not over regions)",
        {
            "decoder": {"width": 512, "word_width": 256, "attention_width": 256, **DROPOUT},
            **PROJECTED,
        },
    ),
    "PureT": System(
        "puret",
        "none",
        {
            "stage": {"width": 256, "depth": 2, "heads": 4, "mlp_width": 1024, "window": 5},
            "decoder": {"width": 256, "depth": 2, "heads": 4, "mlp_width": 1024, **DROPOUT},
        },
    ),
}


def config_of(file: str, arg: str) -> ConfigDict:
    """The config in a file of configs/."""
    spec = spec_from_file_location(file, CONFIGS / f"{file}.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.get_config(arg)


def on_flickr8k(system: System, folder: str) -> ConfigDict:
    """The model of a system, in the setting of configs/flickr8k.py."""
    config = config_of("flickr8k", folder)
    file, _, arg = system.config.partition(":")
    if file != "flickr8k":
        theirs = config_of(file, arg).model
        for part, ours in (("stage", {}), ("bridge", BRIDGE), ("decoder", {})):
            config.model[part] = {**theirs[part], **ours, **system.model.get(part, {})}
    config.objective.update(system.objective)
    return config


def trained(config: ConfigDict, words: int) -> int:
    """How many parameters the optimizer moves."""
    model = build(config.model, words, config.data.max_len + 1)
    params, _ = jax.eval_shape(lambda: init_variables(model, config, jax.random.key(0)))
    moving, _ = split(params, config.optim.parts)
    return sum(leaf.size for leaf in moving.values())


def minutes(config: ConfigDict, workdir: Path) -> float:
    """Of training alone, at the best rate that was logged, when the machine did nothing else."""
    rows = map(json.loads, (workdir / "metrics.jsonl").read_text().splitlines())
    rate = max(row["images_per_s"] for row in rows if "images_per_s" in row)
    return config.steps * config.batch_size / rate / 60


def row(name: str, config: ConfigDict, workdir: Path) -> str:
    """One line of the table, of a run that is done."""
    found = json.loads((workdir / "scores.json").read_text())["scores"]
    scores = [100 * found[metric] for metric in METRICS]
    cells = [
        name,
        f"{trained(config, Run(workdir).tokenizer().vocab_size) / 1e6:.1f} M",
        f"{minutes(config, workdir):.0f}",
        *(f"{score:.1f}" for score in scores),
        SYSTEMS[name].published,
    ]
    return f"| {' | '.join(cells)} |"


def main() -> None:
    """Train what is not trained yet, and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("folder", help="Flickr8k as distributed")
    parser.add_argument("runs", type=Path, help="where the runs are kept")
    parser.add_argument("--only", nargs="*", default=list(SYSTEMS), choices=list(SYSTEMS))
    args = parser.parse_args()
    table, protocols = [], dict[str, None]()  # the latter as they come, each once
    for name in args.only:
        config = on_flickr8k(SYSTEMS[name], args.folder)
        config.data.cache = str(args.runs / "memories")
        workdir = args.runs / re.sub(r"\W+", "_", name.lower())
        train(config, workdir)
        if not (workdir / "scores.json").is_file():
            raise SystemExit(f"{name} was stopped. The same command goes on.")
        table.append(row(name, config, workdir))
        protocols[json.loads((workdir / "scores.json").read_text())["signature"]] = None
    head = ["system", "trained", "minutes", *METRICS, "published"]
    print(f"| {' | '.join(head)} |\n|{'---|' * len(head)}")
    print(*table, "Protocol:", *protocols, sep="\n")


if __name__ == "__main__":
    main()
