"""A captioner that somebody published becomes a run directory."""

import re
from collections.abc import Mapping
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import jax
import numpy as np
from ml_collections import ConfigDict

from jaxcap.config import base
from jaxcap.data.hf_special_tokens import read_object
from jaxcap.data.text import Tokenizer, build_tokenizer
from jaxcap.decode import Search
from jaxcap.errors import UserError
from jaxcap.interop.captioners import Blueprint, blueprint
from jaxcap.interop.generation import search_settings
from jaxcap.interop.new_folder import check_new, new_folder
from jaxcap.interop.origin import keep
from jaxcap.interop.preprocessor import read_preprocessor
from jaxcap.interop.report import Report
from jaxcap.interop.source import Source, open_folder
from jaxcap.interop.table import load
from jaxcap.models import build
from jaxcap.run import Run
from jaxcap.state import init_variables, of_role


def convert(folder: str | Path, run_dir: str | Path) -> Report:
    """Write the run directory of a captioner in the Hugging Face layout.

    It captions as the source does with Transformers. Its folder `origin` keeps what the model here
    has no use for (files of settings, tensors, the report), so that an export gives all of it back.

    Args:
      folder: the source.
      run_dir: a new directory.

    Returns:
      What became of every tensor and parameter.

    Raises:
      UserError: the source is damaged, incomplete, or of a kind that is not known here. Nothing is
        then written.
    """
    run_dir = Path(run_dir)
    check_new(run_dir)
    source = open_folder(folder)
    plan = blueprint(source.config, _generation(source), str(source.folder / "config.json"))
    tokenizer = _tokenizer(source, plan)
    config = _config(source, plan)
    params, stats, report = _variables(source, plan, config, tokenizer)
    with new_folder(run_dir) as new, closing(Run(new)) as run:
        origin = {"source": source.folder.absolute().name, "license": _license(source.folder)}
        run.save_imported(params, stats, origin)
        run.save_config(config)
        run.begin(tokenizer)
        keep(source, report, new)
    return report


def _license(folder: Path) -> str:
    """What the head of its model card says; nothing where there is none."""
    card = folder / "README.md"
    text = card.read_text(encoding="utf-8", errors="replace") if card.is_file() else ""
    head = text.split("---")[1] if text.startswith("---") and text.count("---") > 1 else ""
    said = re.search(r"^license:[ \t]*(\S.*)$", head, re.MULTILINE)
    return said[1].strip().strip("\"'") if said else ""


def _config(source: Source, plan: Blueprint) -> ConfigDict:
    """The config of the run: what it lacks to be trained is data and a number of steps."""
    shown = read_preprocessor(source.folder)
    config = base()
    config.data.update(vars(shown.frame))
    seen = {**plan.encoder.settings, "mean": shown.mean, "std": shown.std}
    config.model.encoder = ConfigDict(seen)
    config.model.bridge = ConfigDict(plan.bridge.settings)
    config.model.decoder = ConfigDict(plan.decoder.settings)
    config.model.vocab_size = plan.vocab_size
    decoder = config.model.decoder
    places = decoder.positions - decoder.get("first_position", 0) - 1  # but that of the start
    config.search = ConfigDict(_search(source, plan, places))
    config.data.max_len = min(max(config.data.max_len, config.search.max_len), places)
    config.tokenizer.kind, config.tokenizer.path = "hf", str(source.folder)
    return config


def _search(source: Source, plan: Blueprint, places: int) -> dict[str, Any]:
    """The settings of the search, for captions of at most so many tokens.

    Raises:
      UserError: there is no such search.
    """
    where = f"generation_config.json or config.json of {source.folder}"
    settings = search_settings(_generation(source), where)
    settings["max_len"] = min(settings["max_len"], places)
    try:
        Search.of(**settings).check_vocabulary(plan.vocab_size)
    except UserError as error:
        raise UserError(f"There is no such search as that of {where}: {error}") from error
    return settings


def _generation(source: Source) -> Mapping[str, Any]:
    """The settings of `generate`; an old source has them in config.json, or in its decoder's."""
    if said := read_object(source.folder / "generation_config.json"):
        return said
    whole = read_object(source.folder / "config.json")
    decoder = whole.get("decoder") or whole.get("text_config") or {}
    return {**decoder, **{name: value for name, value in whole.items() if value is not None}}


def _tokenizer(source: Source, plan: Blueprint) -> Tokenizer:
    """The source's, with the special ids that its `generate` uses.

    Raises:
      UserError: there is no tokenizer, it has more words than the decoder, or what begins or ends
        a caption is none of these.
    """
    tokenizer = build_tokenizer("hf", (), path=str(source.folder))
    if tokenizer.vocab_size > plan.vocab_size:
        raise UserError(
            f"The tokenizer in {source.folder} has {tokenizer.vocab_size} words, and the decoder "
            f"only {plan.vocab_size}. It is another network's."
        )
    ids = {role: id for role, id in plan.ids.items() if id is not None}
    for role, id in ids.items():
        if type(id) is not int or not 0 <= id < plan.vocab_size:
            raise UserError(
                f"{source.folder} has {id!r} for its {role}; expected one of the decoder's ids, 0 "
                f"to {plan.vocab_size - 1}. Correct {role}_token_id in its generation_config.json "
                "or config.json."
            )
    roles = {**tokenizer.roles, **ids}
    return Tokenizer(tokenizer.backend, tokenizer.kind, roles, tokenizer.label)


def _variables(
    source: Source, plan: Blueprint, config: ConfigDict, tokenizer: Tokenizer
) -> tuple[dict[str, Any], dict[str, Any], Report]:
    """(parameters, batch statistics), both by path; and what became of every leaf."""
    model = build(config.model, tokenizer.vocab_size, config.data.max_len + 1)
    init = partial(init_variables, model, config)
    shapes = jax.eval_shape(init, jax.random.key(config.seed))
    leaves = {**shapes[0], **shapes[1]}
    found, report = load_parts(source, plan, leaves)
    if report.fresh:
        fresh = jax.jit(init)(jax.random.key(config.seed))
        found |= {path: np.asarray({**fresh[0], **fresh[1]}[path]) for path in report.fresh}
    params, stats = ({path: found[path] for path in part} for part in shapes)
    return params, stats, report


def load_parts(
    source: Source, plan: Blueprint, leaves: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], Report]:
    """The arrays of a captioner by path, without those that are fresh; see `table.load`."""
    found: dict[str, np.ndarray] = {}
    report = Report()
    prefixes = [part.prefix for part in plan.parts().values()]
    for role, part in plan.parts().items():
        where = f"The {role} of {source.folder}"
        tensors = source.under(part.prefix, prefixes)
        arrays, told = load(tensors, of_role(leaves, role), part.table, plan.vocab_size, where)
        found |= {f"{role}/{path}": array for path, array in arrays.items()}
        report |= told.of(role, part.prefix)
    return found, report
