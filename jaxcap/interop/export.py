"""A run directory becomes a captioner that Transformers loads."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jax
import ml_dtypes  # noqa: F401  (NumPy then knows bfloat16 by its name)
import numpy as np
from ml_collections import ConfigDict

from jaxcap.atomic import write_text
from jaxcap.data.frame import Frame
from jaxcap.data.hf_special_tokens import read_object
from jaxcap.data.text import Tokenizer
from jaxcap.decode import Search
from jaxcap.errors import UserError
from jaxcap.interop.captioners import Blueprint, blueprint
from jaxcap.interop.generation import generation_config, search_settings
from jaxcap.interop.model_card import in_transformers, model_card
from jaxcap.interop.new_folder import check_new, new_folder
from jaxcap.interop.origin import Origin, origin_of
from jaxcap.interop.pair import Outline, all_settings, check_between, pair
from jaxcap.interop.preprocessor import Preprocessor, read_preprocessor, write_preprocessor
from jaxcap.interop.report import Report
from jaxcap.interop.source import open_folder
from jaxcap.interop.table import Arrays, store
from jaxcap.interop.tokenizer import write_tokenizer
from jaxcap.interop.weight_files import write_weights
from jaxcap.lora import merged
from jaxcap.models import build
from jaxcap.models.captioning import CaptionModel
from jaxcap.run import Run
from jaxcap.state import init_variables, of_role

GENERATION = "generation_config.json"


def export(run_dir: str | Path, out_dir: str | Path, step: int | None = None) -> None:
    """Write a captioner in the Hugging Face layout; Transformers captions with it as the run does.

    It is of the kind that the run was imported as; one that was made here is a
    VisionEncoderDecoder. A run that was only imported gives back the source, bit for bit.

    Args:
      run_dir: the run.
      out_dir: a new directory.
      step: of the checkpoint; the best by default.

    Raises:
      UserError: it is no run, or Transformers has no class for such a captioner; with the reason.
        Nothing is then written.
    """
    run, out_dir = Run(run_dir), Path(out_dir)
    check_new(out_dir)
    config, tokenizer = run.config(), run.tokenizer()
    step = run.checkpoint(step)
    model = build(config.model, tokenizer.vocab_size, config.data.max_len + 1)
    shapes = jax.eval_shape(lambda: init_variables(model, config, jax.random.key(0)))
    origin = origin_of(run.path)
    if origin is None:
        outline = pair(model, config, tokenizer.pad)
    else:
        source = open_folder(origin.folder)
        plan = blueprint(source.config, {}, str(origin.folder / "config.json"))
        outline = Outline(read_object(origin.folder / "config.json"), plan.parts(), {})
        check_between(model, config, plan.bridge.settings)
        _check_same(model, plan)
    params, stats = run.restore_model(step, *shapes)
    arrays = {path: np.asarray(leaf) for path, leaf in {**merged(params), **stats}.items()}
    tensors = _tensors(arrays, outline, model.decoder.vocab_size, origin, run.imported(step))
    with new_folder(out_dir) as new:
        if origin is not None:
            origin.give_back(new)
        else:
            write_tokenizer(tokenizer, new)
        _write_config(new, outline.config, tokenizer, trained=not run.imported(step))
        _write_generation(new, config, tokenizer)
        _write_preprocessor(new, config, model)
        write_weights(new, tensors)
        use = in_transformers(config, outline.config)
        card = model_card(run, config, step, use, "transformers", run.license(step) or "")
        write_text(new / "README.md", card)


def _check_same(model: CaptionModel, plan: Blueprint) -> None:
    """Refuse a network that is not that of the config.json which came with it.

    Raises:
      UserError: with the settings that differ.
    """
    for role, part in plan.parts().items():
        here = all_settings(getattr(model, role))
        there = {name: value for name, value in part.settings.items() if name in here}
        differing = [
            f"{role}.{name} is {here[name]!r}, and there {value!r}"
            for name, value in there.items()
            if here[name] != (tuple(value) if isinstance(value, list) else value)
        ]
        if differing:
            raise UserError(
                "This run is of another network than the captioner that it came from, whose "
                f"config.json the export gives back: {'; '.join(differing)}."
            )


def _tensors(
    arrays: Arrays, outline: Outline, vocab: int, origin: Origin | None, imported: bool
) -> dict[str, np.ndarray]:
    """All tensors by name: those of the parameters, and what else Transformers expects."""
    report = Report() if origin is None else origin.report
    found = {name: np.zeros(shape, np.float32) for name, shape in outline.idle.items()}
    for role, part in outline.parts.items():
        mine = of_role(arrays, role)
        names = {path: report.loaded.get(f"{role}/{path}", "") for path in mine}
        known = {path: name.removeprefix(part.prefix) for path, name in names.items() if name}
        stored = store(mine, part.table, vocab, known)
        found |= {part.prefix + name: tensor for name, tensor in stored.items()}
    found |= {name: found[original] for name, original in report.copies.items()}
    if imported:  # what was trained since is float32
        found |= {name: found[name].astype(kind) for name, kind in report.types.items()}
    return found if origin is None else {**found, **origin.unused()}


def _write_config(
    folder: Path, config: Mapping[str, Any], tokenizer: Tokenizer, trained: bool
) -> None:
    """Write config.json, with the special ids where it has none yet."""
    file = folder / "config.json"
    if file.is_file() and not trained:
        return
    ids = {
        "decoder_start_token_id": tokenizer.bos,
        "eos_token_id": tokenizer.eos,
        "pad_token_id": tokenizer.pad,
    }
    said = {**ids, **config, "dtype": "float32"}
    said.pop("torch_dtype", None)  # what the field was called
    write_text(file, json.dumps(said, indent=2, sort_keys=True) + "\n")


def _write_generation(folder: Path, config: ConfigDict, tokenizer: Tokenizer) -> None:
    """Write generation_config.json, unless the one that is there asks for the same search."""
    said = read_object(folder / GENERATION)
    search = Search.of(**{"max_len": config.data.max_len, **config.search.to_dict()})
    if said and Search.of(**search_settings(said, GENERATION)) == search:
        return
    settings = vars(search) | {
        "suppress": tokenizer.banned if search.suppress is None else search.suppress
    }
    ids = {
        "bos_token_id": tokenizer.bos,
        "decoder_start_token_id": tokenizer.bos,
        "eos_token_id": tokenizer.eos,
        "pad_token_id": tokenizer.pad,
    }
    text = json.dumps({**ids, **generation_config(settings)}, indent=2)
    write_text(folder / GENERATION, text + "\n")


def _write_preprocessor(folder: Path, config: ConfigDict, model: CaptionModel) -> None:
    """Write preprocessor_config.json, unless the files that are there say the same."""
    mean, std = tuple(model.encoder.mean), tuple(model.encoder.std)
    shown = Preprocessor(Frame.of(config.data), mean, std)
    files = [folder / name for name in ("preprocessor_config.json", "processor_config.json")]
    if any(file.is_file() for file in files) and read_preprocessor(folder) == shown:
        return
    for file in files:
        file.unlink(missing_ok=True)
    write_preprocessor(shown, folder)
