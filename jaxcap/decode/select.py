"""Which tokens the streams continue with: the one place where greedy, beams and samples differ."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from jaxcap.decode.search import Search

NEVER = -jnp.inf


class Candidates(NamedTuple):
    """N continuations of an image's K streams, best first where streams compete."""

    parent: Int[Array, "B N"]
    token: Int[Array, "B N"]
    total: Float[Array, "B N"]


def select(
    logp: Float[Array, "B K V"],
    total: Float[Array, "B K"],
    keys: Key[Array, " B"],
    search: Search,
) -> Candidates:
    """The continuations to go on with, given each stream's next-token and total log-probability.

    N is K where each stream goes its own way, and up to 2K for beams: if K of them end now, K
    are still left to go on with.
    """
    if search.sample:
        return _own_way(logp, total, _draw(logp, keys, search))
    if search.beams == 1:
        return _own_way(logp, total, jnp.argmax(logp, axis=-1))
    return _compete(logp, total)


def top(scores: Float[Array, "B N"], k: int) -> tuple[Float[Array, "B {k}"], Int[Array, "B {k}"]]:
    """The k best of each row and their places, the first of equals first."""
    best, place = jax.lax.top_k(scores, k)
    return best, place


def _own_way(logp: Array, total: Array, token: Array) -> Candidates:
    picked = jnp.take_along_axis(logp, token[..., None], axis=-1)[..., 0]
    parent = jnp.broadcast_to(jnp.arange(token.shape[1])[None], token.shape)
    return Candidates(parent, token.astype(jnp.int32), total + picked)


def _compete(logp: Array, total: Array) -> Candidates:
    B, K, V = logp.shape
    n = min(2 * K, V)
    best, token = jax.lax.top_k(logp, n)  # of each beam, then of the image: no sort over K x V
    scores = (total[..., None] + best).reshape(B, K * n)
    scores, place = top(scores, min(2 * K, K * n))
    token = jnp.take_along_axis(token.reshape(B, K * n), place, axis=1)
    return Candidates(place // n, token, scores)


def _draw(logp: Array, keys: Array, search: Search) -> Array:
    logits = logp / search.temperature
    if search.top_k:
        kth = jax.lax.top_k(logits, min(search.top_k, logits.shape[-1]))[0][..., -1:]
        logits = jnp.where(logits < kth, NEVER, logits)
    if search.top_p < 1.0:
        # The smallest set of words that holds top_p of the probability (arXiv 1904.09751).
        order = jnp.argsort(logits, axis=-1, descending=True)
        p = jax.nn.softmax(jnp.take_along_axis(logits, order, axis=-1), axis=-1)
        outside = jnp.cumsum(p, axis=-1) - p >= search.top_p
        rank = jnp.argsort(order, axis=-1)
        logits = jnp.where(jnp.take_along_axis(outside, rank, axis=-1), NEVER, logits)
    return jax.vmap(lambda key, row: jax.random.categorical(key, row, axis=-1))(keys, logits)
