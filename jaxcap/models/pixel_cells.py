"""From pixels to a grid of cells and back, by convolutions: both halves of an autoencoder."""

import flax.linen as nn
from jaxtyping import Array, Float

from jaxcap.models.norm import LayerNorm
from jaxcap.models.stem import ConvStem


class PixelsToCells(nn.Module):
    """A stem of convolutions, then layers over the cells.

    Attributes:
      width: D; `patch` must divide it.
      patch: side of a cell in pixels, a power of two.
      depth: layers over the cells.
    """

    width: int
    patch: int
    depth: int
    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "B h w 3"]) -> Float[Array, "B rows columns D"]:
        x = ConvStem(self.width, self.patch, True, self.dtype, name="stem")(x.astype(self.dtype))
        for i in range(self.depth):
            x = ConvLayer(self.dtype, name=f"layer_{i}")(x)
        return LayerNorm(self.dtype, name="norm")(x)


class CellsToPixels(nn.Module):
    """The same backwards: layers over the cells, then a convolution for each doubling of the map.

    A convolution writes the four cells that each one becomes next to one another (Shi et al.,
    arXiv 1609.05158), at half the map's sides; the last one writes the channels of the pixels.
    """

    width: int
    patch: int
    depth: int
    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "B rows columns D"]) -> Float[Array, "B h w 3"]:
        x = nn.Conv(self.width, (3, 3), dtype=self.dtype, name="cells")(x.astype(self.dtype))
        for i in range(self.depth):
            x = ConvLayer(self.dtype, name=f"layer_{i}")(x)
        doublings = self.patch.bit_length() - 1
        for i in range(doublings):
            x = nn.gelu(LayerNorm(self.dtype, name=f"norm_{i}")(x))
            features = self.width >> (i + 1) if i < doublings - 1 else 3
            conv = nn.Conv(4 * features, (3, 3), dtype=self.dtype, name=f"conv_{i}")
            x = doubled(conv(x))
        return x


class ConvLayer(nn.Module):
    """Two convolutions of 3 x 3 behind a norm each, added to what they read."""

    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "B h w D"]) -> Float[Array, "B h w D"]:
        y = x
        for i in range(2):
            y = nn.gelu(LayerNorm(self.dtype, name=f"norm_{i}")(y))
            y = nn.Conv(x.shape[-1], (3, 3), dtype=self.dtype, name=f"conv_{i}")(y)
        return x + y


def doubled(x: Float[Array, "B h w D"]) -> Float[Array, "B 2*h 2*w D//4"]:
    """Each cell as 2 x 2 cells of a fourth of its numbers, row by row."""
    B, h, w, D = x.shape
    x = x.reshape(B, h, w, 2, 2, D // 4).transpose(0, 1, 3, 2, 4, 5)
    return x.reshape(B, 2 * h, 2 * w, D // 4)
