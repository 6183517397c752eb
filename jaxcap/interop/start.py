"""What a model starts from: published weights and vectors of words, as a config names them."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
from ml_collections import ConfigDict

from jaxcap.data.text import Tokenizer
from jaxcap.errors import UserError, did_you_mean
from jaxcap.interop.captioners import text_family, vision_family
from jaxcap.interop.efficientnet import EFFICIENTNET_LITE, weights_file
from jaxcap.interop.network_file import file_settings, is_network_file, load_file
from jaxcap.interop.preprocessor import read_preprocessor
from jaxcap.interop.report import Report
from jaxcap.interop.source import open_folder
from jaxcap.interop.table import Table, load
from jaxcap.interop.torch_file import read_torch_file
from jaxcap.interop.word_vectors import TABLE, start_words
from jaxcap.state import of_role

IMAGENET = "imagenet"  # weights that come in a package: its file and its table, by encoder
PACKAGES: dict[str, tuple[Callable[[Mapping[str, Any]], Path], Table]] = {
    "efficientnet_lite": (lambda its: weights_file(its.get("variant", 0)), EFFICIENTNET_LITE),
}
ROLES = ("encoder", "decoder")


def resolved(config: ConfigDict, begun: ConfigDict | None) -> ConfigDict:
    """The config with all settings of the networks that its parts start from.

    What the config sets itself stays as it is set, but for the name: the network is of the kind
    of its source. An encoder is shown pixels normalised as its source has them.

    Args:
      config: of an experiment.
      begun: of the same run when it was begun, if it was: its source may be gone.

    Raises:
      UserError: a source is not there, or is of no kind that is known here.
    """
    config = ConfigDict(config.to_dict())
    for role in ROLES:
        mine = config.model[role].to_dict()
        source = mine.get("init_from")
        if not source or source == IMAGENET:
            continue
        if begun is not None and begun.model[role].get("init_from") == source:
            theirs = begun.model[role].to_dict()
            config.model.vocab_size = begun.model.vocab_size
        else:
            read = _encoder if role == "encoder" else _decoder
            theirs = read(source, config, mine)
        config.model[role] = ConfigDict({**theirs, **mine, "name": theirs["name"]})
    return config


def start(
    config: ConfigDict, leaves: Mapping[str, Any], tokenizer: Tokenizer
) -> tuple[dict[str, Any], Report]:
    """The arrays, by path, with which the parts of a resolved config start.

    Args:
      config: of an experiment.
      leaves: all parameters and statistics as they were drawn, by path.
      tokenizer: whose words may have vectors in a file.

    Returns:
      The arrays, without those that the sources lack; and what became of every leaf of theirs.

    Raises:
      UserError: a source is damaged, or is of another network than the settings.
    """
    found: dict[str, Any] = {}
    report = Report()
    if config.model.word_vectors:
        found[TABLE], report = start_words(config.model.word_vectors, tokenizer, leaves[TABLE])
    for role in ROLES:
        settings = config.model[role].to_dict()
        if not settings.get("init_from"):
            continue
        arrays, told = _arrays(role, settings, of_role(leaves, role))
        found |= {f"{role}/{path}": array for path, array in arrays.items()}
        report |= told.of(role, "")
    return found, report


def _arrays(
    role: str, settings: Mapping[str, Any], leaves: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], Report]:
    if settings["init_from"] == IMAGENET:
        return _packaged(role, settings, leaves)
    if role == "encoder" and is_network_file(settings["init_from"]):
        return load_file(settings["init_from"], settings["name"], leaves)
    source = open_folder(settings["init_from"])
    where = f"The {role} of {source.folder}"
    if role == "encoder":
        family, _ = vision_family(source.config, where)
        return load(source.tensors, leaves, family.table, 0, where)
    family = text_family(source.config, where)
    return load(source.tensors, leaves, family.table, source.config["vocab_size"], where)


def _packaged(
    role: str, settings: Mapping[str, Any], leaves: Mapping[str, Any]
) -> tuple[dict[str, np.ndarray], Report]:
    name = settings["name"]
    if name not in PACKAGES:
        raise UserError(
            f"There are no weights of the {role} {name!r} in a package. "
            f"{did_you_mean(name, PACKAGES)} Set its init_from to a directory in the Hugging Face "
            "layout, or leave it out to train from nothing."
        )
    file, table = PACKAGES[name]
    return load(read_torch_file(file(settings)), leaves, table, 0, str(file(settings)))


def _encoder(folder: str, _: ConfigDict, mine: Mapping[str, Any]) -> dict[str, Any]:
    if is_network_file(folder):
        return file_settings(folder, mine.get("name", ""))
    source = open_folder(folder)
    where = str(source.folder / "config.json")
    family, config = vision_family(source.config, where)
    settings = family.settings(config, where)
    if not {"mean", "std"} <= mine.keys():
        try:
            shown = read_preprocessor(folder)
        except UserError as error:
            raise UserError(
                f"{error} Or set model.encoder.mean and model.encoder.std, in units of 255."
            ) from error
        settings |= {"mean": shown.mean, "std": shown.std}
    return settings


def _decoder(folder: str, config: ConfigDict, _: Mapping[str, Any]) -> dict[str, Any]:
    source = open_folder(folder)
    where = str(source.folder / "config.json")
    if config.tokenizer.kind != "hf":
        raise UserError(
            f"model.decoder starts from {folder}, which knows words by ids of its own, but "
            f"tokenizer.kind is {config.tokenizer.kind!r}. Set tokenizer.kind='hf' and "
            f"tokenizer.path={folder!r}."
        )
    settings = text_family(source.config, where).settings(source.config, where)
    config.model.vocab_size = source.config["vocab_size"]
    return settings
