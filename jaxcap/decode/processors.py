"""What may come next: rules that act on the [B, K, V] scores of one step.

A score is what the streams choose by: the log-probability of beams, the logit of streams that go
their own way. The rules act in the order in which Transformers' `generate` has them.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxcap.decode.search import Search
from jaxcap.decode.select import NEVER
from jaxcap.decode.words import Words, keep_length

Scores = Float[Array, "B K V"]


def process(
    scores: Scores,
    said: Int[Array, "B K L"],
    t: Int[Array, ""],
    prompt_len: Int[Array, " B"],
    taken: Float[Array, "B V"],
    search: Search,
    eos: int,
    words: Words | None = None,
) -> Scores:
    """Apply every rule of the search that is not switched off.

    Args:
      scores: of the next token.
      said: BOS and the tokens so far, of which the first t + 1 are written.
      t: the number of tokens so far, without BOS.
      prompt_len: how many of them were given.
      taken: how many beams of earlier groups go on with a token at this step.
      search: the settings.
      eos: the id of the end of a caption.
      words: of the vocabulary, where the search counts them.
    """
    written, chosen = t + 1, t - prompt_len
    if search.diversity:
        scores = scores - search.diversity * taken[:, None]
    if search.repetition_penalty != 1.0:
        scores = repetition_penalty(scores, said, written, search.repetition_penalty)
    if search.no_repeat_ngram:
        scores = block_ngrams(scores, said, written, search.no_repeat_ngram)
    if search.bad_words:
        bad = tuple(word for word in search.bad_words if word != (eos,))
        scores = block_words(scores, said, written, bad)
    if search.min_len:
        early = (chosen < search.min_len)[:, None, None]
        scores = jnp.where(early, forbid(scores, (eos,)), scores)
    if words is not None:
        scores = keep_length(scores, said, written, words, search, eos)
    if search.forced_bos is not None:
        token = jnp.full_like(prompt_len, search.forced_bos)
        scores = force(scores, token, (chosen == 0) & (prompt_len == 0))
    if search.forced_eos is not None:
        token = jnp.full_like(prompt_len, search.forced_eos)
        scores = force(scores, token, chosen == search.max_len - 1)
    if search.suppress:
        scores = forbid(scores, search.suppress)
    return scores


def repetition_penalty(
    scores: Scores, said: Int[Array, "B K L"], written: Int[Array, ""], by: float
) -> Scores:
    """Words already said become less likely (Keskar et al., arXiv 1909.05858)."""
    before = jnp.arange(said.shape[-1]) < written
    penalised = jnp.where(scores < 0, scores * by, scores / by)
    return jnp.where(_mark(scores, said, before[None, None]), penalised, scores)


def block_ngrams(
    scores: Scores, said: Int[Array, "B K L"], written: Int[Array, ""], n: int
) -> Scores:
    """No n-gram occurs twice (Paulus et al., arXiv 1705.04304)."""
    length = said.shape[-1]
    if length < n:
        return scores
    ends = jnp.arange(n - 1, length)  # where an n-gram that was said could end
    windows = said[..., ends[:, None] - jnp.arange(n - 1, 0, -1)[None]]  # [B, K, L-n+1, n-1]
    again = (windows == _last(said, written, n - 1)[:, :, None]).all(-1)
    again &= ((ends < written) & (written >= n - 1))[None, None]
    return jnp.where(_mark(scores, said[..., n - 1 :], again), NEVER, scores)


def block_words(
    scores: Scores,
    said: Int[Array, "B K L"],
    written: Int[Array, ""],
    words: tuple[tuple[int, ...], ...],
) -> Scores:
    """None of these sequences of tokens is completed."""
    B, K, length = said.shape
    for n in sorted({len(word) for word in words if len(word) <= length + 1}):
        rows = np.asarray([word for word in words if len(word) == n], np.int32)
        begun = (_last(said, written, n - 1)[:, :, None] == rows[None, None, :, :-1]).all(-1)
        last = jnp.broadcast_to(rows[None, None, :, -1], (B, K, len(rows)))
        scores = jnp.where(_mark(scores, last, begun & (written >= n - 1)), NEVER, scores)
    return scores


def forbid(scores: Scores, ids: tuple[int, ...]) -> Scores:
    """None of these tokens is possible."""
    never = np.isin(np.arange(scores.shape[-1]), ids)
    return jnp.where(never[None, None], NEVER, scores)


def force(scores: Scores, token: Int[Array, " B"], when: Bool[Array, " B"]) -> Scores:
    """The token is certain (log-probability 0) in the images where `when`, no other possible."""
    certain = jnp.where(jnp.arange(scores.shape[-1])[None] == token[:, None], 0.0, NEVER)
    return jnp.where(when[:, None, None], certain[:, None], scores)


def force_prompt(
    scores: Scores,
    t: Int[Array, ""],
    prompt: Int[Array, "B P"],
    prompt_len: Int[Array, " B"],
) -> Scores:
    """While the prompt lasts, its next token is certain.

    Of beams that compete only the first is alive during the prompt, so they do not repeat it.
    """
    if prompt.shape[1] == 0:
        return scores
    token = jax.lax.dynamic_index_in_dim(
        prompt, jnp.minimum(t, prompt.shape[1] - 1), axis=1, keepdims=False
    )
    return force(scores, token, t < prompt_len)


def _last(said: Int[Array, "B K L"], written: Int[Array, ""], n: int) -> Int[Array, "B K {n}"]:
    """The last n tokens that are written; not to be used where there are fewer."""
    return jax.lax.dynamic_slice_in_dim(said, jnp.maximum(written - n, 0), n, axis=-1)


def _mark(scores: Scores, tokens: Int[Array, "B K N"], where: Bool[Array, "#B #K N"]) -> Array:
    """True at each of the vocabulary's words that stands in `tokens` where `where` says so."""
    V = scores.shape[-1]
    ids = jnp.where(where, tokens, V)
    mark = jax.vmap(jax.vmap(lambda row: jnp.zeros(V, bool).at[row].set(True, mode="drop")))
    return mark(ids)
