"""Causal Transformer decoder over K token streams that look at the same image."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int

from jaxcap.errors import UserError, did_you_mean
from jaxcap.models.blocks import ACTIVATIONS, Style
from jaxcap.models.decoder_block import DecoderBlock
from jaxcap.models.fusion import check_fusion
from jaxcap.models.memory import Memory
from jaxcap.models.norm import LayerNorm
from jaxcap.models.product import Dense
from jaxcap.models.stack import through
from jaxcap.models.words import Words

FUSIONS: dict[str, tuple[str, ...]] = {"cross": (), "prefix": (), "merge": ()}


class TransformerDecoder(nn.Module):
    """Decoder with learned positions; see `jaxcap.models` for the contract that it keeps.

    The defaults are this project's own; GPT-2 and BERT are the same decoder with other settings.

    Attributes:
      vocab_size: V, the tokenizer's.
      width, depth, heads, mlp_width: D, layers, H, F.
      max_len: the longest caption in tokens, BOS included.
      fusion: `cross` (attention over the memory), `prefix` (memory tokens before the caption) or
        `merge` (the layers know words alone, and the image joins what they say).
      fuses_whole: in each layer the words meet the image as a whole, whatever the fusion.
      norm, activation, epsilon: see `jaxcap.models.blocks.Style`.
      positions: rows of the table of positions; 0 is as many as `max_len` needs.
      first_position, tied, scaled_words, normed_words, segments, head_activation, vocab_bias,
        canon, word_dropout: see `jaxcap.models.words.Words`.
    """

    vocab_size: int
    width: int
    depth: int
    heads: int
    mlp_width: int
    max_len: int
    fusion: str = "cross"
    fuses_whole: bool = False
    norm: str = "pre"
    activation: str = "gelu_tanh"
    epsilon: float = 1e-6
    dropout: float = 0.0
    word_dropout: float = 0.0
    canon: int = 0
    positions: int = 0
    first_position: int = 0
    tied: bool = True
    scaled_words: bool = True
    normed_words: bool = False
    segments: int = 0
    head_activation: str = ""
    vocab_bias: bool = True
    dtype: str = "float32"
    remat: bool = False
    scan: bool = False

    def __post_init__(self) -> None:
        if not self.positions:
            object.__setattr__(self, "positions", self.first_position + self.max_len)
        super().__post_init__()

    def setup(self) -> None:
        self._check_settings()
        style = Style(
            norm=self.norm,
            activation=self.activation,
            epsilon=self.epsilon,
            dropout=self.dropout,
            dtype=self.dtype,
        )
        self.words = Words(
            vocab_size=self.vocab_size,
            width=self.width,
            output_width=self.width,
            places=self.positions,
            first_place=self.first_position,
            tied=self.tied,
            scaled=self.scaled_words,
            normed=self.normed_words,
            segments=self.segments,
            head=self.head_activation,
            biased=self.vocab_bias,
            canon=self.canon,
            word_dropout=self.word_dropout,
            style=style,
        )
        self.layers = [
            DecoderBlock(
                self.width, self.heads, self.mlp_width, self.fusion, style, self.fuses_whole
            )
            for _ in range(self.depth)
        ]
        if self.norm == "pre":
            self.last_norm = LayerNorm(self.dtype, self.epsilon)
        if self.fusion == "merge":
            self.mix = Dense(self.width, dtype=self.dtype)

    def __call__(
        self, memory: Memory, tokens: Int[Array, "B K T"], train: bool = False
    ) -> Float[Array, "B K T V"]:
        """Teacher forcing: the logits of each next token, float32."""
        B, K, T = tokens.shape
        self._check_length(T)
        image, whole, joins = self._image(memory)
        x, _ = self.words.embed(
            tokens, self.words.nothing_before(B, K), jnp.zeros((), jnp.int32), train
        )
        causal = jnp.tril(jnp.ones((T, T), bool))

        def layer(block: Any, streams: tuple[Array, Array], _: None) -> tuple[Array, Array]:
            x, image = streams
            seen, image = block.memory(image, memory.mask, train)
            x = block.fused(x, whole, train)
            return block(x, block.own(x), causal, seen, memory.mask, train), image

        x, _ = through(self.layers, layer, (x, image), scan=self.scan, remat=self.remat)
        return self._logits(x, joins)

    def prefill(self, memory: Memory, k: int, max_len: int) -> tuple[Any, Any]:
        """What belongs to the image (its keys and values, mask), and k empty streams."""
        self._check_length(max_len)
        image, whole, joins = self._image(memory)
        images = []
        for layer in self.layers:
            seen, image = layer.memory(image, memory.mask, False)
            images.append(seen)
        context = (images, whole, joins, memory.mask)
        batch, channels = memory.mask.shape[0], self.width // self.heads
        cache = jnp.zeros((batch, k, self.heads, max_len, channels), self.dtype)
        caches = tuple((cache, cache) for _ in range(self.depth))
        return context, (self.words.nothing_before(batch, k), caches)

    def step(
        self, context: Any, state: Any, token: Int[Array, "B K"], position: Int[Array, ""]
    ) -> tuple[Float[Array, "B K V"], Any]:
        """One token more on each stream; `position` counts the tokens before it."""
        (images, whole, joins, mask), (before, caches) = context, state
        x, before = self.words.embed(token[..., None], before, position, train=False)
        written = jnp.arange(caches[0][0].shape[3])[None] <= position
        new_caches = []
        for layer, image, cache in zip(self.layers, images, caches, strict=True):
            x = layer.fused(x, whole, train=False)
            key, value = (
                jax.lax.dynamic_update_slice_in_dim(old, new, position, axis=3)
                for old, new in zip(cache, layer.own(x), strict=True)
            )
            own = (key, value)
            x = layer(x, own, written, image, mask, False)
            new_caches.append(own)
        return self._logits(x, joins)[:, :, 0], (before, tuple(new_caches))

    def _check_settings(self) -> None:
        check_fusion(self, FUSIONS)
        if self.head_activation and self.head_activation not in ACTIVATIONS:
            raise UserError(
                f"There is no activation {self.head_activation!r}. "
                f"{did_you_mean(self.head_activation, ACTIVATIONS)}"
            )
        if self.canon < 0:
            raise UserError(f"canon is {self.canon}; give a number of words, or 0 for no layer.")

    def _check_length(self, length: int) -> None:
        longest = min(self.max_len, self.positions - self.first_position)
        if length > longest:
            raise UserError(
                f"A caption of {length} tokens is asked for, BOS counted, but the decoder has "
                f"positions for {longest}. Ask for fewer, or train with a greater max_len."
            )

    def _image(
        self, memory: Memory
    ) -> tuple[Float[Array, "B S E"], Float[Array, "B E"], Float[Array, "B 1 1 D"] | None]:
        """The image as the first layer sees it, all of it, and what joins the last one's output."""
        if self.fusion == "prefix" and memory.tokens.shape[-1] != self.width:
            raise UserError(
                f"A memory of width {memory.tokens.shape[-1]} cannot stand before words of width "
                f"{self.width} (fusion='prefix'). Set model.bridge.project=True."
            )
        whole = memory.pooled().astype(self.dtype)
        joins = self.mix(whole)[:, None, None] if self.fusion == "merge" else None
        return memory.tokens.astype(self.dtype), whole, joins

    def _logits(
        self, x: Float[Array, "B K T D"], joins: Float[Array, "B 1 1 D"] | None
    ) -> Float[Array, "B K T V"]:
        if self.norm == "pre":
            x = self.last_norm(x)
        return self.words.logits(x if joins is None else x + joins)
