"""Captions in the making: rows that are extended by a token, joined, ranked and picked."""

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxcap.decode.select import Candidates, top


class Captions(flax.struct.PyTreeNode):
    """K captions of each image, best first.

    Attributes:
      tokens: ids without BOS; the prompt, the caption, EOS, then padding.
      logps: the model's own log-probability of each token, before any rule of the search; 0 for
        tokens of the prompt and padding.
      scores: what the search ranked by; -inf where there are fewer than K captions.
    """

    tokens: Int[Array, "B K L"]
    logps: Float[Array, "B K L"]
    scores: Float[Array, "B K"]


def extend(captions: Captions, found: Candidates, place: Int[Array, ""]) -> Captions:
    """The captions that the candidates continue, with the new token written at its place."""
    grown = take(captions, found.parent)
    here = (jnp.arange(captions.tokens.shape[2]) == place)[None, None]
    return Captions(
        tokens=jnp.where(here, found.token[..., None], grown.tokens),
        logps=jnp.where(here, found.logp[..., None], grown.logps),
        scores=found.total,
    )


def best(pools: list[Captions], k: int) -> Captions:
    """The k best of all the pools, best first."""
    joined = jax.tree.map(lambda *leaves: jnp.concatenate(leaves, axis=1), *pools)
    scores, place = top(joined.scores, k)
    return take(joined, place).replace(scores=scores)


def take(captions: Captions, place: Int[Array, "B N"]) -> Captions:
    """The captions at these places."""
    return jax.tree.map(lambda leaf: gather(leaf, place), captions)


def gather(leaf: Array, place: Int[Array, "B N"]) -> Array:
    """leaf[b, place[b, n]]; indexed under vmap, because that needs no collective when sharded."""
    return jax.vmap(lambda row, index: row[index])(leaf, place)
