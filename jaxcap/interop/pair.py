"""A captioner that was trained here, as the pair of networks that Transformers knows it as."""

from collections.abc import Mapping
from dataclasses import MISSING, dataclass, fields
from functools import partial
from typing import Any

import flax.linen as nn
import jax
from ml_collections import ConfigDict

from jaxcap.errors import UserError
from jaxcap.interop.captioners import ENCODER_TO_DECODER, PLAIN, Part
from jaxcap.interop.family import Family, Settings
from jaxcap.interop.text import TEXT
from jaxcap.interop.vision import VISION
from jaxcap.models.captioning import CaptionModel
from jaxcap.models.shown import Shown

LINEN = ("parent", "name")  # fields of every module


@dataclass(frozen=True)
class Outline:
    """What an export writes.

    Attributes:
      config: of config.json.
      parts: by role.
      idle: shapes of tensors that Transformers expects and captioning has no use for, by name.
    """

    config: Mapping[str, Any]
    parts: Mapping[str, Part]
    idle: Mapping[str, tuple[int, ...]]


def pair(model: CaptionModel, config: ConfigDict, pad: int) -> Outline:
    """The VisionEncoderDecoder that a captioner is.

    Args:
      model: of the run.
      config: of the run.
      pad: the tokenizer's id.

    Raises:
      UserError: Transformers has no such encoder, decoder or bridge; with the reason.
    """
    seen, said = all_settings(model.encoder), all_settings(model.decoder)
    if not seen.get("grid", 1):
        seen["grid"] = config.data.image_size // seen["patch"]
    _check_windows(seen, config.data.image_size)
    encoder = _family("encoder", VISION, config.model.encoder.name, seen, model.encoder)
    decoder = _family("decoder", TEXT, config.model.decoder.name, said, model.decoder)
    if not encoder.tokens:
        raise UserError(
            f"A {encoder.model_type} cannot be the encoder of a VisionEncoderDecoder: it gives a "
            "map of features there, and the decoder reads a row of tokens."
        )
    project = _width(model, config) != said["width"]
    bridge = check_between(model, config, {**PLAIN, "project": project})
    parts = {
        "encoder": Part(seen, "encoder.", encoder.table),
        "bridge": Part(bridge, "", ENCODER_TO_DECODER),
        "decoder": Part(said, "decoder.", decoder.table),
    }
    speaks = {**decoder.config(said), "vocab_size": said["vocab_size"]}
    if (padding := speaks.get("pad_token_id", pad)) != pad:
        raise UserError(
            f"A {decoder.model_type} of Transformers counts the places of a caption from the id "
            f"that pads it, which would be decoder.first_position - 1 = {padding}; the tokenizer "
            f"of this run pads with {pad}."
        )
    written = {
        "model_type": "vision-encoder-decoder",
        "architectures": ["VisionEncoderDecoderModel"],
        "is_encoder_decoder": True,
        "tie_word_embeddings": False,  # of encoder and decoder with each other
        "encoder": encoder.config(seen),
        "decoder": speaks,
    }
    idle = {f"encoder.{name}": shape for name, shape in encoder.idle(seen).items()}
    return Outline(written, parts, idle)


def _check_windows(seen: Settings, image_size: int) -> None:
    """Refuse windows that are larger than a map: Transformers does not make them smaller.

    Raises:
      UserError: with the sizes.
    """
    if "window" in seen:
        last = -(-image_size // (seen["patch"] * 2 ** (len(seen["depths"]) - 1)))
        if last < seen["window"]:
            raise UserError(
                f"Of images of {image_size} pixels the last map has {last} x {last} cells, fewer "
                f"than a window of {seen['window']}, which Transformers does not make smaller. "
                "Train with a smaller model.encoder.window, or larger images."
            )


def check_between(model: CaptionModel, config: ConfigDict, bridge: Settings) -> Settings:
    """All settings of the bridge of a captioner of Transformers, if the run has the same there.

    Args:
      model: of the run.
      config: of the run.
      bridge: the settings that differ from one kind of captioner to the other.

    Raises:
      UserError: there is more between encoder and decoder.
    """
    there = {**bridge, "depth": 0, "positions": False, "geometry": False, "pool": False}
    here = all_settings(model.bridge)
    pairs: dict[str, tuple[Any, Any]]
    pairs = {f"bridge.{name}": (here[name], value) for name, value in there.items()}
    pairs |= {"stage.name": (config.model.stage.name, ""), "data.images": (config.data.images, 1)}
    differing = [
        f"{name} is {mine!r}, and there {theirs!r}"
        for name, (mine, theirs) in pairs.items()
        if mine != theirs
    ]
    if differing:
        raise UserError(
            "Between encoder and decoder Transformers has at most a dense layer, where its config "
            f"says so, and nothing else: {'; '.join(differing)}."
        )
    return there


def _width(model: CaptionModel, config: ConfigDict) -> int:
    """Of the encoder's tokens."""
    image = Shown.blank(config.data.image_size)
    seen = partial(model.init_with_output, method="features")
    return jax.eval_shape(lambda key: seen(key, image)[0].tokens, jax.random.key(0)).shape[-1]


def all_settings(part: nn.Module) -> Settings:
    """The settings of an encoder, bridge or decoder, defaults included."""
    return {f.name: getattr(part, f.name) for f in fields(part) if f.name not in LINEN}


def _defaults(part: nn.Module) -> Settings:
    """Those of the settings that have one."""
    return {f.name: f.default for f in fields(part) if f.name not in LINEN and f.default != MISSING}


def _family(
    role: str, kinds: Mapping[str, Family], name: str, settings: Settings, part: nn.Module
) -> Family:
    """The family that has such networks.

    Raises:
      UserError: there is none; with what differs from the nearest.
    """
    near = [family for family in kinds.values() if family.fixed["name"] == name]
    if not near:
        raise UserError(
            f"Transformers has no class for a captioner with the {role} {name!r}; it has one for "
            f"{', '.join(kinds)}."
        )
    differing = [family.differing(settings, _defaults(part)) for family in near]
    least = min(differing, key=len)
    family = near[differing.index(least)]
    if least:
        raise UserError(
            f"The {role} of this run is none that Transformers has; the nearest is its "
            f"{family.model_type}: {'; '.join(least)}."
        )
    return family
