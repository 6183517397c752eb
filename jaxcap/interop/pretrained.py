"""Published weights of an encoder, under the names that they have in the captioning model."""

from collections.abc import Callable, Mapping
from typing import Any

from flax.traverse_util import flatten_dict

from jaxcap.errors import UserError, did_you_mean
from jaxcap.interop.efficientnet import load_efficientnet_lite

Params = dict[str, Any]

LOADERS: dict[str, Callable[[Mapping[str, Any]], dict[str, Any]]] = {
    "efficientnet_lite": lambda settings: load_efficientnet_lite(settings.get("variant", 0)),
}


def pretrained_encoder(settings: Mapping[str, Any]) -> tuple[Params, Params]:
    """(parameters, batch statistics) by path, of the encoder that `config.model.encoder` names.

    Raises:
      UserError: there are no published weights of this encoder, or they are not installed.
    """
    name = settings["name"]
    if name not in LOADERS:
        raise UserError(
            f"There are no published weights of the encoder {name!r} here. "
            f"{did_you_mean(name, LOADERS)} Set model.pretrained=False to train it from nothing."
        )
    variables = LOADERS[name](settings)
    prefix = {"encoder": {"network": variables["params"]}}
    stats = {"encoder": {"network": variables["batch_stats"]}}
    return flatten_dict(prefix, sep="/"), flatten_dict(stats, sep="/")
