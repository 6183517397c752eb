"""Vision Transformer: patches of the image as memory (Dosovitskiy et al., arXiv 2010.11929)."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from jaxcap.errors import UserError, did_you_mean
from jaxcap.models.blocks import MemoryBlock
from jaxcap.models.dropout import Dropout
from jaxcap.models.memory import Memory, from_grid
from jaxcap.models.norm import LayerNorm
from jaxcap.models.stem import STEMS

SIZES = {  # width, depth, heads; the MLP is four times as wide
    "mini": (64, 2, 2),  # for small pictures such as the shapes; not in the paper
    "Ti": (192, 12, 3),
    "S": (384, 12, 6),
    "B": (768, 12, 12),
    "L": (1024, 24, 16),
}
POSITION_SCALE = 0.7  # of the first position table, beside patches of about unit variance


class ViT(nn.Module):
    """Pre-norm ViT without a class token; the memory is the grid of patches.

    Attributes:
      size: one of `SIZES`.
      patch: side of a patch in pixels; it must divide the image's sides.
      stem: `patches` or `convs`; see `jaxcap.models.stem`.
    """

    size: str
    patch: int = 16
    stem: str = "patches"
    dropout: float = 0.0
    dtype: str = "float32"
    remat: bool = False

    @nn.compact
    def __call__(self, image: UInt8[Array, "B h w 3"], train: bool = False) -> Memory:
        if self.size not in SIZES:
            raise UserError(
                f"There is no ViT of size {self.size!r}. {did_you_mean(self.size, SIZES)}"
            )
        if self.stem not in STEMS:
            raise UserError(f"A ViT has no stem {self.stem!r}. {did_you_mean(self.stem, STEMS)}")
        if image.shape[1] % self.patch or image.shape[2] % self.patch:
            raise UserError(
                f"An image of {image.shape[1]} x {image.shape[2]} pixels cannot be cut into "
                f"patches of {self.patch}; make data.image_size a multiple of it."
            )
        width, depth, heads = SIZES[self.size]
        x = normalize(image, self.dtype)
        x = STEMS[self.stem](width, self.patch, self.dtype, name="stem")(x)
        memory = from_grid(x)
        table = self.param("positions", lambda key: grid_positions(x.shape[1], x.shape[2], width))
        x = memory.tokens + table[None].astype(self.dtype)
        x = Dropout(self.dropout)(x, train)
        block = nn.remat(MemoryBlock, static_argnums=(3,)) if self.remat else MemoryBlock
        for i in range(depth):
            layer = block(heads, 4 * width, self.dropout, self.dtype, name=f"layer_{i}")
            x = layer(x, memory.mask, train)
        return memory.replace(tokens=LayerNorm(self.dtype, name="norm")(x))


def normalize(image: UInt8[Array, "B h w 3"], dtype: str) -> Float[Array, "B h w 3"]:
    """Pixels 0..255 to about -1..1, on the device: bytes travel, not floats."""
    return (image.astype(jnp.float32) / 127.5 - 1.0).astype(dtype)


def grid_positions(rows: int, columns: int, width: int) -> Float[Array, "{rows*columns} {width}"]:
    """Sines and cosines of a cell's row and column, from which learned positions start.

    A small data set hardly learns places from random ones (Beyer et al., arXiv 2205.01580, use
    fixed ones for the same reason).
    """
    if width % 4:
        raise UserError(f"The width of a ViT must be a multiple of 4, and {width} is not.")
    wavelength = 2.0 ** jnp.linspace(1.0, 6.0, width // 4)  # in cells, from fine to coarse
    down, across = jnp.meshgrid(jnp.arange(rows), jnp.arange(columns), indexing="ij")
    angles = [
        2 * jnp.pi * cell.reshape(-1, 1).astype(jnp.float32) / wavelength[None]
        for cell in (down, across)
    ]
    return POSITION_SCALE * jnp.concatenate([f(a) for a in angles for f in (jnp.sin, jnp.cos)], 1)
