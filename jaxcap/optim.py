"""The optimizer as config lines: kind, schedule, clipping, decay, per-part rates, freezing."""

import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeVar

import jax
import jax.numpy as jnp
import optax
from ml_collections import ConfigDict

from jaxcap import muon
from jaxcap.errors import UserError, did_you_mean
from jaxcap.lora import adapted

T = TypeVar("T")
Params = dict[str, Any]  # by path: "decoder/embedding"
UNDECAYED = ("bias", "positions", "distances", "table", "images", "segment", "_token")
Parts = Sequence[Sequence[Any]]  # of (regex, factor)


def _adam(its: ConfigDict, _: Params) -> optax.GradientTransformation:
    return optax.scale_by_adam(its.b1, its.b2, its.eps)


def _adam_alone(its: ConfigDict, trained: Params) -> optax.GradientTransformation:
    """Adam as published, which has no weight decay, and is refused one.

    As part of the gradient (L2) it would decay a weight the less, the more the weight is moved:
    Loshchilov and Hutter, arXiv 1711.05101, whose AdamW decays it apart.
    """
    if its.weight_decay:
        raise UserError(
            f"optim.kind='adam' has no weight decay, and optim.weight_decay is {its.weight_decay}. "
            "Set optim.weight_decay=0.0; or optim.kind='adamw', which decays weights apart from "
            "the gradient."
        )
    return _adam(its, trained)


def _rmsprop(its: ConfigDict, _: Params) -> optax.GradientTransformation:
    """Of Hinton's lecture, with a momentum; both as in PyTorch."""
    return optax.chain(optax.scale_by_rms(its.b2, its.eps, eps_in_sqrt=False), optax.trace(its.b1))


def _adafactor(its: ConfigDict, _: Params) -> optax.GradientTransformation:
    """Shazeer and Stern, arXiv 1804.04235: a row and a column of squares for each large matrix.

    The rate is `lr` and not a share of the parameter's size, and the memory of squares ends, as in
    Zhai et al., arXiv 2106.04560. Without momentum (b1 = 0) there is no array of a matrix's size.
    """
    return optax.chain(
        optax.scale_by_factored_rms(
            epsilon=its.eps**2,
            decay_rate_fn=lambda step, power: jnp.minimum(its.b2, 1 - (step + 1.0) ** -power),
        ),
        optax.clip_by_block_rms(1.0),
        optax.ema(its.b1, debias=False) if its.b1 else optax.identity(),
    )


# The direction of a step, before its rate and weight decay; what b1, b2 and eps are to each stands
# in `jaxcap.config`.
KINDS: dict[str, Callable[[ConfigDict, Params], optax.GradientTransformation]] = {
    "adam": _adam_alone,
    "adamw": _adam,
    "adadelta": lambda its, _: optax.scale_by_adadelta(its.b2, its.eps),
    "rmsprop": _rmsprop,
    "sgd": lambda its, _: optax.trace(its.b1),
    "lion": lambda its, _: optax.scale_by_lion(its.b1, its.b2),
    "adafactor": _adafactor,
    "muon": lambda its, trained: muon.direction(_adam(its, trained), trained),
}


def _rsqrt(peak: float, warmup: int) -> optax.Schedule:
    """Down with the root of the steps since the first (Vaswani et al., arXiv 1706.03762)."""
    # A joined schedule is asked for the steps of the warm-up too, which count from -warmup here.
    return lambda step: peak * (warmup / (warmup + jnp.maximum(step, 0))) ** 0.5


# The rate after the warm-up: of the settings, the steps of the warm-up, and those that are left.
SCHEDULES: dict[str, Callable[[ConfigDict, int, int], optax.Schedule]] = {
    "cosine": lambda its, _, left: optax.cosine_decay_schedule(its.lr, left, its.final_lr),
    "linear": lambda its, _, left: optax.linear_schedule(its.lr, its.lr * its.final_lr, left),
    "constant": lambda its, *_: optax.constant_schedule(its.lr),
    "rsqrt": lambda its, warmup, _: _rsqrt(its.lr, max(warmup, 1)),
    "step": lambda its, *_: optax.exponential_decay(
        its.lr, its.decay_every, its.decay, staircase=True
    ),
}


def schedule(config: ConfigDict, steps: int) -> optax.Schedule:
    """Linear warm-up to `config.lr`, then what `config.schedule` names.

    The last step of a run is never one of its warm-up.

    Raises:
      UserError: there is no such schedule.
    """
    warmup = min(config.warmup, max(steps - 1, 0))
    after = _named("schedule", config.schedule, SCHEDULES)(config, warmup, max(steps, 1) - warmup)
    return optax.join_schedules([optax.linear_schedule(0.0, config.lr, warmup), after], [warmup])


def optimizer(config: ConfigDict, steps: int, trained: Params) -> optax.GradientTransformation:
    """The optimizer of `config.kind` over the trained parameters.

    Weight decay takes `weight_decay` times the rate off a weight and is no part of its gradient,
    whatever the kind. It is left off biases, norms, tables of places, distances, images and kinds
    of text, and an encoder's own tokens: all that has one dimension or is named so. Gradients are
    clipped by their global norm, over all parts together.

    Raises:
      UserError: there is no such kind or schedule, or Adam is to decay weights.
    """
    decays = {
        name: len(leaf.shape) > 1 and not name.endswith(UNDECAYED) for name, leaf in trained.items()
    }
    factors = {name: rate(name, config.parts or ()) for name in trained}
    direction = _named("kind", config.kind, KINDS)
    chain = optax.chain(
        optax.clip_by_global_norm(config.clip) if config.clip else optax.identity(),
        direction(config, trained),
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


def _named(field: str, name: str, known: Mapping[str, T]) -> T:
    if name not in known:
        raise UserError(f"There is no optim.{field} {name!r}. {did_you_mean(name, known)}")
    return known[name]


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
