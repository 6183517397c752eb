"""The decoding loop: one `lax.while_loop` that carries live streams and a pool of finished ones."""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from jaxcap.decode.processors import force_prompt, process
from jaxcap.decode.search import Search
from jaxcap.decode.select import NEVER, Candidates, select, top

Step = Callable[[Any, Int[Array, "B K"], Int[Array, ""]], tuple[Float[Array, "B K V"], Any]]


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


class _Carry(flax.struct.PyTreeNode):
    t: Int[Array, ""]
    live: Captions  # scores: total log-probability so far, -inf for a dead stream
    done: Captions  # scores: final
    open: Bool[Array, " B"]
    state: Any


def decode(
    step: Step,
    state: Any,
    search: Search,
    *,
    prompt: Int[Array, "B P"],
    prompt_len: Int[Array, " B"],
    keys: Key[Array, " B"],
    bos: int,
    eos: int,
    pad: int,
    banned: tuple[int, ...] = (),
) -> Captions:
    """Search for the captions of a batch of images.

    Finished captions leave the streams for a pool of their own, so a live beam never competes
    with them for its place. An image that is done is not touched again: its captions do not
    depend on the other images of the batch.

    Args:
      step: (state, token [B, K], tokens before it) -> (logits [B, K, V], state).
      state: of the K empty streams, every leaf [B, K, ...].
      search: the settings.
      prompt: tokens that every caption of an image begins with, padded on the right.
      prompt_len: how many of them are real.
      keys: a random key for each image (used only to sample).
      bos, eos, pad: special ids.
      banned: ids that are never chosen.
    """
    B, K = prompt.shape[0], search.beams
    L = prompt.shape[1] + search.max_len
    empty = Captions(
        tokens=jnp.full((B, K, L), pad, jnp.int32),
        logps=jnp.zeros((B, K, L), jnp.float32),
        scores=jnp.full((B, K), NEVER, jnp.float32),
    )
    # All beams start alike, so only the first is alive; streams of their own are all alive.
    alive = jnp.arange(K) < (1 if search.reorders else K)
    start = jnp.broadcast_to(jnp.where(alive, 0.0, NEVER)[None], (B, K)).astype(jnp.float32)

    def body(carry: _Carry) -> _Carry:
        t, said = carry.t, carry.live.tokens
        before = jax.lax.dynamic_index_in_dim(said, jnp.maximum(t - 1, 0), axis=2, keepdims=False)
        logits, state = step(carry.state, jnp.where(t == 0, bos, before), t)
        raw = jax.nn.log_softmax(logits.astype(jnp.float32), axis=-1)
        logp = raw.at[:, :, jnp.asarray(banned, jnp.int32)].set(NEVER) if banned else raw
        logp = process(logp, said, t, prompt_len, search, eos)
        logp = force_prompt(logp, t, prompt, prompt_len)
        step_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, t)
        found = select(logp, carry.live.scores, step_keys, search)
        given = t < prompt_len
        candidates = _extend(carry.live, found, jnp.where(given[:, None, None], 0.0, raw), t)

        # A caption is finished by EOS or by the last place; of beams, only if among the K best.
        length = t + 1 - prompt_len
        is_eos = (found.token == eos) & ~given[:, None]
        ended = (is_eos | (length >= search.max_len)[:, None]) & carry.open[:, None]
        ended &= (jnp.arange(ended.shape[1]) < K)[None]
        norm = jnp.maximum(length, 1).astype(jnp.float32) ** search.length_penalty
        finals = jnp.where(ended, found.total / norm[:, None], NEVER)
        done = _best(_join(carry.done, candidates.replace(scores=finals)), K)

        scores = jnp.where(is_eos | ended, NEVER, found.total)
        if search.reorders:
            scores, place = top(scores, K)
            live = _take(candidates, place).replace(scores=scores)
            parent = jnp.take_along_axis(found.parent, place, axis=1)
            state = jax.tree.map(lambda leaf: _gather(leaf, parent), state)
        else:
            live = candidates.replace(scores=scores)
        still = _open(live.scores, done.scores, length, search) & (length < search.max_len)
        return _Carry(t + 1, live, done, carry.open & (still | given), state)

    def unfinished(carry: _Carry) -> Bool[Array, ""]:
        return carry.open.any()

    first = _Carry(
        t=jnp.zeros((), jnp.int32),
        live=empty.replace(scores=start),
        done=empty,
        open=jnp.ones(B, bool),
        state=state,
    )
    return jax.lax.while_loop(unfinished, body, first).done


def _open(
    live: Float[Array, "B K"], done: Float[Array, "B K"], length: Int[Array, " B"], search: Search
) -> Bool[Array, " B"]:
    """Whether an image's captions could still become better."""
    alive = (live > NEVER).any(axis=1)
    if not search.reorders:
        return alive
    full = (done > NEVER).all(axis=1)
    if search.early_stopping is True:
        return alive & ~full
    if search.early_stopping == "never" and search.length_penalty > 0:
        length = jnp.full_like(length, search.max_len)
    norm = jnp.maximum(length, 1).astype(jnp.float32) ** search.length_penalty
    return alive & (~full | (live.max(axis=1) / norm > done.min(axis=1)))


def _extend(
    live: Captions, found: Candidates, raw: Float[Array, "B K V"], t: Int[Array, ""]
) -> Captions:
    """The streams that the candidates continue, with the new token written at place t."""
    grown = _take(live, found.parent)
    picked = jax.vmap(lambda row, parent, token: row[parent, token])(raw, found.parent, found.token)
    here = (jnp.arange(live.tokens.shape[2]) == t)[None, None]
    return Captions(
        tokens=jnp.where(here, found.token[..., None], grown.tokens),
        logps=jnp.where(here, picked[..., None], grown.logps),
        scores=found.total,
    )


def _join(a: Captions, b: Captions) -> Captions:
    return jax.tree.map(lambda x, y: jnp.concatenate([x, y], axis=1), a, b)


def _best(captions: Captions, k: int) -> Captions:
    return _take(captions, top(captions.scores, k)[1])


def _take(captions: Captions, place: Int[Array, "B N"]) -> Captions:
    return jax.tree.map(lambda leaf: _gather(leaf, place), captions)


def _gather(leaf: Array, place: Int[Array, "B N"]) -> Array:
    """leaf[b, place[b, n]]; indexed under vmap, because that needs no collective when sharded."""
    return jax.vmap(lambda row, index: row[index])(leaf, place)
