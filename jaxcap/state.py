"""What training changes, as one pytree: parameters, their average, the optimizer, the step."""

from collections.abc import Mapping
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
import optax
from flax.traverse_util import flatten_dict, unflatten_dict
from ml_collections import ConfigDict

from jaxcap.lora import fresh_adapters, merged
from jaxcap.models.captioning import CaptionModel
from jaxcap.models.shown import Shown
from jaxcap.optim import Params, split


class TrainState(flax.struct.PyTreeNode):
    """Parameters are kept flat, by path, so that parts of them are sets of names.

    Attributes:
      step: int32 [], optimizer steps done; also the number of the next batch.
      trained: the parameters that the optimizer moves.
      average: their exponential moving average, which is what captions.
      frozen: the parameters that stay.
      stats: batch statistics, which stay too.
      opt_state: of the optimizer over `trained`.
      baseline: moving average of the log-probability of a token in training.
      anchor: the trained parameters as they were at the start, where the objective asks how far
        the model has gone from them; else empty.
    """

    step: Any
    trained: Params
    average: Params
    frozen: Params
    stats: Params
    opt_state: Any
    baseline: Any
    anchor: Params = flax.struct.field(default_factory=dict)

    def variables(self, trained: Params | None = None) -> dict[str, Any]:
        """Linen's variables, with the average of the trained parameters or those given."""
        params = {**self.frozen, **(self.average if trained is None else trained)}
        return linen_variables(params, self.stats)

    def with_ready(self, ready: Params) -> "TrainState":
        """The state with the ready arrays in the place of those of the same names, laid out alike.

        Every place has a copy of its own: a step of training writes over what it is given.
        """

        def put(fresh: Params) -> Params:
            return {
                name: jax.device_put(ready[name], leaf.sharding, may_alias=False)
                if name in ready
                else leaf
                for name, leaf in fresh.items()
            }

        parts = ("trained", "average", "frozen", "stats", "anchor")
        return self.replace(**{part: put(getattr(self, part)) for part in parts})


def linen_variables(params: Params, stats: Params) -> dict[str, Any]:
    """What the model is applied with, of parameters and batch statistics by path."""
    return {"params": nested(merged(params)), "batch_stats": nested(stats)}


def flat(tree: Any) -> Params:
    """A tree of parameters by path: "decoder/embedding"."""
    return flatten_dict(tree, sep="/")


def nested(params: Params) -> Any:
    """The opposite of `flat`."""
    return unflatten_dict(params, sep="/")


def of_role(leaves: Mapping[str, Any], role: str) -> Params:
    """Those of the encoder, the bridge or the decoder, by the paths that they have in it."""
    head = f"{role}/"
    return {path.removeprefix(head): leaf for path, leaf in leaves.items() if path.startswith(head)}


def init_variables(
    model: CaptionModel, config: ConfigDict, key: jax.Array
) -> tuple[Params, Params]:
    """Fresh (parameters, batch statistics), both by path; with the adapters of `model.lora`."""
    data = config.data
    shown = Shown.blank(data.image_size, data.images, data.regions, data.features)
    tokens = jnp.zeros((1, 1, data.max_len), jnp.int32)
    variables = model.init(key, shown, tokens)
    params = flat(variables["params"])
    # Training draws from fold 1 of the run's key.
    adapters = fresh_adapters(params, config.model.lora or (), jax.random.fold_in(key, 2))
    return {**params, **adapters}, flat(variables.get("batch_stats", {}))


def new_state(
    params: Params, stats: Params, config: ConfigDict, tx: optax.GradientTransformation
) -> TrainState:
    """The state before the first step."""
    trained, frozen = split(params, config.optim.parts or ())
    return TrainState(
        step=jnp.zeros((), jnp.int32),
        trained=trained,
        average=jax.tree.map(jnp.copy, trained),
        frozen=frozen,
        stats=stats,
        opt_state=tx.init(trained),
        baseline=jnp.zeros((), jnp.float32),
        anchor=jax.tree.map(jnp.copy, trained) if anchored(config) else {},
    )


def anchored(config: ConfigDict) -> bool:
    """Whether training asks how far the model is from the one that it began with."""
    return bool(config.objective.samples and (config.reward.kl or config.objective.max_kl))
