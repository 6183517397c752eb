"""One layer of the Transformer decoder: the caption's own words, the image, MLP."""

from functools import partial

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Bool, Float

from jaxcap.models.attention import Attention, attend, attend_memory
from jaxcap.models.blocks import Mlp, Residual, Style
from jaxcap.models.product import Dense
from jaxcap.models.seen import SEEN, WEIGHTS


class DecoderBlock(nn.Module):
    """One layer: self-attention, the image, MLP.

    With fusion `cross` the image has an attention of its own; with `prefix` the memory tokens
    stand before the caption in the self-attention, and pass through the layer themselves
    (`memory`); with `merge` the layer knows the caption alone.

    With `fuses_whole` each word first meets the image as a whole (the pre-fusion of PureT, Wang et
    al., arXiv 2203.15350).
    """

    width: int
    heads: int
    mlp_width: int
    fusion: str
    style: Style
    fuses_whole: bool = False

    def setup(self) -> None:
        attention = partial(Attention, self.heads, self.style.dtype, self.style.biases, self.width)
        if self.fuses_whole:
            self.whole_residual = Residual(self.style)
            self.fuse = Dense(self.width, dtype=self.style.dtype)
        self.self_residual = Residual(self.style)
        self.self_attention = attention()
        if self.fusion == "cross":
            self.cross_residual = Residual(self.style)
            self.cross_attention = attention()
        self.mlp_residual = Residual(self.style)
        self.mlp = Mlp(self.mlp_width, self.style)

    def memory(
        self, x: Float[Array, "B S E"], mask: Bool[Array, "B S"], train: bool
    ) -> tuple[tuple[Array, Array] | None, Float[Array, "B S E"]]:
        """The keys and values of the image in this layer, and the memory for the next one."""
        if self.fusion == "merge":
            return None, x
        if self.fusion == "cross":
            return self.cross_attention.keys_values(x), x
        y = self.self_residual.enter(x)
        kv = self.self_attention.keys_values(y)
        seen = attend_memory(self.self_attention.queries(y), kv, mask)
        x = self.self_residual.leave(x, self.self_attention.merge(seen), train)
        return kv, self._think(x, train)

    def fused(
        self, x: Float[Array, "B K T D"], whole: Float[Array, "B E"], train: bool
    ) -> Float[Array, "B K T D"]:
        """The words as the layer reads them."""
        if not self.fuses_whole:
            return x
        words = self.whole_residual.enter(x)
        image = jnp.broadcast_to(whole[:, None, None], (*x.shape[:3], whole.shape[-1]))
        met = nn.relu(self.fuse(jnp.concatenate([words, image], axis=-1)))
        return self.whole_residual.leave(x, met, train)

    def own(self, x: Float[Array, "B K T D"]) -> tuple[Array, Array]:
        """Keys and values of the caption's own tokens, each [B, K, H, T, C]."""
        return self.self_attention.keys_values(self.self_residual.enter(x))

    def __call__(
        self,
        x: Float[Array, "B K T D"],
        own: tuple[Array, Array],
        own_mask: Bool[Array, "T U"],
        image: tuple[Array, Array] | None,
        image_mask: Bool[Array, "B S"],
        train: bool,
    ) -> Float[Array, "B K T D"]:
        """The layer, given the keys and values that its tokens may see (`own`, `memory`)."""
        q = self.self_attention.queries(self.self_residual.enter(x))
        before = (image, image_mask) if self.fusion == "prefix" else (None, None)
        seen, weights = attend(q, own, own_mask, *before)
        x = self.self_residual.leave(x, self.self_attention.merge(seen), train)
        if self.fusion == "cross":
            q = self.cross_attention.queries(self.cross_residual.enter(x))
            seen, weights = attend(q, None, None, image, image_mask)
            x = self.cross_residual.leave(x, self.cross_attention.merge(seen), train)
        if weights is not None:
            self.sow(SEEN, WEIGHTS, weights)
        return self._think(x, train)

    def _think(self, x: Array, train: bool) -> Array:
        return self.mlp_residual.leave(x, self.mlp(self.mlp_residual.enter(x), train), train)
