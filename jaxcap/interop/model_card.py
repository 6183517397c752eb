"""The model card of an exported captioner, filled from its run."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from jaxcap.run import Run

CLASSES = {  # by model_type
    "vision-encoder-decoder": "VisionEncoderDecoderModel",
    "blip": "BlipForConditionalGeneration",
    "git": "GitForCausalLM",
}
CODE = """\
from PIL import Image
from transformers import AutoImageProcessor, AutoTokenizer, {model}

model = {model}.from_pretrained(FOLDER)
shown = AutoImageProcessor.from_pretrained(FOLDER, backend="pil")
tokenizer = AutoTokenizer.from_pretrained(FOLDER)
pixels = shown(Image.open("photo.jpg").convert("RGB"), return_tensors="pt").pixel_values
caption = model.generate(pixel_values=pixels{also})[0]
print(tokenizer.decode(caption, skip_special_tokens=True))
"""


def model_card(
    run: Run,
    config: ConfigDict,
    step: int,
    use: str,
    library: str = "jaxcap",
    license: str = "",
) -> str:
    """README.md of the captioner at a step: what it is, how it was made, how it scores.

    A score is named with its protocol; one that the run does not have of this step is not.

    Args:
      run: of the captioner.
      config: of the run.
      step: of the checkpoint.
      use: the Python that captions with it.
      library: that this is the code of.
      license: of the weights, if it is known.
    """
    sections = [
        _front(library),
        f"# {run.path.name}",
        "A captioner of photographs, written by jaxcap.",
        _table("Network", _network(config)),
        _table("Training", _training(run, config, step)),
        _scores(run.path, step),
        f"## License\n\n{license}" if license else "",
        "## Use",
        f"```python\n{use}```",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def in_transformers(config: ConfigDict, written: Mapping[str, Any]) -> str:
    """The Python that captions with an exported captioner, of this config.json."""
    return CODE.format(model=CLASSES[written["model_type"]], also=_also(config, written))


def public(source: str) -> str:
    """A source of data without the folders that it lies in: they are nobody else's business."""
    kind, colon, places = source.partition(":")
    return kind + colon + ",".join(Path(place).name for place in places.split(","))


def _front(library: str) -> str:
    lines = [f"library_name: {library}", "pipeline_tag: image-to-text", "tags:"]
    return "\n".join(["---", *lines, "- image-captioning", "- jaxcap", "---"])


def _network(config: ConfigDict) -> dict[str, Any]:
    shown = f"{config.data.image_size} x {config.data.image_size} pixels"
    return {
        "Encoder": _described(config.model.encoder),
        "Decoder": _described(config.model.decoder),
        "Shown": f"{shown}, {config.data.fit}, {config.data.resample}",
    }


def _described(settings: ConfigDict) -> str:
    numbers = ("size", "width", "depth", "depths", "heads", "patch")
    told = [settings["name"], *(f"{n} {settings[n]}" for n in numbers if settings.get(n))]
    source = settings.get("init_from")
    return ", ".join(told) + (f"; started from {Path(source).name}" if source else "")


def _training(run: Run, config: ConfigDict, step: int) -> dict[str, Any]:
    if run.imported(step):
        return {"Source": f"weights converted from {run.origin(step)['source']}, as they were"}
    optim = config.optim
    begun = {"Started from": Path(config.init_from).name} if config.init_from else {}
    return begun | {
        "Data": f"{public(config.data.source)}, split {config.data.train}",
        "Steps": f"{step} of {config.steps}, {config.batch_size} images each",
        "Optimizer": f"{optim.kind}, rate {optim.lr}, decay {optim.weight_decay}, EMA {optim.ema}",
        "Seed": config.seed,
    }


def _scores(folder: Path, step: int) -> str:
    file = folder / "scores.json"
    found = json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
    if f"|step:{step}|" not in found.get("signature", ""):
        return ""
    rows = {name: f"{number:.4f}" for name, number in found["scores"].items()}
    return _table("Scores", rows) + f"\n\nProtocol: `{found['signature']}`"


def _also(config: ConfigDict, written: Mapping[str, Any]) -> str:
    """What `generate` must be told beyond the pixels."""
    encoder, also = config.model.encoder, ""
    if written["model_type"] == "blip":  # its decoder speaks, and has read no file
        also += ", generation_config=model.generation_config"
    side = encoder.get("grid", 0) * encoder.get("patch", 0)
    unasked = written.get("encoder", {}).get("model_type") == "dinov2"
    if side not in (0, config.data.image_size) and not unasked:
        also += ", interpolate_pos_encoding=True"
    return also


def _table(title: str, rows: Mapping[str, Any]) -> str:
    lines = [f"| {name} | {value} |" for name, value in rows.items()]
    return "\n".join([f"## {title}", "", "| | |", "|---|---|", *lines])
