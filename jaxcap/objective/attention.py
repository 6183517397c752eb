"""Terms of the objective that are of where a decoder looked (Xu et al., arXiv 1502.03044)."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

Map = Float[Array, "B K _ T S"]  # weights of S memory tokens, by one layer's heads
NOTHING = 1e-20  # whose logarithm is finite


def unevenness(seen: list[Map], mask: Bool[Array, "B K T"]) -> Float[Array, "B K"]:
    """How far a caption is from looking at every token of the image once, all in all.

    The doubly stochastic regularisation: the mean over real memory tokens of (1 - sum of the
    weights over the caption) squared; of the mean map of all layers and heads.
    """
    total = jnp.einsum("bkts,bkt->bks", mean_map(seen), mask.astype(jnp.float32))
    real = (total > 0).astype(jnp.float32)  # no word looks at what is masked
    return (jnp.square(1 - total) * real).sum(axis=-1) / jnp.maximum(real.sum(axis=-1), 1)


def entropy(seen: list[Map], mask: Bool[Array, "B K T"]) -> Float[Array, "B K T"]:
    """Of where each word looks, in nats; 0 for padding. Of the mean map, as above."""
    weights = mean_map(seen)
    each = -(weights * jnp.log(jnp.maximum(weights, NOTHING))).sum(axis=-1)
    return jnp.where(mask, each, 0.0)


def reinforce(
    drawn: Float[Array, "B K T"],
    logp: Float[Array, "B K T"],
    mask: Bool[Array, "B K T"],
    baseline: Float[Array, ""],
) -> Float[Array, "B K T"]:
    """A loss whose gradient makes those draws likelier after which the caption was likelier.

    The reward of all draws of a caption is the mean log-probability of its tokens, less what it
    lately was for all captions: the rule of Williams (1992), as in the published code.

    Args:
      drawn: log-probability of each place that hard attention drew; 0 where it drew none.
      logp: of each token.
      mask: of the real ones.
      baseline: the moving average of the reward.
    """
    real = mask.astype(logp.dtype)
    mean = (logp * real).sum(axis=-1) / jnp.maximum(real.sum(axis=-1), 1)
    reward = jax.lax.stop_gradient(mean - baseline)
    return -reward[..., None] * drawn * real


def mean_map(seen: list[Map]) -> Float[Array, "B K T S"]:
    """The mean of all layers and heads."""
    return jnp.stack([each.mean(axis=2) for each in seen]).mean(axis=0)
