"""What a run is, in words: its network, how it was made, how it scores, whose its weights are."""

import json
import math
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from jaxcap.run import Run

SCORES = "scores.json"
SIZES = ("size", "variant", "width", "depth", "depths", "heads", "patch")  # of a part, to be told


def about(run: Run) -> dict[str, Any]:
    """All that there is to tell of the best checkpoint of a run.

    Raises:
      UserError: it is no run.
    """
    config, step = run.config(), run.best_step()
    tokenizer = run.tokenizer()
    leaves = run.shapes(step)
    counts = {
        part: sum(math.prod(shape) for path, shape in leaves.items() if path.startswith(f"{part}/"))
        for part in ("encoder", "stage", "bridge", "decoder")
    }
    return {
        "name": run.path.name,
        "network": network(config),
        "parameters": {part: count for part, count in counts.items() if count}
        | {"all": sum(map(math.prod, leaves.values()))},
        "words": tokenizer.signature,
        "training": training(run, config, step),
        "step": step,
        "scores": scores(run.path, step),
        "license": run.license(step),
    }


def network(config: ConfigDict) -> dict[str, Any]:
    """Its parts, and what it is shown of a photograph."""
    stage = config.model.stage
    return {
        "Encoder": _described(config.model.encoder),
        **({"Stage": _described(stage)} if stage.name else {}),
        "Decoder": _described(config.model.decoder),
        "Shown": _shown(config.data),
    }


def training(run: Run, config: ConfigDict, step: int) -> dict[str, Any]:
    """How the checkpoint of a step was made."""
    if run.imported(step) and not config.steps:
        return {"Source": f"weights converted from {run.origin(step)['source']}, as they were"}
    optim = config.optim
    begun = {"Started from": Path(config.init_from).name} if config.init_from else {}
    return begun | {
        "Data": f"{public(config.data.source)}, split {config.data.train}",
        "Steps": f"{step} of {config.steps}, {config.batch_size} images each",
        "Optimizer": f"{optim.kind}, rate {optim.lr}, decay {optim.weight_decay}, EMA {optim.ema}",
        "Seed": config.seed,
    }


def scores(folder: Path, step: int) -> dict[str, Any] | None:
    """What scores.json says of the checkpoint of a step; None where it says nothing of it."""
    file = folder / SCORES
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    return found if f"|step:{step}|" in found.get("signature", "") else None


def public(source: str) -> str:
    """A source of data without the folders that it lies in: they are nobody else's business."""
    kind, colon, places = source.partition(":")
    return kind + colon + ",".join(Path(place).name for place in places.split(","))


def _shown(data: ConfigDict) -> str:
    told = [f"{data.image_size} x {data.image_size} pixels", data.fit, data.resample]
    if data.features:
        told = [f"{data.features} features of each of {data.regions} regions, and no pixels"]
    elif data.regions:
        told.append(f"{data.regions} regions in boxes")
    return ", ".join(told) + (f"; {data.images} images together" if data.images > 1 else "")


def _described(settings: ConfigDict) -> str:
    told = [settings["name"], *(f"{n} {settings[n]}" for n in SIZES if settings.get(n))]
    source = settings.get("init_from")
    return ", ".join(told) + (f"; started from {Path(source).name}" if source else "")
