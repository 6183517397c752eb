"""The decoding loop: one `lax.while_loop` that carries live streams and a pool of finished ones."""

from collections.abc import Callable
from typing import Any

import flax.struct
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int, Key

from jaxcap.decode.hypotheses import Captions, best, extend, gather, take
from jaxcap.decode.processors import force_prompt, process
from jaxcap.decode.search import Search
from jaxcap.decode.select import NEVER, select, top
from jaxcap.decode.words import Words

Step = Callable[[Any, Int[Array, "B K"], Int[Array, ""]], tuple[Float[Array, "B K V"], Any]]


class _Group(flax.struct.PyTreeNode):
    """Streams that are searched together; in all of them BOS has the first place."""

    live: Captions  # scores: total so far, -inf for a dead stream
    done: Captions  # scores: final
    open: Bool[Array, " B"]


class _Carry(flax.struct.PyTreeNode):
    t: Int[Array, ""]
    groups: tuple[_Group, ...]
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
    words: Words | None = None,
) -> Captions:
    """Search for the captions of a batch of images.

    Finished captions leave the streams for a pool of their own, so a live beam never competes
    with them for its place. An image that is done is not touched again: its captions do not
    depend on the other images of the batch.

    What may not be has the score -inf: such a stream is dead, and is no caption. Transformers'
    `generate`, which this search otherwise equals, gives it about -1e9. Where fewer than K
    continuations are possible, it returns such captions too, and with early stopping at the Kth
    counts them among the K.

    Args:
      step: (state, token [B, K], tokens before it) -> (logits [B, K, V], state).
      state: of the K empty streams, every leaf [B, K, ...].
      search: the settings; no ids are suppressed where it leaves them to a tokenizer.
      prompt: tokens that every caption of an image begins with, padded on the right.
      prompt_len: how many of them are real.
      keys: a random key for each image (used only to sample).
      bos, eos, pad: special ids.
      words: of the vocabulary, where the search counts them.

    Raises:
      UserError: the search has an id that the model's vocabulary does not have.
    """
    B, K, k = prompt.shape[0], search.beams, search.beams // search.groups
    L = 1 + prompt.shape[1] + search.max_len
    empty = Captions(
        tokens=jnp.full((B, k, L), pad, jnp.int32).at[..., 0].set(bos),
        logps=jnp.zeros((B, k, L), jnp.float32),
        scores=jnp.full((B, k), NEVER, jnp.float32),
    )
    # All beams start alike, so only the first is alive; streams of their own are all alive.
    alive = jnp.arange(k) < (1 if search.reorders else k)
    start = jnp.broadcast_to(jnp.where(alive, 0.0, NEVER)[None], (B, k)).astype(jnp.float32)

    def advance(
        group: _Group, logits: Float[Array, "B k V"], taken: Float[Array, "B V"], t: Array
    ) -> tuple[_Group, Int[Array, "B k"]]:
        """The group one token further, and the streams that its streams go on from."""
        given = t < prompt_len
        logp = jax.nn.log_softmax(logits, axis=-1)
        scores = logp if search.reorders else logits
        scores = process(scores, group.live.tokens, t, prompt_len, taken, search, eos, words)
        scores = force_prompt(scores, t, prompt, prompt_len)
        logp = jnp.where(given[:, None, None], 0.0, logp)
        step_keys = jax.vmap(jax.random.fold_in, (0, None))(keys, t)
        found = select(scores, logp, group.live.scores, step_keys, search)
        candidates = extend(group.live, found, t + 1)

        # A caption is finished by EOS or by the last place; of beams, only if among the k best.
        length = t + 1 - prompt_len
        is_eos = (found.token == eos) & ~given[:, None]
        ended = (is_eos | (length >= search.max_len)[:, None]) & group.open[:, None]
        ended &= (jnp.arange(ended.shape[1]) < k)[None]
        norm = jnp.maximum(length, 1).astype(jnp.float32) ** search.length_penalty
        finals = jnp.where(ended, found.total / norm[:, None], NEVER)
        done = best([group.done, candidates.replace(scores=finals)], k)

        totals, parent = jnp.where(is_eos, NEVER, found.total), found.parent
        if search.reorders:
            totals, place = top(totals, k)
            candidates, parent = take(candidates, place), gather(parent, place)
        live = candidates.replace(scores=totals)
        still = _open(totals, done.scores, length, search) & (length < search.max_len)
        return _Group(live, done, group.open & (still | given)), parent

    def body(carry: _Carry) -> _Carry:
        t = carry.t
        said = jnp.concatenate([group.live.tokens for group in carry.groups], axis=1)
        token = jax.lax.dynamic_index_in_dim(said, t, axis=2, keepdims=False)
        logits, state = step(carry.state, token, t)
        search.check_vocabulary(logits.shape[-1])
        logits = logits.astype(jnp.float32)
        groups, parents = [], []
        taken = jnp.zeros((B, logits.shape[-1]), jnp.float32)
        for first, before in zip(range(0, K, k), carry.groups, strict=True):
            group, parent = advance(before, logits[:, first : first + k], taken, t)
            groups.append(group)
            parents.append(first + parent)
            taken = _count(taken, group.live, before.open, t + 1)
        if search.reorders:
            parent = jnp.concatenate(parents, axis=1)
            state = jax.tree.map(lambda leaf: gather(leaf, parent), state)
        return _Carry(t + 1, tuple(groups), state)

    def unfinished(carry: _Carry) -> Bool[Array, ""]:
        return jnp.stack([group.open for group in carry.groups]).any()

    group = _Group(live=empty.replace(scores=start), done=empty, open=jnp.ones(B, bool))
    first = _Carry(jnp.zeros((), jnp.int32), (group,) * search.groups, state)
    found = best([group.done for group in jax.lax.while_loop(unfinished, body, first).groups], K)
    return found.replace(tokens=found.tokens[..., 1:], logps=found.logps[..., 1:])


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


def _count(
    taken: Float[Array, "B V"], live: Captions, open: Bool[Array, " B"], place: Int[Array, ""]
) -> Float[Array, "B V"]:
    """How many streams go on with each token, those of one more group added."""
    token = jax.lax.dynamic_index_in_dim(live.tokens, place, axis=2, keepdims=False)
    counts = ((live.scores > NEVER) & open[:, None]).astype(taken.dtype)
    return jax.vmap(lambda row, word, one: row.at[word].add(one))(taken, token, counts)
