"""Captions that are given, read by teacher forcing: a captioner's other half beside its search."""

from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int

from jaxcap.data.showing import Arrays
from jaxcap.data.text import Tokenizer
from jaxcap.errors import UserError
from jaxcap.explain import Reading, read
from jaxcap.models.captioning import CaptionModel


class Reader:
    """Reads captions of one image; every one is filled up to the longest, so that all compile once.

    Attributes:
      longest: tokens of a caption with EOS, as many as the model knows.
    """

    def __init__(self, model: CaptionModel, tokenizer: Tokenizer, longest: int):
        self.longest, self._tokenizer = longest, tokenizer
        self._read = partial(read, model, bos=tokenizer.bos)
        self._reading, self._scoring = jax.jit(self._read), jax.jit(self._logp)

    def ids(self, text: str) -> list[int]:
        """The ids of a caption, closed by EOS.

        Raises:
          UserError: it is longer than the captions that the model knows.
        """
        ids = [*self._tokenizer.encode(text), self._tokenizer.eos]
        if len(ids) > self.longest:
            raise UserError(
                f"{text!r} has {len(ids)} tokens with EOS; the model knows captions of at most "
                f"{self.longest} (data.max_len)."
            )
        return ids

    def one(self, variables: Any, shown: Arrays, ids: Sequence[int]) -> Reading:
        """What reading one caption leaves, filled up to the longest."""
        tokens, _ = self._filled([ids])
        return self._reading(variables, jax.tree.map(lambda x: x[None], shown), tokens)

    def logps(
        self, variables: Any, shown: Arrays, rows: Sequence[Sequence[int]]
    ) -> Float[np.ndarray, " K"]:
        """The log-probability of each of K captions, in one pass."""
        tokens, mask = self._filled(rows)
        batch = jax.tree.map(lambda x: x[None], shown)
        return np.asarray(self._scoring(variables, batch, tokens, mask))

    def _filled(
        self, rows: Sequence[Sequence[int]]
    ) -> tuple[Int[np.ndarray, "K T"], Bool[np.ndarray, "K T"]]:
        """Captions as rows as long as the longest that the model knows; True where real."""
        mask = np.arange(self.longest) < np.array([len(row) for row in rows]).reshape(-1, 1)
        tokens = np.full(mask.shape, self._tokenizer.pad, np.int32)
        tokens[mask] = [token for row in rows for token in row]
        return tokens, mask

    def _logp(
        self, variables: Any, shown: Mapping[str, Array], tokens: Array, mask: Array
    ) -> Array:
        logps = self._read(variables, shown, tokens).logps
        return jnp.where(mask, logps, 0.0).sum(axis=-1)
