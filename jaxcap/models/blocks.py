"""The Transformer layers: one for memory tokens, one for captions, and the MLP of both."""

from functools import partial

import flax.linen as nn
from jaxtyping import Array, Bool, Float

from jaxcap.models.attention import Attention, attend
from jaxcap.models.dropout import Dropout
from jaxcap.models.norm import LayerNorm


class Mlp(nn.Module):
    """Two dense layers with GELU between them."""

    mlp_width: int
    dropout: float
    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "... D"], train: bool) -> Float[Array, "... D"]:
        dense = partial(nn.Dense, dtype=self.dtype, kernel_init=nn.initializers.xavier_uniform())
        y = nn.gelu(dense(self.mlp_width, name="up")(x))
        y = Dropout(self.dropout)(y, train)
        return dense(x.shape[-1], name="down")(y)


class MemoryBlock(nn.Module):
    """Pre-norm Transformer layer over the tokens of an image; every real token sees every other."""

    heads: int
    mlp_width: int
    dropout: float
    dtype: str

    @nn.compact
    def __call__(
        self, x: Float[Array, "B S D"], mask: Bool[Array, "B S"], train: bool
    ) -> Float[Array, "B S D"]:
        drop = Dropout(self.dropout)
        attention = Attention(self.heads, self.dtype, name="attention")
        y = LayerNorm(self.dtype, name="attention_norm")(x)
        seen = attend(attention.queries(y)[:, None], None, None, attention.keys_values(y), mask)
        x = x + drop(attention.merge(seen[:, 0]), train)
        y = LayerNorm(self.dtype, name="mlp_norm")(x)
        return x + drop(Mlp(self.mlp_width, self.dropout, self.dtype, name="mlp")(y, train), train)
