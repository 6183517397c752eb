"""Causal Transformer decoder over K token streams that look at the same image."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float, Int

from jaxcap.errors import UserError, did_you_mean
from jaxcap.models.attention import Attention, attend
from jaxcap.models.blocks import Mlp
from jaxcap.models.canon import Canon
from jaxcap.models.dropout import Dropout
from jaxcap.models.memory import Memory
from jaxcap.models.norm import LayerNorm

TILE = 128  # the vocabulary is padded to a multiple of this, so that it shards and tiles
FUSIONS = ("cross", "prefix")


class DecoderBlock(nn.Module):
    """Pre-norm layer: self-attention, the image, MLP.

    With fusion `cross` the image has an attention of its own; with `prefix` the memory tokens
    stand before the caption in the self-attention, and pass through the layer themselves
    (`memory`).
    """

    heads: int
    mlp_width: int
    dropout: float
    fusion: str
    dtype: str

    def setup(self) -> None:
        self.self_norm = LayerNorm(self.dtype)
        self.self_attention = Attention(self.heads, self.dtype)
        if self.fusion == "cross":
            self.cross_norm = LayerNorm(self.dtype)
            self.cross_attention = Attention(self.heads, self.dtype)
        self.mlp_norm = LayerNorm(self.dtype)
        self.mlp = Mlp(self.mlp_width, self.dropout, self.dtype)
        self.drop = Dropout(self.dropout)

    def memory(
        self, x: Float[Array, "B S D"], mask: Bool[Array, "B S"], train: bool
    ) -> tuple[tuple[Array, Array], Float[Array, "B S D"]]:
        """The keys and values of the image in this layer, and the memory for the next one."""
        if self.fusion == "cross":
            return self.cross_attention.keys_values(x), x
        y = self.self_norm(x)
        kv = self.self_attention.keys_values(y)
        seen = attend(self.self_attention.queries(y)[:, None], None, None, kv, mask)[:, 0]
        return kv, self._rest(x, self.self_attention.merge(seen), train)

    def own(self, x: Float[Array, "B K T D"]) -> tuple[Array, Array]:
        """Keys and values of the caption's own tokens, each [B, K, H, T, C]."""
        return self.self_attention.keys_values(self.self_norm(x))

    def __call__(
        self,
        x: Float[Array, "B K T D"],
        own: tuple[Array, Array],
        own_mask: Bool[Array, "T U"],
        image: tuple[Array, Array],
        image_mask: Bool[Array, "B S"],
        train: bool,
    ) -> Float[Array, "B K T D"]:
        """The layer, given the keys and values that its tokens may see (`own`, `memory`)."""
        q = self.self_attention.queries(self.self_norm(x))
        if self.fusion == "prefix":
            seen = attend(q, own, own_mask, image, image_mask)
            return self._rest(x, self.self_attention.merge(seen), train)
        seen = attend(q, own, own_mask, None, None)
        x = x + self.drop(self.self_attention.merge(seen), train)
        q = self.cross_attention.queries(self.cross_norm(x))
        seen = attend(q, None, None, image, image_mask)
        return self._rest(x, self.cross_attention.merge(seen), train)

    def _rest(self, x: Array, attended: Array, train: bool) -> Array:
        x = x + self.drop(attended, train)
        y = self.mlp(self.mlp_norm(x), train)
        return x + self.drop(y, train)


class TransformerDecoder(nn.Module):
    """Decoder with learned positions; see `jaxcap.models` for the contract that it keeps.

    Attributes:
      vocab_size: V, the tokenizer's; the table is padded to a multiple of `TILE` inside.
      width, depth, heads, mlp_width: D, layers, H, F.
      max_len: the longest caption in tokens, BOS included.
      fusion: `cross` (attention over the memory) or `prefix` (memory tokens before the caption).
      tied: the output matrix is the embedding table.
      word_dropout: share of the input words hidden in training (their embedding is zero).
      canon: how many words before it each word takes something of; see `jaxcap.models.canon`.
    """

    vocab_size: int
    width: int
    depth: int
    heads: int
    mlp_width: int
    max_len: int
    fusion: str = "cross"
    dropout: float = 0.0
    word_dropout: float = 0.0
    canon: int = 0
    tied: bool = True
    dtype: str = "float32"
    remat: bool = False

    def setup(self) -> None:
        if self.fusion not in FUSIONS:
            raise UserError(
                f"There is no fusion {self.fusion!r}. {did_you_mean(self.fusion, FUSIONS)}"
            )
        if self.canon < 0:
            raise UserError(f"canon is {self.canon}; give a number of words, or 0 for no layer.")
        rows = -(-self.vocab_size // TILE) * TILE
        init = nn.initializers.normal(self.width**-0.5)
        self.embedding = self.param("embedding", init, (rows, self.width))
        self.positions = self.param(
            "positions", nn.initializers.normal(0.02), (self.max_len, self.width)
        )
        if not self.tied:
            self.unembedding = self.param("unembedding", init, (rows, self.width))
        self.mix_words = Canon(self.canon, self.dtype)
        self.bias = self.param("bias", nn.initializers.zeros, (rows,))
        block = nn.remat(DecoderBlock, static_argnums=(6,)) if self.remat else DecoderBlock
        self.layers = [
            block(self.heads, self.mlp_width, self.dropout, self.fusion, self.dtype)
            for _ in range(self.depth)
        ]
        self.norm = LayerNorm(self.dtype)
        self.drop = Dropout(self.dropout)
        self.drop_word = Dropout(self.word_dropout, whole=True)

    def __call__(
        self, memory: Memory, tokens: Int[Array, "B K T"], train: bool = False
    ) -> Float[Array, "B K T V"]:
        """Teacher forcing: the logits of each next token, float32."""
        T = tokens.shape[2]
        self._check(T)
        images = self._images(memory, train)
        x, _ = self._embed(
            tokens, self._nothing_before(*tokens.shape[:2]), self.positions[:T], train
        )
        causal = jnp.tril(jnp.ones((T, T), bool))
        for layer, image in zip(self.layers, images, strict=True):
            x = layer(x, layer.own(x), causal, image, memory.mask, train)
        return self._logits(x)

    def prefill(self, memory: Memory, k: int, max_len: int) -> tuple[Any, Any]:
        """What belongs to the image (its keys and values, mask), and k empty streams."""
        self._check(max_len)
        context = (self._images(memory, train=False), memory.mask)
        batch, channels = memory.mask.shape[0], self.width // self.heads
        cache = jnp.zeros((batch, k, self.heads, max_len, channels), self.dtype)
        caches = tuple((cache, cache) for _ in range(self.depth))
        return context, (self._nothing_before(batch, k), caches)

    def step(
        self, context: Any, state: Any, token: Int[Array, "B K"], position: Int[Array, ""]
    ) -> tuple[Float[Array, "B K V"], Any]:
        """One token more on each stream; `position` counts the tokens before it."""
        (images, mask), (before, caches) = context, state
        place = jax.lax.dynamic_slice_in_dim(self.positions, position, 1)
        x, before = self._embed(token[..., None], before, place, train=False)
        written = jnp.arange(caches[0][0].shape[3])[None] <= position
        new_caches = []
        for layer, image, cache in zip(self.layers, images, caches, strict=True):
            key, value = (
                jax.lax.dynamic_update_slice_in_dim(old, new, position, axis=3)
                for old, new in zip(cache, layer.own(x), strict=True)
            )
            own = (key, value)
            x = layer(x, own, written, image, mask, False)
            new_caches.append(own)
        return self._logits(x)[:, :, 0], (before, tuple(new_caches))

    def _check(self, length: int) -> None:
        if length > self.max_len:
            raise UserError(
                f"A caption of {length} tokens is asked for, BOS counted, but the decoder has "
                f"positions for {self.max_len}. Ask for fewer, or train with a greater max_len."
            )

    def _images(self, memory: Memory, train: bool) -> list[tuple[Array, Array]]:
        x, images = memory.tokens.astype(self.dtype), []
        for layer in self.layers:
            image, x = layer.memory(x, memory.mask, train)
            images.append(image)
        return images

    def _nothing_before(self, batch: int, k: int) -> Float[Array, "B K canon D"]:
        return jnp.zeros((batch, k, self.canon, self.width), self.dtype)

    def _embed(
        self, tokens: Array, before: Array, places: Array, train: bool
    ) -> tuple[Float[Array, "B K T D"], Float[Array, "B K canon D"]]:
        """The tokens as vectors, and the words that stand before the next one."""
        words = self.embedding.astype(self.dtype)[tokens]
        # Tables start at the scale of the output matrix; the words want unit variance.
        words = self.drop_word(words * self.width**0.5, train)
        words = jnp.concatenate([before, words], axis=2)
        x = self.mix_words(words) + places.astype(self.dtype)[None, None]
        return self.drop(x, train), words[:, :, tokens.shape[2] :]

    def _logits(self, x: Array) -> Array:
        table = self.embedding if self.tied else self.unembedding
        y = jnp.einsum(
            "bktd,vd->bktv",
            self.norm(x),
            table.astype(self.dtype),
            preferred_element_type=jnp.float32,
        )
        return (y + self.bias[None, None, None])[..., : self.vocab_size]
