"""The first layers of a ViT: from pixels to a grid of cells, `patch` pixels a side each."""

import flax.linen as nn
from jaxtyping import Array, Float

from jaxcap.errors import UserError
from jaxcap.models.norm import LayerNorm


class PatchStem(nn.Module):
    """One product a patch (Dosovitskiy et al., arXiv 2010.11929)."""

    width: int
    patch: int
    bias: bool
    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "B h w 3"]) -> Float[Array, "B rows columns D"]:
        window = (self.patch, self.patch)
        return nn.Conv(
            self.width,
            window,
            window,
            padding="VALID",
            use_bias=self.bias,
            dtype=self.dtype,
            name="patches",
        )(x)


class ConvStem(nn.Module):
    """A 3 x 3 convolution for each halving of the image, and one over the cells.

    Xiao et al., arXiv 2106.14881: it learns sooner, from few images or in few steps. The cells
    see a little of their neighbours.
    """

    width: int
    patch: int
    bias: bool
    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "B h w 3"]) -> Float[Array, "B rows columns D"]:
        halvings = self.patch.bit_length() - 1
        if self.patch != 1 << halvings or self.width % self.patch:
            raise UserError(
                f"A stem of convolutions halves the image: its patch must be a power of two that "
                f"divides the width, and {self.patch} is not (width {self.width})."
            )
        for i in range(halvings):
            features = self.width >> (halvings - 1 - i)
            conv = nn.Conv(features, (3, 3), strides=2, dtype=self.dtype, name=f"conv_{i}")
            x = nn.gelu(LayerNorm(self.dtype, name=f"norm_{i}")(conv(x)))
        return nn.Conv(self.width, (3, 3), use_bias=self.bias, dtype=self.dtype, name="patches")(x)


STEMS = {"patches": PatchStem, "convs": ConvStem}
