"""A family of published networks: how its config reads here, and where its tensors are."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from jaxcap.errors import UserError
from jaxcap.interop.table import Table

Config = Mapping[str, Any]  # of a network, as in its config.json
Settings = dict[str, Any]  # of an encoder or a decoder here

ACTIVATIONS = {  # there: here
    "gelu": "gelu",
    "gelu_new": "gelu_tanh",
    "gelu_pytorch_tanh": "gelu_tanh",
    "quick_gelu": "quick_gelu",
    "relu": "relu",
    "silu": "silu",
    "swish": "silu",
}
SIDES = {"image_size", "patch_size"}  # there
SIZES = {"width", "depth", "heads", "mlp_width", "positions"}  # here
FREE = {
    "name",
    "size",
    "dropout",
    "word_dropout",
    "dtype",
    "remat",
    "scan",
    "mean",
    "std",
    "max_len",
}
# Of no network that is trained: how it is named, trained, computed and fed.


def _nothing(_: Mapping[str, Any]) -> dict[str, Any]:
    return {}


@dataclass(frozen=True)
class Family:
    """One kind of network.

    Attributes:
      model_type: what config.json calls it.
      fields: setting here: the field there with the same value.
      fixed: settings here that all of the family have.
      required: fields there that must have this value, or the network is another one than ours.
      activation: the field there that names it; "" where none does.
      tokens: what an encoder gives there is a row of tokens, and not a map.
      read: the settings that follow from a config in another way.
      write: the fields that follow from settings in another way; its opposite.
      idle: shapes of tensors that Transformers expects and captioning has no use for, by name.
      table: of tensors.
    """

    model_type: str
    fields: Mapping[str, str]
    fixed: Mapping[str, Any]
    table: Table
    required: Mapping[str, Any] = field(default_factory=dict)
    activation: str = "hidden_act"
    tokens: bool = True
    read: Callable[[Config], Settings] = _nothing
    write: Callable[[Settings], dict[str, Any]] = _nothing
    idle: Callable[[Settings], dict[str, tuple[int, ...]]] = _nothing

    def settings(self, config: Config, where: str) -> Settings:
        """The settings of an encoder or decoder here.

        Args:
          config: with all fields of the family.
          where: it is from, for messages.

        Raises:
          UserError: the config asks for something that is not built here.
        """
        for name, value in self.required.items():
            if config.get(name) != value:
                raise UserError(
                    f"{where}: a {self.model_type} with {name} = {config.get(name)!r} cannot be "
                    f"read; only {value!r} is known here."
                )
        config = {**config, **{name: _side(name, config, where) for name in SIDES & config.keys()}}
        settings = {name: config[theirs] for name, theirs in self.fields.items()}
        if self.activation:
            settings["activation"] = self._activation(config[self.activation], where)
        settings = {**self.fixed, **settings, **self.read(config)}
        for name in SIZES & settings.keys():
            if type(settings[name]) is int and settings[name] < 1:
                raise UserError(
                    f"{where}: a {self.model_type} with {self.fields.get(name, name)} = "
                    f"{settings[name]} cannot be read; expected a number above 0."
                )
        return settings

    def config(self, settings: Settings) -> dict[str, Any]:
        """The config of a network of these settings: the opposite of `settings`."""
        config = {theirs: settings[name] for name, theirs in self.fields.items()}
        if self.activation:
            back = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}
            config[self.activation] = back[settings["activation"]]
        return {"model_type": self.model_type, **config, **self.required, **self.write(settings)}

    def differing(self, settings: Settings, defaults: Settings) -> list[str]:
        """The settings that no network of the family has, each with what it has: as sentences.

        Args:
          settings: of an encoder or decoder, all of them.
          defaults: of its class.
        """
        expected = {**defaults, **self.settings(self.config(settings), "")}
        return [
            f"{name} is {settings[name]!r}, and there {value!r}"
            for name, value in expected.items()
            if name not in FREE and _plain(settings.get(name)) != _plain(value)
        ]

    def _activation(self, name: str, where: str) -> str:
        if name not in ACTIVATIONS:
            raise UserError(
                f"{where}: the activation {name!r} is not known here, only "
                f"{', '.join(ACTIVATIONS)}."
            )
        return ACTIVATIONS[name]


def _side(name: str, config: Config, where: str) -> int:
    """The side of a square, of which a config may say the height and the width."""
    value = config[name]
    side, *others = value if isinstance(value, list | tuple) and value else [value]
    if isinstance(side, int) and side > 0 and all(other == side for other in others):
        return side
    raise UserError(
        f"{where} says {name} = {value!r}; expected a number above 0, or the same one twice."
    )


def _plain(value: Any) -> Any:
    """A setting as it compares: JSON has lists where the code has tuples."""
    return tuple(value) if isinstance(value, list) else value
