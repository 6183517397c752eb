"""The optimizer as config lines: schedule, clipping, decay, per-part learning rates, freezing."""

import re
from collections.abc import Sequence
from typing import Any

import jax
import optax
from ml_collections import ConfigDict

from jaxcap import muon
from jaxcap.errors import UserError, did_you_mean
from jaxcap.lora import adapted

Params = dict[str, Any]  # by path: "decoder/embedding"
KINDS = {"adamw": lambda adam, trained: adam, "muon": muon.direction}
UNDECAYED = ("bias", "positions", "distances", "table", "_token")
Parts = Sequence[Sequence[Any]]  # of (regex, factor)


def schedule(config: ConfigDict, steps: int) -> optax.Schedule:
    """Linear warm-up to `config.lr`, then a cosine down to `config.final_lr` times that."""
    return optax.warmup_cosine_decay_schedule(
        init_value=0.0,
        peak_value=config.lr,
        warmup_steps=min(config.warmup, max(steps - 1, 0)),
        decay_steps=max(steps, 1),
        end_value=config.lr * config.final_lr,
    )


def optimizer(config: ConfigDict, steps: int, trained: Params) -> optax.GradientTransformation:
    """AdamW, or Muon for the matrices and AdamW for the rest, over the trained parameters.

    Weight decay is left off biases, norms, tables of places and distances, and an encoder's own
    tokens: all that has one dimension or is named so. Gradients are clipped by their global norm,
    over all parts together.
    """
    decays = {
        name: len(leaf.shape) > 1 and not name.endswith(UNDECAYED) for name, leaf in trained.items()
    }
    factors = {name: rate(name, config.parts or ()) for name in trained}
    adam = optax.scale_by_adam(b1=config.b1, b2=config.b2, eps=config.eps)
    if config.kind not in KINDS:
        raise UserError(
            f"There is no optim.kind {config.kind!r}. {did_you_mean(config.kind, KINDS)}"
        )
    chain = optax.chain(
        optax.clip_by_global_norm(config.clip) if config.clip else optax.identity(),
        KINDS[config.kind](adam, trained),
        optax.add_decayed_weights(config.weight_decay, mask=decays),
        optax.scale_by_learning_rate(schedule(config, steps)),
        optax.stateless(
            lambda updates, _: {name: u * factors[name] for name, u in updates.items()}
        ),
    )

    def update(*args: Any, **kwargs: Any) -> tuple[Params, Any]:
        with jax.numpy_dtype_promotion("standard"):  # optax raises floats to integer powers
            return chain.update(*args, **kwargs)

    return optax.GradientTransformation(chain.init, update)


def rate(name: str, parts: Parts) -> float:
    """The factor on the learning rate of the parameter called `name`: of the first regex found.

    0 freezes it; what no regex names has 1.
    """
    return next((float(factor) for pattern, factor in parts if re.search(pattern, name)), 1.0)


def check_parts(params: Params, parts: Parts) -> None:
    """Refuse parts that are not there: what was to be frozen would be trained.

    Raises:
      UserError: a regex is found in no parameter's path.
    """
    for pattern, _ in parts:
        if not any(re.search(pattern, name) for name in params):
            raise UserError(
                f"The regex {pattern!r} of optim.parts is found in no parameter's path. Paths are "
                f"such as {min(params)} and {max(params)}."
            )


def split(params: Params, parts: Parts) -> tuple[Params, Params]:
    """Parameters by path as (trained, frozen); a kernel that has adapters is frozen."""
    still = adapted(params) | {name for name in params if rate(name, parts) == 0}
    frozen = {name: leaf for name, leaf in params.items() if name in still}
    return {name: leaf for name, leaf in params.items() if name not in frozen}, frozen
