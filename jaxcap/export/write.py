"""From a run to one file that holds the whole captioner."""

import json
import zipfile
from pathlib import Path
from typing import Any

import jax
import numpy as np
import PIL
from ml_collections import ConfigDict

import jaxcap
from jaxcap.atomic import beside
from jaxcap.captioner import Captioner
from jaxcap.data.frame import Frame
from jaxcap.errors import UserError
from jaxcap.export.loaded import CAPTION, CARD, FORMAT, FRAME, WEIGHTS, WORDS
from jaxcap.export.programs import PLATFORMS, caption_program, frame_program
from jaxcap.export.words import spelling
from jaxcap.run import Run
from jaxcap.state import flat


def export(
    run_dir: str | Path,
    out: str | Path,
    step: int | None = None,
    prompt: str = "",
    **search: Any,
) -> dict[str, Any]:
    """Write a captioner as one file, which captions as the run does; `jaxcap.export.load` reads it.

    It is a zip of two programs that `jax.export` serialised, the weights, tables of what ids say,
    and a card, which is returned.

    Args:
      run_dir: the run.
      out: a file, in the place of one that may be there.
      step: of the checkpoint; the best by default.
      prompt: what every caption begins with.
      search: settings in place of the run's own; see `Captioner`.

    Raises:
      UserError: it is no run, a setting is out of range, nothing can be written there, or the
        captioner looks at more than one photograph. Nothing is then written.
    """
    run, out = Run(run_dir), Path(out)
    _check(run.config().data)
    if out.is_dir() or not out.name:
        raise UserError(f"{out} is a folder; name a file, such as {out / 'captioner.stablehlo'}.")
    captioner = Captioner.load(run_dir, step)
    config, tokenizer = captioner.config, captioner.tokenizer
    given, asked = captioner.settle(1, prompt, **search)
    frame = Frame.of(config.data)
    weights = {path: np.asarray(leaf) for path, leaf in flat(captioner.variables).items()}
    card = {
        "format": FORMAT,
        "run": run.path.name,
        "step": captioner.step,
        "license": run.license(captioner.step),
        "frame": vars(frame),
        "tokenizer": tokenizer.signature,
        "eos": tokenizer.eos,
        "prompt": prompt,
        "given": len(given),
        "search": asked.signature(),
        "seed": config.seed,
        "platforms": PLATFORMS,
        "jaxcap": jaxcap.__version__,
        "jax": jax.__version__,
        "pillow": PIL.__version__,
    }
    how = (captioner.model, tokenizer, asked, given, config.seed)
    texts: dict[str, str | bytes] = {
        CARD: json.dumps(card, indent=1),
        WORDS: json.dumps(spelling(tokenizer, captioner.model.decoder.vocab_size)),
        FRAME: frame_program(frame),
        CAPTION: caption_program(*how, weights, frame.image_size),
    }
    _write(out, texts, weights)
    return card


def _check(data: ConfigDict) -> None:
    """Refuse a captioner that looks at anything but one photograph.

    Raises:
      UserError: with what it looks at.
    """
    looks = {
        f"at {data.images} images together (data.images)": data.images != 1,
        f"at features of regions, and at no pixels (data.features={data.features})": data.features,
        f"at regions in boxes (data.regions={data.regions})": data.regions,
    }
    for what, so in looks.items():
        if so:
            raise UserError(
                f"This captioner looks {what}. One that is exported is given photographs alone, "
                "one for each caption; use the run itself: jaxcap caption, or Captioner.load."
            )


def _write(out: Path, texts: dict[str, str | bytes], weights: dict[str, Any]) -> None:
    """Write the zip beside its place, then rename it.

    Raises:
      UserError: nothing can be written there.
    """
    try:
        with beside(out) as place, zipfile.ZipFile(place, "w", zipfile.ZIP_DEFLATED) as file:
            for name, text in texts.items():
                file.writestr(name, text)
            with file.open(zipfile.ZipInfo(WEIGHTS), "w", force_zip64=True) as member:
                np.savez(member, **weights)
    except OSError as error:
        raise UserError(f"{out} cannot be written: {error.strerror or error}.") from error
