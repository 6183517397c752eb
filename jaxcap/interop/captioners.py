"""Whole published captioners: which parts they have, and how the parts are joined."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TypeVar

from jaxcap.errors import UserError
from jaxcap.interop.family import Config, Family, Settings
from jaxcap.interop.table import Row, Table
from jaxcap.interop.text import BLIP_TEXT, GIT_TEXT, TEXT
from jaxcap.interop.vision import BLIP_VISION, GIT_VISION, VISION

T = TypeVar("T")

ENCODER_TO_DECODER = Table((Row("project", "enc_to_dec_proj"),))
GIT_PROJECTION = Table((Row("project", "0"), Row("norm", "1")))
PLAIN = {"project": False, "norm": False}  # the memory as the encoder gives it


@dataclass(frozen=True)
class Part:
    """One of encoder, bridge and decoder.

    Attributes:
      settings: its settings here.
      prefix: what the names of its tensors begin with.
      table: of its tensors.
    """

    settings: Settings
    prefix: str
    table: Table


@dataclass(frozen=True)
class Blueprint:
    """A captioner as its config.json describes it.

    Attributes:
      encoder, bridge, decoder: its parts.
      vocab_size: words of the decoder.
      ids: what begins, ends and fills a row of its tokens (bos, eos, pad); None where it is not
        said.
    """

    encoder: Part
    bridge: Part
    decoder: Part
    vocab_size: int
    ids: Mapping[str, int | None]

    def parts(self) -> dict[str, Part]:
        """By role."""
        return {"encoder": self.encoder, "bridge": self.bridge, "decoder": self.decoder}


def blueprint(config: Config, generation: Config, where: str) -> Blueprint:
    """The captioner of a complete config.

    Args:
      config: of the captioner.
      generation: of its generation_config.json.
      where: they are from, for messages.

    Raises:
      UserError: there is no such captioner here.
    """
    return _among(CAPTIONERS, config, where, "a captioner")(config, generation, where)


def vision_family(config: Config, where: str) -> tuple[Family, Config]:
    """The family of an encoder, alone or as one half of an image-text pair, and its own config."""
    config = config.get("vision_config") or config
    return _among(VISION, config, where, "an encoder"), config


def text_family(config: Config, where: str) -> Family:
    """The family of a decoder."""
    return _among(TEXT, config, where, "a decoder")


def _pair(config: Config, generation: Config, where: str) -> Blueprint:
    """VisionEncoderDecoder: any encoder, any decoder, and a projection where widths differ."""
    seen, said = config["encoder"], config["decoder"]
    encoder, decoder = vision_family(seen, where)[0], text_family(said, where)
    if not encoder.tokens:
        raise UserError(
            f"{where}: a {encoder.model_type} cannot be the encoder of a VisionEncoderDecoder. It "
            "gives a map of features there, and the decoder reads a row of tokens."
        )
    bridge = {**PLAIN, "project": _width(seen) != _width(said)}
    return Blueprint(
        Part(encoder.settings(seen, where), "encoder.", encoder.table),
        Part(bridge, "", ENCODER_TO_DECODER),
        Part(decoder.settings(said, where), "decoder.", decoder.table),
        said["vocab_size"],
        _ids((generation, config, said), bos=("decoder_start_token_id", "bos_token_id")),
    )


def _blip(config: Config, generation: Config, where: str) -> Blueprint:
    seen, said = config["vision_config"], config["text_config"]
    return Blueprint(
        Part(BLIP_VISION.settings(seen, where), "vision_model.", BLIP_VISION.table),
        Part(PLAIN, "", Table(())),
        Part(BLIP_TEXT.settings(said, where), "text_decoder.", BLIP_TEXT.table),
        said["vocab_size"],
        _ids((said,), eos=("sep_token_id",)),  # its `generate` takes no others
    )


def _git(config: Config, generation: Config, where: str) -> Blueprint:
    seen = config["vision_config"]
    bridge = {"project": True, "norm": True, "epsilon": seen["layer_norm_eps"]}
    projection = "git.visual_projection.visual_projection."
    return Blueprint(
        Part(GIT_VISION.settings(seen, where), "git.image_encoder.vision_model.", GIT_VISION.table),
        Part(bridge, projection, GIT_PROJECTION),
        Part(GIT_TEXT.settings(config, where), "", GIT_TEXT.table),
        config["vocab_size"],
        _ids((generation, config)),
    )


CAPTIONERS: dict[str, Callable[[Config, Config, str], Blueprint]] = {
    "vision-encoder-decoder": _pair,
    "blip": _blip,
    "git": _git,
}


def _ids(chain: Sequence[Config], **fields: tuple[str, ...]) -> dict[str, int | None]:
    """The special ids, each from the first of its fields that a config of the chain gives."""
    names = {role: (f"{role}_token_id",) for role in ("bos", "eos", "pad")} | fields
    found = {
        role: next((c[name] for name in among for c in chain if c.get(name) is not None), None)
        for role, among in names.items()
    }
    alone = {role: id[0] for role, id in found.items() if isinstance(id, list) and len(id) == 1}
    return found | alone


def _width(config: Config) -> int:
    return config["n_embd" if "n_embd" in config else "hidden_size"]


def _among(kinds: Mapping[str, T], config: Config, where: str, what: str) -> T:
    kind = str(config.get("model_type"))
    if kind not in kinds:
        raise UserError(
            f"{where} is of the type {kind!r}, which is not known here as {what}; "
            f"known are {', '.join(kinds)}."
        )
    return kinds[kind]
