"""Which tokens the streams continue with: the one place where greedy, beams and samples differ."""

from typing import NamedTuple

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, Key

from jaxcap.decode.search import Search

NEVER = -jnp.inf


class Candidates(NamedTuple):
    """N continuations of an image's K streams, best first where streams compete.

    Attributes:
      parent: the stream that is continued.
      token: what it is continued with.
      logp: the model's own log-probability of the token.
      total: of the stream with the token; -inf where it must not be.
    """

    parent: Int[Array, "B N"]
    token: Int[Array, "B N"]
    logp: Float[Array, "B N"]
    total: Float[Array, "B N"]


def select(
    scores: Float[Array, "B K V"],
    logp: Float[Array, "B K V"],
    total: Float[Array, "B K"],
    keys: Key[Array, " B"],
    search: Search,
) -> Candidates:
    """The continuations to go on with.

    N is K where each stream goes its own way, and up to 2K for beams: if K of them end now, K
    are still left to go on with. Beams add up the scores that they compete with; for others the
    scores only choose, and what adds up is the model's own log-probability.

    Args:
      scores: of the next token, under the rules of the search.
      logp: log-probabilities of the next token, as the model has them.
      total: of each stream so far.
      keys: a random key for each image (used only to sample).
      search: the settings.
    """
    if search.reorders:
        parent, token, sums = _compete(scores, total)
        return Candidates(parent, token, _pick(logp, parent, token), sums)
    token = _draw(scores, keys, search) if search.sample else jnp.argmax(scores, axis=-1)
    token = token.astype(jnp.int32)
    parent = jnp.broadcast_to(jnp.arange(token.shape[1])[None], token.shape)
    picked = _pick(logp, parent, token)
    allowed = _pick(scores, parent, token) > NEVER
    return Candidates(parent, token, picked, jnp.where(allowed, total + picked, NEVER))


def top(scores: Float[Array, "B N"], k: int) -> tuple[Float[Array, "B {k}"], Int[Array, "B {k}"]]:
    """The k best of each row and their places, the first of equals first."""
    best, place = jax.lax.top_k(scores, k)
    return best, place


def _pick(values: Array, parent: Array, token: Array) -> Array:
    return jax.vmap(lambda row, stream, word: row[stream, word])(values, parent, token)


def _compete(scores: Array, total: Array) -> tuple[Array, Array, Array]:
    B, K, V = scores.shape
    n = min(2 * K, V)
    best, token = jax.lax.top_k(scores, n)  # of each beam, then of the image: no sort over K x V
    sums = (total[..., None] + best).reshape(B, K * n)
    sums, place = top(sums, min(2 * K, K * n))
    token = jnp.take_along_axis(token.reshape(B, K * n), place, axis=1)
    return place // n, token, sums


def _draw(scores: Array, keys: Array, search: Search) -> Array:
    logits = scores / search.temperature
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
