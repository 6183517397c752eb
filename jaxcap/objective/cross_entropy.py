"""Cross-entropy: tokens with a weight each, whatever the objective."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int


class Sums(NamedTuple):
    """Sums over the tokens of a batch; they add up over microbatches and devices."""

    loss: Float[Array, ""]
    nll: Float[Array, ""]
    correct: Float[Array, ""]


def cross_entropy(
    logits: Float[Array, "B K T V"],
    targets: Int[Array, "B K T"],
    mask: Bool[Array, "B K T"],
    weights: Float[Array, "B K T"],
    smoothing: float = 0.0,
) -> Sums:
    """Weighted cross-entropy of the targets, smoothed towards the uniform distribution.

    Divide by the number of real tokens, never by the sum of the weights: the weights of an
    objective may be negative or add up to nothing.

    Args:
      logits: of each next token, float32.
      targets: the tokens that came.
      mask: True where the target is real, not padding.
      weights: the factor of each token's loss (1 for plain cross-entropy).
      smoothing: share of the target's probability given to the vocabulary as a whole
        (Szegedy et al., arXiv 1512.00567).

    Returns:
      Sums over the real tokens; `nll` is the loss without weights and smoothing.
    """
    real = mask.astype(logits.dtype)
    log_z = jax.nn.logsumexp(logits, axis=-1)
    nll = log_z - jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    loss = nll
    if smoothing:
        loss = (1 - smoothing) * nll + smoothing * (log_z - logits.mean(axis=-1))
    correct = (logits.argmax(axis=-1) == targets).astype(logits.dtype)
    return Sums(
        loss=(loss * weights * real).sum(),
        nll=(nll * real).sum(),
        correct=(correct * real).sum(),
    )
