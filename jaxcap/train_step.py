"""One optimizer step: the batch in parts, the gradient of their sum, the update, the average."""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import optax
from jaxtyping import Array, Float
from ml_collections import ConfigDict

from jaxcap.models.captioning import CaptionModel
from jaxcap.models.shown import Shown
from jaxcap.objective import Sums, cross_entropy
from jaxcap.optim import Params
from jaxcap.state import TrainState

Metrics = dict[str, Float[Array, ""]]
Batch = Mapping[str, Array]


def make_step(
    model: CaptionModel, config: ConfigDict, tx: optax.GradientTransformation, bos: int
) -> Callable[[TrainState, Batch], tuple[TrainState, Metrics]]:
    """The function (state, batch) -> (state, metrics) that training compiles.

    The batch has the fields of `Shown`, `tokens` and `mask` [B, K, T]. Dropout at a step depends
    on seed and step alone, so that a resumed run draws what the unbroken one would have drawn.
    """
    root = jax.random.fold_in(jax.random.key(config.seed), 1)

    def loss(trained: Params, state: TrainState, part: Batch, key: Array) -> tuple[Array, Sums]:
        tokens = part["tokens"]
        inputs = jnp.concatenate([jnp.full_like(tokens[..., :1], bos), tokens[..., :-1]], axis=-1)
        logits: Any = model.apply(
            state.variables(trained), Shown.of(part), inputs, True, rngs={"dropout": key}
        )
        weights = jnp.ones(tokens.shape, jnp.float32)
        sums = cross_entropy(logits, tokens, part["mask"], weights, config.optim.smoothing)
        return sums.loss, sums

    grad = jax.grad(loss, has_aux=True)

    def step(state: TrainState, batch: Batch) -> tuple[TrainState, Metrics]:
        key = jax.random.fold_in(root, state.step)
        grads, sums = in_parts(
            lambda part, key: grad(state.trained, state, part, key),
            dict(batch),
            jax.random.split(key, config.accumulate),
        )
        tokens = jnp.maximum(sums.tokens, 1.0)
        grads = jax.tree.map(lambda g: g / tokens, grads)
        updates, opt_state = tx.update(grads, state.opt_state, state.trained)
        trained = optax.apply_updates(state.trained, updates)
        done = state.step.astype(jnp.float32)
        # The average must not remember the random start: its decay grows with the steps.
        decay = jnp.minimum(config.optim.ema, (1 + done) / (10 + done))
        new = state.replace(
            step=state.step + 1,
            trained=trained,
            average=jax.tree.map(lambda a, p: a * decay + p * (1 - decay), state.average, trained),
            opt_state=opt_state,
        )
        metrics = {
            "loss": sums.loss / tokens,
            "nll": sums.nll / tokens,
            "accuracy": sums.correct / tokens,
            "tokens": sums.tokens,
            "unreadable": (~batch["mask"].any(axis=(1, 2))).sum().astype(jnp.float32),
            "grad_norm": optax.tree.norm(grads),
            "update_norm": optax.tree.norm(updates),
        }
        return new, metrics

    return step


def compile_step(
    step: Callable[[TrainState, Batch], tuple[TrainState, Metrics]], state: TrainState, batch: Batch
) -> jax.stages.Compiled:
    """The step as a program that works in the memory of `state`, and leaves the new one there."""
    layout = jax.tree.map(lambda leaf: leaf.sharding, state)
    program = jax.jit(step, donate_argnums=0, out_shardings=(layout, None))
    return program.lower(state, batch).compile()


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
