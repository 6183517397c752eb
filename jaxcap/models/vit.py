"""Vision Transformer: patches of the image as memory (Dosovitskiy et al., arXiv 2010.11929)."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from jaxcap.models.blocks import MemoryBlock
from jaxcap.models.memory import Memory, from_grid

SIZES = {  # width, depth, heads
    "Ti": (192, 12, 3),
    "S": (384, 12, 6),
    "B": (768, 12, 12),
    "L": (1024, 24, 16),
}


class ViT(nn.Module):
    """Pre-norm ViT without a class token; the memory is the grid of patches.

    Attributes:
      width, depth, heads, mlp_width: see `SIZES`; `mlp_width` is usually four times the width.
      patch: side of a patch in pixels; it must divide the image's sides.
    """

    width: int
    depth: int
    heads: int
    mlp_width: int
    patch: int = 16
    dropout: float = 0.0
    dtype: str = "float32"
    remat: bool = False

    @nn.compact
    def __call__(self, image: UInt8[Array, "B h w 3"], train: bool = False) -> Memory:
        x = normalize(image, self.dtype)
        x = nn.Conv(
            self.width,
            (self.patch, self.patch),
            strides=self.patch,
            padding="VALID",
            dtype=self.dtype,
            name="patches",
        )(x)
        memory = from_grid(x)
        shape = (memory.tokens.shape[1], self.width)
        table = self.param("positions", nn.initializers.normal(0.02), shape)
        x = memory.tokens + table[None].astype(self.dtype)
        x = nn.Dropout(self.dropout)(x, deterministic=not train)
        block = nn.remat(MemoryBlock, static_argnums=(3,)) if self.remat else MemoryBlock
        for i in range(self.depth):
            layer = block(self.heads, self.mlp_width, self.dropout, self.dtype, name=f"layer_{i}")
            x = layer(x, memory.mask, train)
        return memory.replace(tokens=nn.LayerNorm(dtype=self.dtype, name="norm")(x))


def normalize(image: UInt8[Array, "B h w 3"], dtype: str) -> Float[Array, "B h w 3"]:
    """Pixels 0..255 to about -1..1, on the device: bytes travel, not floats."""
    return (image.astype(jnp.float32) / 127.5 - 1.0).astype(dtype)
