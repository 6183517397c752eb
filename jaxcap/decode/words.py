"""How many words a caption has, while it is searched for.

Words are those that spaces part and that have a letter or a digit. A tokenizer of words has one for
each id; of others some tokens go on with a word that is begun, and marks belong to none.
"""

from functools import partial
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from jaxcap.data.text import Tokenizer
from jaxcap.decode.search import Search
from jaxcap.decode.select import NEVER


class Words(NamedTuple):
    """Of each of V ids.

    Attributes:
      letters: whether it has a letter or a digit.
      spaced: whether a space stands before it.
      spaces: whether it ends with one, so that a word begins behind it.
    """

    letters: Bool[np.ndarray, " V"]
    spaced: Bool[np.ndarray, " V"]
    spaces: Bool[np.ndarray, " V"]

    @classmethod
    def of(cls, tokenizer: Tokenizer) -> "Words":
        """The words of a tokenizer; a byte of a letter beyond ASCII counts as a letter."""
        texts, whole = tokenizer.spelt, tokenizer.kind == "word"
        return cls(
            letters=np.array([any(map(_is_letter, text)) for text in texts]),
            spaced=np.array([whole or text[:1].isspace() for text in texts]),
            spaces=np.array([text[-1:].isspace() for text in texts]),
        )

    def padded(self, size: int) -> "Words":
        """For a model of so many words; ids past the tokenizer's are of none."""
        return Words(*(np.pad(each, (0, max(size - len(each), 0)))[:size] for each in self))

    def begun(self, said: Int[Array, "B K L"], written: Int[Array, ""]) -> Bool[Array, "B K L"]:
        """Whether a word begins at each of the first `written` tokens."""
        letters, so_far = self._within(said, written)
        return letters & (so_far == 1)

    def open(self, said: Int[Array, "B K L"], written: Int[Array, ""]) -> Bool[Array, "B K 1"]:
        """Whether letters that follow the `written` tokens without a space go on with a word."""
        at = partial(jax.lax.dynamic_index_in_dim, index=written - 1, axis=-1)
        _, so_far = self._within(said, written)
        return (at(so_far) > 0) & ~jnp.asarray(self.spaces)[at(said)]

    def _within(
        self, said: Int[Array, "B K L"], written: Int[Array, ""]
    ) -> tuple[Bool[Array, "B K L"], Int[Array, "B K L"]]:
        """Whether each token has letters, and how many have since the last space, with it."""
        letters, spaced, spaces = (jnp.asarray(each)[said] for each in self)
        letters &= (jnp.arange(said.shape[-1]) < written)[None, None]
        before = jnp.concatenate([jnp.zeros_like(spaces[..., :1]), spaces[..., :-1]], axis=-1)
        count = jnp.cumsum(letters, axis=-1)
        until = jnp.where(spaced | before, count - letters.astype(count.dtype), 0)
        return letters, count - jax.lax.cummax(until, axis=until.ndim - 1)


def keep_length(
    scores: Array,
    said: Int[Array, "B K L"],
    written: Int[Array, ""],
    words: Words,
    search: Search,
    eos: int,
) -> Array:
    """No caption ends before it has `min_words`, and none begins a word after `max_words`.

    Args:
      scores: of the next token [B, K, V].
      said: BOS and the tokens so far.
      written: how many of them are.
      words: of V ids.
      search: with the limits.
      eos: the id of the end of a caption.
    """
    words = words.padded(scores.shape[-1])
    count = words.begun(said, written).sum(axis=-1)[..., None]
    if search.min_words:
        ends = np.arange(scores.shape[-1]) == eos
        scores = jnp.where(ends[None, None] & (count < search.min_words), NEVER, scores)
    if search.max_words:
        letters, spaced = words.letters[None, None], words.spaced[None, None]
        begins = letters & (spaced | ~words.open(said, written))
        scores = jnp.where(begins & (count >= search.max_words), NEVER, scores)
    return scores


def _is_letter(at: str) -> bool:
    return at.isalnum() or "\udc80" <= at <= "\udcff"
