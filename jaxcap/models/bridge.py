"""From the encoder's memory to the decoder's: width, place, dropout, and layers over the grid."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Bool

from jaxcap.errors import UserError
from jaxcap.models.blocks import MemoryBlock, Style
from jaxcap.models.dropout import Dropout
from jaxcap.models.memory import Memory
from jaxcap.models.norm import LayerNorm
from jaxcap.models.places import box_shapes
from jaxcap.models.stack import through


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
      geometry: add a dense layer of each token's box (see `box_shapes`).
      pool: the decoder is shown one token, the image as a whole.
    """

    width: int
    project: bool = True
    depth: int = 0
    heads: int = 8
    mlp_width: int = 1024
    dropout: float = 0.0
    token_dropout: float = 0.0
    positions: bool = False
    geometry: bool = False
    pool: bool = False
    norm: bool = True
    epsilon: float = 1e-6
    dtype: str = "float32"
    remat: bool = False
    scan: bool = False

    @nn.compact
    def __call__(self, memory: Memory, train: bool = False) -> Memory:
        if train and self.token_dropout:
            memory = memory.replace(mask=self._some(memory.mask))
        if self.pool:
            if memory.images > 1:
                raise UserError(
                    f"A record has {memory.images} images (data.images), and bridge.pool makes one "
                    "token of them all, in which nothing tells one from the other. Leave it out."
                )
            memory = memory.as_one()
        x, mask = memory.tokens.astype(self.dtype), memory.mask
        x = Dropout(self.dropout)(x, train)
        project = nn.Dense(self.width, dtype=self.dtype, name="project")
        if self.project:
            x = project(x)
        near = nn.initializers.normal(0.02)
        if self.positions:
            x = x + self.param("positions", near, x.shape[1:])[None].astype(self.dtype)
        if self.geometry:
            shapes = box_shapes(memory.places()).astype(self.dtype)
            x = x + nn.Dense(x.shape[-1], dtype=self.dtype, name="geometry")(shapes)
        if memory.images > 1:  # which of them a token is of
            table = self.param("images", near, (memory.images, x.shape[-1])).astype(self.dtype)
            x = x + jnp.repeat(table, x.shape[1] // memory.images, axis=0)[None]
        style = Style(dropout=self.dropout, dtype=self.dtype)
        x = through(
            [
                MemoryBlock(self.heads, self.mlp_width, style, name=f"layer_{i}")
                for i in range(self.depth)
            ],
            lambda layer, x, _: layer(x, mask, train),
            x,
            scan=self.scan,
            remat=self.remat,
        )
        norm, whole = LayerNorm(self.dtype, self.epsilon, name="norm"), memory.whole
        if whole is not None and self.project:
            whole = project(whole.astype(self.dtype))
        if self.norm:
            x, whole = norm(x), None if whole is None else norm(whole)
        return memory.replace(tokens=x, mask=mask, whole=whole)

    def _some(self, mask: Bool[Array, "B S"]) -> Bool[Array, "B S"]:
        """The real tokens without some of them; all where none would be left."""
        keep = jax.random.bernoulli(self.make_rng("dropout"), 1 - self.token_dropout, mask.shape)
        return jnp.where((mask & keep).any(axis=1, keepdims=True), mask & keep, mask)
