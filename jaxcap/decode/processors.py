"""What may come next: rules that act on the [B, K, V] log-probabilities of one step."""

import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxcap.decode.search import Search

Logp = Float[Array, "B K V"]
NEVER = -jnp.inf


def process(
    logp: Logp,
    said: Int[Array, "B K L"],
    t: Int[Array, ""],
    prompt_len: Int[Array, " B"],
    search: Search,
    eos: int,
) -> Logp:
    """Apply every rule of the search that is not switched off.

    Args:
      logp: log-probabilities of the next token.
      said: the tokens so far, of which the first t are written.
      t: the number of tokens so far.
      prompt_len: how many of them were given.
      search: the settings.
      eos: the id of the end of a caption.
    """
    if search.repetition_penalty != 1.0:
        logp = repetition_penalty(logp, said, t, search.repetition_penalty)
    if search.no_repeat_ngram:
        logp = block_ngrams(logp, said, t, search.no_repeat_ngram)
    if search.min_len:
        early = (t - prompt_len < search.min_len)[:, None, None]
        logp = jnp.where(early & (jnp.arange(logp.shape[-1]) == eos)[None, None], NEVER, logp)
    return logp


def repetition_penalty(logp: Logp, said: Int[Array, "B K L"], t: Int[Array, ""], by: float) -> Logp:
    """Words already said become less likely (Keskar et al., arXiv 1909.05858)."""
    written = jnp.arange(said.shape[-1]) < t
    return jnp.where(_mark(logp, said, written[None, None]), logp * by, logp)


def block_ngrams(logp: Logp, said: Int[Array, "B K L"], t: Int[Array, ""], n: int) -> Logp:
    """No n-gram occurs twice (Paulus et al., arXiv 1705.04304)."""
    length = said.shape[-1]
    if length < n:
        return logp
    ends = jnp.arange(n - 1, length)  # where an n-gram that was said could end
    windows = said[..., ends[:, None] - jnp.arange(n - 1, 0, -1)[None]]  # [B, K, L-n+1, n-1]
    last = jax.lax.dynamic_slice_in_dim(said, jnp.maximum(t - (n - 1), 0), n - 1, axis=-1)
    again = (windows == last[:, :, None]).all(-1) & ((ends < t) & (t >= n - 1))[None, None]
    return jnp.where(_mark(logp, said[..., n - 1 :], again), NEVER, logp)


def force_prompt(
    logp: Logp,
    t: Int[Array, ""],
    prompt: Int[Array, "B P"],
    prompt_len: Int[Array, " B"],
) -> Logp:
    """While the prompt lasts, its next token is certain (log-probability 0) and no other possible.

    With K beams only the first is alive during the prompt, so the beams do not repeat it.
    """
    if prompt.shape[1] == 0:
        return logp
    token = jax.lax.dynamic_index_in_dim(
        prompt, jnp.minimum(t, prompt.shape[1] - 1), axis=1, keepdims=False
    )
    given = jnp.where(jnp.arange(logp.shape[-1])[None] == token[:, None], 0.0, NEVER)
    return jnp.where((t < prompt_len)[:, None, None], given[:, None], logp)


def _mark(logp: Logp, tokens: Int[Array, "B K N"], where: Bool[Array, "#B #K N"]) -> Array:
    """True at each of the vocabulary's words that stands in `tokens` where `where` says so."""
    V = logp.shape[-1]
    ids = jnp.where(where, tokens, V)
    mark = jax.vmap(jax.vmap(lambda row: jnp.zeros(V, bool).at[row].set(True, mode="drop")))
    return mark(ids)
