"""Recurrent decoder over K token streams that look at the same image: LSTM or GRU."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxcap.errors import UserError
from jaxcap.models.blocks import Style
from jaxcap.models.dropout import Dropout
from jaxcap.models.fusion import check_fusion
from jaxcap.models.looking import Look
from jaxcap.models.memory import Memory
from jaxcap.models.product import Dense
from jaxcap.models.recurrent_stack import RecurrentStack, States
from jaxcap.models.seen import SEEN
from jaxcap.models.words import Words

OF_LOOKING = ("attention", "hard", "gated", "attention_width", "looks")
FUSIONS = {
    "prefix": ("starts",),
    "state": (),
    "cross": ("starts", *OF_LOOKING),
    "merge": ("starts",),
}


class RecurrentDecoder(nn.Module):
    """Decoder of recurrent layers; see `jaxcap.models` for the contract that it keeps.

    Attributes:
      vocab_size: V, the tokenizer's.
      width: D, of the layers.
      max_len: the longest caption in tokens, BOS included.
      cell: `lstm` or `gru`.
      depth: layers.
      word_width: of the words' vectors; 0 is `width`.
      fusion: `prefix` (the memory's tokens are read before the caption), `state` (the layers start
        from the image, and that is all), `cross` (they look at it for each word) or `merge` (they
        know words alone, and the image joins what they say; Tanti et al., arXiv 1703.09137).
      starts: of the other fusions: the layers start from the image too.
      attention, hard, gated: of `cross` alone, as the two below; see `jaxcap.models.looking.Look`.
      attention_width: of its keys; 0 is `width`.
      looks: so many layers come before the look. With 0 the decoder looks by what it knew before
        the word (Bahdanau, Xu); with as many as there are, what it sees goes to its output alone
        (Luong); between, the first layer also reads the last state of the last and the whole image
        (the two layers of Anderson et al., arXiv 1707.07998).
      deep_output: the word, the state and what was seen meet in a layer before the vocabulary
        (Pascanu et al., arXiv 1312.6026).
      tied: the output matrix is the table of the input.
      vocab_bias: each word has a bias of its own.
      dropout: on the words' vectors, between layers, and before the vocabulary.
      word_dropout: share of the input words hidden in training.
    """

    vocab_size: int
    width: int
    max_len: int
    cell: str = "lstm"
    depth: int = 1
    word_width: int = 0
    fusion: str = "cross"
    starts: bool = False
    attention: str = "additive"
    hard: bool = False
    gated: bool = False
    attention_width: int = 0
    looks: int = 0
    deep_output: bool = False
    tied: bool = False
    vocab_bias: bool = True
    dropout: float = 0.0
    word_dropout: float = 0.0
    dtype: str = "float32"

    def setup(self) -> None:
        self._check_settings()
        self.words = Words(
            vocab_size=self.vocab_size,
            width=self._word_width,
            output_width=self._output_width,
            places=0,
            first_place=0,
            tied=self.tied,
            scaled=self.tied,
            normed=False,
            segments=0,
            head="",
            biased=self.vocab_bias,
            canon=0,
            word_dropout=self.word_dropout,
            style=Style(dropout=self.dropout, dtype=self.dtype),
        )
        keys = self.attention_width or self.width
        look = Look(self.attention, self.hard, keys, self.gated, self.dtype)
        self.stack = RecurrentStack(
            cell=self.cell,
            width=self.width,
            depth=self.depth,
            look=look if self.fusion == "cross" else None,
            looks=self.looks,
            starts=self.starts or self.fusion == "state",
            dropout=self.dropout,
            dtype=self.dtype,
        )
        if self.fusion == "prefix":
            self.as_word = Dense(self._word_width, dtype=self.dtype)
        if self._mixes or self.fusion == "merge":
            self.mix = Dense(self._output_width, dtype=self.dtype)
        self.drop = Dropout(self.dropout)

    @property
    def _word_width(self) -> int:
        return self.word_width or self.width

    @property
    def _output_width(self) -> int:
        return self._word_width if self.deep_output else self.width

    @property
    def _mixes(self) -> bool:
        """A layer before the vocabulary reads what was seen too."""
        return self.deep_output or (self.fusion == "cross" and self.looks == self.depth)

    def __call__(
        self, memory: Memory, tokens: Int[Array, "B K T"], train: bool = False
    ) -> Float[Array, "B K T V"]:
        """Teacher forcing: the logits of each next token, float32."""
        self._check_length(tokens.shape[2])
        image, states = self._begin(memory, tokens.shape[1], train)
        words = self._embed(tokens, train)

        def tick(stack: RecurrentStack, states: States, read: Array) -> tuple[States, Any]:
            return stack(image, states, read, train)

        over_words = nn.scan(
            tick,
            variable_broadcast="params",
            variable_axes={SEEN: 2},
            split_rngs={"params": False, "dropout": True},
            in_axes=2,
            out_axes=2,
        )
        _, (said, seen) = over_words(self.stack, states, self.stack.read(words))
        return self._logits(words, said, seen, train)

    def prefill(self, memory: Memory, k: int, max_len: int) -> tuple[Any, Any]:
        """What belongs to the image, and k streams that have read no word."""
        self._check_length(max_len)
        return self._begin(memory, k, train=False)

    def step(
        self, context: Any, state: Any, token: Int[Array, "B K"], position: Int[Array, ""]
    ) -> tuple[Float[Array, "B K V"], Any]:
        """One token more on each stream."""
        words = self._embed(token[..., None], train=False)
        state, (said, seen) = self.stack(
            context, state, self.stack.read(words)[:, :, 0], train=False
        )
        return self._logits(words, said[:, :, None], seen[:, :, None], train=False)[:, :, 0], state

    def _begin(self, memory: Memory, k: int, train: bool) -> tuple[Any, States]:
        """What belongs to the image, and the states of k streams before the first word."""
        image, states = self.stack.image(memory, train), self.stack.first(memory)
        if self.fusion == "prefix":
            read = self.stack.read(self.as_word(memory.tokens.astype(self.dtype))[:, None])

            def tick(stack: RecurrentStack, states: States, token: Any) -> tuple[States, None]:
                read, real = token
                return stack.take_in(image, states, read, real, train), None

            over_tokens = nn.scan(
                tick,
                variable_broadcast="params",
                split_rngs={"params": False, "dropout": True},
                in_axes=((2, 1),),
            )
            states, _ = over_tokens(self.stack, states, (read, memory.mask))
        return image, jax.tree.map(
            lambda x: jnp.broadcast_to(x, (x.shape[0], k, *x.shape[2:])), states
        )

    def _embed(self, tokens: Int[Array, "B K T"], train: bool) -> Float[Array, "B K T E"]:
        before = self.words.nothing_before(*tokens.shape[:2])
        return self.words.embed(tokens, before, jnp.zeros((), jnp.int32), train)[0]

    def _logits(
        self,
        words: Float[Array, "B K T E"],
        said: Float[Array, "B K T D"],
        seen: Float[Array, "B K T F"],
        train: bool,
    ) -> Float[Array, "B K T V"]:
        if self._mixes:
            parts = [said]
            if self.deep_output:
                parts.append(words)
            if self.fusion in ("cross", "merge"):
                parts.append(seen)
            said = jnp.tanh(self.mix(jnp.concatenate(parts, axis=-1)))
        elif self.fusion == "merge":
            said = said + self.mix(seen)
        return self.words.logits(self.drop(said, train))

    def _check_settings(self) -> None:
        check_fusion(self, FUSIONS)
        if not 0 <= self.looks <= self.depth:
            raise UserError(
                f"looks is {self.looks}; give how many of the {self.depth} layers come before the "
                f"look at the image, 0 to {self.depth}."
            )
        if self.tied and self._output_width != self._word_width:
            raise UserError(
                f"A tied output matrix has the width of the words, {self._word_width}, and the "
                f"layers have {self.width}. Make them equal, or set deep_output=True."
            )

    def _check_length(self, length: int) -> None:
        if length > self.max_len:
            raise UserError(
                f"A caption of {length} tokens is asked for, BOS counted, but the decoder was made "
                f"for {self.max_len}. Ask for fewer, or train with a greater max_len."
            )
