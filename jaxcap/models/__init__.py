"""Models: encoders, decoders, and how a config names them.

An encoder maps an image, uint8 [B, h, w, 3], to a `Memory` of tokens [B, S, D] that are all real,
the last of them perhaps a map; no more, so that it can be kept (`jaxcap.models.shown`). A stage
makes another memory of it, with parameters that are trained where the encoder's stay.

A decoder keeps three promises, and the search knows nothing else of it:

- `__call__(memory, tokens [B, K, T]) -> logits [B, K, T, V]`: teacher forcing;
- `prefill(memory, k, max_len) -> (context, state)`: what belongs to the image (every leaf
  [B, ...], never reordered) and to its K empty streams (every leaf [B, K, ...], reordered when
  beams continue one another);
- `step(context, state, token [B, K], position []) -> (logits [B, K, V], state)`.

Where it looked for a word, and its vector of the word, it leaves as `jaxcap.models.seen` says.
"""

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import flax.linen as nn
from ml_collections import ConfigDict

from jaxcap.errors import UserError, did_you_mean
from jaxcap.models.bidirectional import Bidirectional
from jaxcap.models.bridge import Bridge
from jaxcap.models.captioning import CaptionModel
from jaxcap.models.discrete_vae import DiscreteVAE
from jaxcap.models.efficientnet import EfficientNetLite
from jaxcap.models.given import Given
from jaxcap.models.halve import Halve
from jaxcap.models.inception import InceptionV3
from jaxcap.models.recurrent import RecurrentDecoder
from jaxcap.models.refine import Refine
from jaxcap.models.regions import Regions
from jaxcap.models.resnet import ResNet
from jaxcap.models.swin import Swin
from jaxcap.models.transformer import TransformerDecoder
from jaxcap.models.vgg import VGG16
from jaxcap.models.vit import ViT

Part = Callable[..., nn.Module]

ENCODERS: dict[str, Part] = {
    "given": Given,
    "vit": ViT,
    "swin": Swin,
    "resnet": ResNet,
    "vgg16": VGG16,
    "inception_v3": InceptionV3,
    "efficientnet_lite": EfficientNetLite,
    "discrete_vae": DiscreteVAE,
}
STAGES: dict[str, Part] = {
    "bidirectional": Bidirectional,
    "regions": Regions,
    "refine": Refine,
    "halve": Halve,
}
DECODERS: dict[str, Part] = {
    "transformer": TransformerDecoder,
    "recurrent": RecurrentDecoder,
}


def build(config: ConfigDict, vocab_size: int, max_len: int) -> CaptionModel:
    """The model of `config.model`.

    Args:
      config: with `encoder`, `stage`, `bridge`, `decoder` (each the settings of its class, all but
        the bridge with the `name` of their kind; there may be no stage), `dtype`, `remat`,
        `scan` and `vocab_size`.
      vocab_size: of the tokenizer.
      max_len: the longest caption in tokens, BOS and prompt included.

    Raises:
      UserError: for an unknown name or setting, with the nearest known one, a missing one, or one
        that is less than the least there can be.
    """
    common = {"dtype": config.dtype, "remat": config.remat, "scan": config.scan}
    words = config.vocab_size or vocab_size
    if words < vocab_size:
        raise UserError(
            f"model.vocab_size is {words}, and the tokenizer has {vocab_size} words. Make it as "
            "large, or 0. A pretrained decoder has the words that it has: then the tokenizer must "
            "be its own, and the data without prompts."
        )
    given = {"vocab_size": words, "max_len": max_len}
    encoder = _part("encoder", ENCODERS, config.encoder, common)
    decoder = _part("decoder", DECODERS, config.decoder, {**common, **given})
    bridge = _make("bridge", Bridge, dict(config.bridge), {**common, "width": config.decoder.width})
    stage = _part("stage", STAGES, config.stage, common) if config.stage.name else None
    return CaptionModel(encoder=encoder, stage=stage, bridge=bridge, decoder=decoder)


def _part(
    role: str, kinds: Mapping[str, Part], config: ConfigDict, more: Mapping[str, Any]
) -> nn.Module:
    settings = dict(config)
    settings.pop("init_from", None)  # where its weights are from; the network is the same
    name = settings.pop("name", "")
    if name not in kinds:
        raise UserError(f"There is no {role} {name!r}. {did_you_mean(name, kinds)}")
    return _make(f"{role} {name!r}", kinds[name], settings, more)


def _make(what: str, part: Part, settings: Mapping[str, Any], more: Mapping[str, Any]) -> nn.Module:
    """The part with its settings, and those of `more` that it knows."""
    takes = inspect.signature(part).parameters
    given = {name: value for name, value in more.items() if name in takes}
    known = [name for name in takes if name not in ("parent", "name", *given)]
    for setting in settings:
        if setting not in known:
            raise UserError(
                f"The {what} has no setting {setting!r}. {did_you_mean(setting, known)}"
            )
    for setting in known:
        if setting not in settings and takes[setting].default is inspect.Parameter.empty:
            raise UserError(f"The {what} needs the setting {setting!r}, and it has none.")
    for setting, value in settings.items():
        usual = takes[setting].default  # above 0 of what there must be one of
        counts = type(value) is int and (
            usual is inspect.Parameter.empty or (isinstance(usual, int) and usual > 0)
        )
        if counts and value < 1:
            raise UserError(f"The {what} has {setting}={value}; expected 1 or more.")
    fixed = {name: tuple(x) if isinstance(x, list) else x for name, x in settings.items()}
    if type(fixed.get("size")) is int:
        fixed["size"] = str(fixed["size"])  # a ResNet of size 50
    return part(**fixed, **given)  # a tuple that was JSON is a list
