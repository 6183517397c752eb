"""The model card of an exported captioner, filled from its run."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ml_collections import ConfigDict

from jaxcap.about import network, scores, training
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
        _table("Network", network(config)),
        _table("Training", training(run, config, step)),
        _scores(run.path, step),
        f"## License\n\n{license}" if license else "",
        "## Use",
        f"```python\n{use}```",
    ]
    return "\n\n".join(section for section in sections if section) + "\n"


def in_transformers(config: ConfigDict, written: Mapping[str, Any]) -> str:
    """The Python that captions with an exported captioner, of this config.json."""
    return CODE.format(model=CLASSES[written["model_type"]], also=_also(config, written))


def _front(library: str) -> str:
    lines = [f"library_name: {library}", "pipeline_tag: image-to-text", "tags:"]
    return "\n".join(["---", *lines, "- image-captioning", "- jaxcap", "---"])


def _scores(folder: Path, step: int) -> str:
    found = scores(folder, step)
    if found is None:
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
