"""From the encoder's memory to the decoder's: width, place, dropout, and layers over the grid."""

import flax.linen as nn
import jax

from jaxcap.models.blocks import MemoryBlock, Style
from jaxcap.models.dropout import Dropout
from jaxcap.models.memory import Memory
from jaxcap.models.norm import LayerNorm


class Bridge(nn.Module):
    """The trained part between a (perhaps frozen) encoder and the decoder.

    Attributes:
      width: the decoder's width.
      project: a dense layer to that width comes first; without it the memory keeps its own, and
        the decoder's attention reads it as it is.
      depth: Transformer layers over the memory tokens.
      heads, mlp_width: of those layers.
      norm: the memory is normed at the end, with `epsilon`.
      dropout: on the input features and inside the layers.
      token_dropout: share of the memory tokens hidden from the caption in training. It keeps a
        small data set from being recognised by single cells of a frozen grid.
      positions: add a learned vector per memory position (an encoder without places, as a CNN).
    """

    width: int
    project: bool = True
    depth: int = 0
    heads: int = 8
    mlp_width: int = 1024
    dropout: float = 0.0
    token_dropout: float = 0.0
    positions: bool = False
    norm: bool = True
    epsilon: float = 1e-6
    dtype: str = "float32"
    remat: bool = False

    @nn.compact
    def __call__(self, memory: Memory, train: bool = False) -> Memory:
        x, mask = memory.tokens.astype(self.dtype), memory.mask
        x = Dropout(self.dropout)(x, train)
        if self.project:
            x = nn.Dense(self.width, dtype=self.dtype, name="project")(x)
        if self.positions:
            table = self.param("positions", nn.initializers.normal(0.02), x.shape[1:])
            x = x + table[None].astype(self.dtype)
        if train and self.token_dropout:
            keep = jax.random.bernoulli(
                self.make_rng("dropout"), 1 - self.token_dropout, mask.shape
            )
            mask = mask & keep
        block = nn.remat(MemoryBlock, static_argnums=(3,)) if self.remat else MemoryBlock
        style = Style(dropout=self.dropout, dtype=self.dtype)
        for i in range(self.depth):
            x = block(self.heads, self.mlp_width, style, name=f"layer_{i}")(x, mask, train)
        if self.norm:
            x = LayerNorm(self.dtype, self.epsilon, name="norm")(x)
        return memory.replace(tokens=x, mask=mask)
