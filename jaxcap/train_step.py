"""One optimizer step: the batch in parts, the gradient of their sum, the update, the average."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from jaxcap.data.text import Tokenizer
from jaxcap.models.captioning import CaptionModel
from jaxcap.objective import Counts, Progress, make_objective
from jaxcap.objective.self_critical import Given, make_drawing, policy
from jaxcap.optim import Params
from jaxcap.reward import Reward
from jaxcap.state import TrainState

BASELINE = 0.9  # decay of the moving average, as Xu et al. have it
Metrics = dict[str, Float[Array, ""]]
Batch = Mapping[str, Array]


def make_step(
    model: CaptionModel,
    config: ConfigDict,
    tx: optax.GradientTransformation,
    tokenizer: Tokenizer,
    reward: Reward | None = None,
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """The function (state, batch) -> (state, metrics) that training compiles.

    The batch has the fields of `Shown`, `tokens` and `mask` [B, K, T]; or, where captions are drawn
    and rewarded, what `jaxcap.objective.self_critical` makes these of. What is random at a step
    depends on seed and step alone, so that a resumed run draws what the unbroken one would have
    drawn.
    """
    root, lots = (jax.random.fold_in(jax.random.key(config.seed), use) for use in (1, 3))
    if reward:
        model = policy(model, config, tokenizer)
    objective = make_objective(model, config.objective, tokenizer)
    drawing = make_drawing(model, config, tokenizer, reward) if reward else None

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(root, state.step)
        done = state.step.astype(jnp.float32)
        drawn: Metrics = {}
        if drawing:
            anchor = state.variables(state.anchor) if state.anchor else None
            lot = jax.random.fold_in(lots, state.step)
            batch, drawn = drawing(Given(state.variables(state.trained), anchor, lot), batch)
        counts, progress = Counts.of(batch), Progress(done / config.steps, state.baseline)

        def loss(trained: Params, part: Batch, key: Array) -> tuple[Array, Metrics]:
            return objective(state.variables(trained), part, key, counts, progress)

        grads, metrics = in_parts(
            lambda part, key: jax.grad(loss, has_aux=True)(state.trained, part, key),
            dict(batch),
            jax.random.split(key, config.accumulate),
        )
        updates, opt_state = tx.update(grads, state.opt_state, state.trained)
        trained = optax.apply_updates(state.trained, updates)
        # The average must not remember the random start: its decay grows with the steps.
        decay = jnp.minimum(config.optim.ema, (1 + done) / (10 + done))
        new = state.replace(
            step=state.step + 1,
            trained=trained,
            average=jax.tree.map(lambda a, p: a * decay + p * (1 - decay), state.average, trained),
            opt_state=opt_state,
            baseline=BASELINE * state.baseline - (1 - BASELINE) * metrics["nll"],
        )
        metrics |= drawn | {
            "tokens": batch["mask"].sum().astype(jnp.float32),
            "unreadable": (~batch["present"].any(axis=1)).sum().astype(jnp.float32),
            "grad_norm": optax.tree.norm(grads),
            "update_norm": optax.tree.norm(updates),
        }
        return new, metrics

    return step


def trace_step(
    step: Callable[[TrainState, Batch], tuple[TrainState, Metrics]],
    state: Any,
    batch: Mapping[str, Any],
) -> jax.stages.Traced:
    """The step as a program that works in the memory of `state`, and leaves the new one there.

    It is still to be lowered and compiled.

    Args:
      step: of `make_step`.
      state, batch: arrays, or shapes with shardings.
    """
    layout = jax.tree.map(lambda leaf: leaf.sharding, state)
    return jax.jit(step, donate_argnums=0, out_shardings=(layout, None)).trace(state, batch)


def in_parts(work: Callable[[Any, Array], Any], batch: Any, keys: Array) -> Any:
    """The sum of `work(part, key)` over the parts of a batch, one after the other.

    Args:
      work: a function of some images and a key; its results add up.
      batch: [B, ...]; each part has rows of every device.
      keys: one for each part.
    """
    if len(keys) == 1:  # no loop around a single part: in it XLA compiles poor CPU convolutions
        return work(batch, keys[0])
    parts = jax.tree.map(
        lambda leaf: leaf.reshape(-1, len(keys), *leaf.shape[1:]).swapaxes(0, 1), batch
    )

    def add(total: Any, item: Any) -> tuple[Any, None]:
        return jax.tree.map(jnp.add, total, work(*item)), None

    shapes = jax.eval_shape(work, jax.tree.map(lambda leaf: leaf[0], parts), keys[0])
    nothing = jax.tree.map(lambda leaf: jnp.zeros(leaf.shape, leaf.dtype), shapes)
    return jax.lax.scan(add, nothing, (parts, keys))[0]
