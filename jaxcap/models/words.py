"""Both ends of a decoder: from ids to vectors, and from vectors to scores of each word."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, PRNGKeyArray

from jaxcap.models.blocks import ACTIVATIONS, Style
from jaxcap.models.canon import Canon
from jaxcap.models.dropout import Dropout
from jaxcap.models.norm import LayerNorm
from jaxcap.models.product import Dense, times_table
from jaxcap.models.seen import SAID, SEEN
from jaxcap.partition import by_image

TILE = 128  # the vocabulary is padded to a multiple of this, so that it shards and tiles


class Words(nn.Module):
    """The tables of a vocabulary of V words, and of places in a caption.

    Attributes:
      vocab_size: V, the tokenizer's; the tables have a multiple of `TILE` rows.
      width: D.
      output_width: E, of the vectors whose scores are asked for.
      places: rows of the table of positions; 0 has no such table.
      first_place: the row of BOS.
      tied: the output matrix is the table of the input, D wide as E.
      scaled: input words have unit variance where the table starts at the scale of an output
        matrix.
      normed: words and places together pass a layer norm.
      segments: kinds of text that the table of segments knows; a caption is of the first.
      head: activation of a dense layer with a layer norm before the output matrix; "" for none.
      biased: each word has a bias of its own.
      canon: how many words before it each word takes something of; see `jaxcap.models.canon`.
      word_dropout: share of the input words hidden in training (their embedding is zero).
    """

    vocab_size: int
    width: int
    output_width: int
    places: int
    first_place: int
    tied: bool
    scaled: bool
    normed: bool
    segments: int
    head: str
    biased: bool
    canon: int
    word_dropout: float
    style: Style

    def setup(self) -> None:
        dtype, epsilon = self.style.dtype, self.style.epsilon
        rows = -(-self.vocab_size // TILE) * TILE
        near = nn.initializers.normal(0.02)
        # Words that are read alone start with unit variance, here or by their factor.
        spread = self.width**-0.5 if self.tied or self.scaled else 1.0
        self.embedding = self.param("embedding", self._table, (rows, self.width), spread)
        if self.places:
            self.positions = self.param("positions", near, (self.places, self.width))
        if self.segments:
            self.segment = self.param("segment", near, (self.segments, self.width))
        if self.normed:
            self.norm = LayerNorm(dtype, epsilon)
        if self.head:
            self.dense = Dense(self.output_width, dtype=dtype)
            self.dense_norm = LayerNorm(dtype, epsilon)
        if not self.tied:
            table = (rows, self.output_width)
            self.unembedding = self.param("unembedding", self._table, table, table[1] ** -0.5)
        if self.biased:
            self.bias = self.param("bias", nn.initializers.zeros, (rows,))
        self.mix = Canon(self.canon, dtype)
        self.drop = Dropout(self.style.dropout)
        self.drop_word = Dropout(self.word_dropout, whole=True)

    def _table(
        self, key: PRNGKeyArray, shape: tuple[int, int], spread: float
    ) -> Float[Array, "rows _"]:
        """Random vectors for the words, and zeros for the rows beyond them, which stay so."""
        table = nn.initializers.normal(spread)(key, shape)
        return table.at[self.vocab_size :].set(0.0)

    def nothing_before(self, batch: int, k: int) -> Float[Array, "B K canon D"]:
        """What stands before the first word of k captions of each image."""
        return jnp.zeros((batch, k, self.canon, self.width), self.style.dtype)

    def embed(
        self,
        tokens: Int[Array, "B K T"],
        before: Float[Array, "B K canon D"],
        place: Int[Array, ""],
        train: bool,
    ) -> tuple[Float[Array, "B K T D"], Float[Array, "B K canon D"]]:
        """The tokens from `place` on as vectors, and the words that stand before the next one."""
        dtype, T = self.style.dtype, tokens.shape[2]
        words = by_image(self.embedding.astype(dtype)[tokens])
        if self.scaled:
            words = words * self.width**0.5
        words = jnp.concatenate([before, self.drop_word(words, train)], axis=2)
        x = self.mix(words)
        if self.places:
            rows = self.first_place + place + jnp.arange(T)
            x = x + self.positions.astype(dtype)[rows][None, None]
        if self.segments:
            x = x + self.segment.astype(dtype)[None, None, :1]
        if self.normed:
            x = self.norm(x)
        return self.drop(x, train), words[:, :, T:]

    def logits(self, x: Float[Array, "B K T E"]) -> Float[Array, "B K T V"]:
        """Scores of each word to come next, float32; their vectors go to the collection `SEEN`."""
        if self.head:
            x = self.dense_norm(ACTIVATIONS[self.head](self.dense(x)))
        self.sow(SEEN, SAID, x)
        table = self.embedding if self.tied else self.unembedding
        y = times_table(x.astype(self.style.dtype), table)
        if self.biased:
            y = y + self.bias[None, None, None]
        return y[..., : self.vocab_size]
