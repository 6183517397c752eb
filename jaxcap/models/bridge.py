"""From the encoder's memory to the decoder's: width, place, dropout, and layers over the grid."""

import flax.linen as nn
import jax

from jaxcap.models.blocks import MemoryBlock
from jaxcap.models.dropout import Dropout
from jaxcap.models.memory import Memory
from jaxcap.models.norm import LayerNorm


class Bridge(nn.Module):
    """The trained part between a (perhaps frozen) encoder and the decoder.

    Attributes:
      width: the decoder's width.
      depth: Transformer layers over the memory tokens; with 0 the bridge is one projection.
      heads, mlp_width: of those layers.
      dropout: on the input features and inside the layers.
      token_dropout: share of the memory tokens hidden from the caption in training. It keeps a
        small data set from being recognised by single cells of a frozen grid.
      positions: add a learned vector per memory position (an encoder without places, as a CNN).
    """

    width: int
    depth: int = 0
    heads: int = 8
    mlp_width: int = 1024
    dropout: float = 0.0
    token_dropout: float = 0.0
    positions: bool = False
    dtype: str = "float32"
    remat: bool = False

    @nn.compact
    def __call__(self, memory: Memory, train: bool = False) -> Memory:
        x, mask = memory.tokens.astype(self.dtype), memory.mask
        x = Dropout(self.dropout)(x, train)
        x = nn.Dense(self.width, dtype=self.dtype, name="project")(x)
        if self.positions:
            table = self.param("positions", nn.initializers.normal(0.02), (x.shape[1], self.width))
            x = x + table[None].astype(self.dtype)
        if train and self.token_dropout:
            keep = jax.random.bernoulli(
                self.make_rng("dropout"), 1 - self.token_dropout, mask.shape
            )
            mask = mask & keep
        block = nn.remat(MemoryBlock, static_argnums=(3,)) if self.remat else MemoryBlock
        for i in range(self.depth):
            layer = block(self.heads, self.mlp_width, self.dropout, self.dtype, name=f"layer_{i}")
            x = layer(x, mask, train)
        x = LayerNorm(self.dtype, name="norm")(x)
        return Memory(x, mask)
