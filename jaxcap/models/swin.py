"""Swin Transformer: attention within windows, on a map that halves from stage to stage.

Liu et al., arXiv 2103.14030. Its cost grows with the pixels of the image and not with their
square.
"""

import flax.linen as nn
from jaxtyping import Array, Float, UInt8

from jaxcap.errors import UserError
from jaxcap.models.blocks import Style
from jaxcap.models.dropout import Dropout
from jaxcap.models.memory import Memory, from_grid
from jaxcap.models.norm import LayerNorm
from jaxcap.models.pixels import IMAGENET_MEAN, IMAGENET_STD, normalize
from jaxcap.models.sizes import settle_size
from jaxcap.models.stem import PatchStem
from jaxcap.models.windows import WindowBlock, pad_to_multiple

SIZES = {
    "T": {"width": 96, "depths": (2, 2, 6, 2), "heads": (3, 6, 12, 24)},
    "S": {"width": 96, "depths": (2, 2, 18, 2), "heads": (3, 6, 12, 24)},
    "B": {"width": 128, "depths": (2, 2, 18, 2), "heads": (4, 8, 16, 32)},
    "L": {"width": 192, "depths": (2, 2, 18, 2), "heads": (6, 12, 24, 48)},
}
EPSILON = 1e-5  # of the norms outside of layers, whatever that of the layers is


class Swin(nn.Module):
    """The map after the last stage is the memory, cell by cell; a 32nd of the image's sides.

    An image may have any resolution: what does not divide is filled up with zeros.

    Attributes:
      size: one of `SIZES`, in place of the three settings after it.
      width: of the cells of the first stage; every further one doubles it.
      depths, heads: layers and H of each stage.
      window: side of a window in cells; published are 7, for images of 224 pixels, and 12, of 384.
      patch: side of a patch in pixels, the first stage's cell.
      mlp_ratio: F / D.
      activation, epsilon, biases: see `jaxcap.models.blocks.Style`.
      mean, std: of each channel, in units of 255.
    """

    size: str = ""
    width: int = 0
    depths: tuple[int, ...] = ()
    heads: tuple[int, ...] = ()
    window: int = 7
    patch: int = 4
    mlp_ratio: float = 4.0
    activation: str = "gelu"
    epsilon: float = 1e-5
    biases: str = "qkv"
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    dropout: float = 0.0
    dtype: str = "float32"
    remat: bool = False

    def __post_init__(self) -> None:
        settle_size(self, "Swin", SIZES)
        super().__post_init__()

    @nn.compact
    def __call__(self, image: UInt8[Array, "B h w 3"], train: bool = False) -> Memory:
        if len(self.depths) != len(self.heads):
            raise UserError(
                f"A Swin has a depth and a number of heads for each stage, and not "
                f"{len(self.depths)} depths and {len(self.heads)} numbers of heads."
            )
        style = Style(
            activation=self.activation,
            epsilon=self.epsilon,
            biases=self.biases,
            dropout=self.dropout,
            dtype=self.dtype,
        )
        x = pad_to_multiple(normalize(image, self.mean, self.std).astype(self.dtype), self.patch)
        x = PatchStem(self.width, self.patch, True, self.dtype, name="stem")(x)
        x = LayerNorm(self.dtype, EPSILON, name="norm_first")(x)
        x = Dropout(self.dropout)(x, train)
        block = nn.remat(WindowBlock, static_argnums=(2,)) if self.remat else WindowBlock
        for i, (depth, heads) in enumerate(zip(self.depths, self.heads, strict=True)):
            if i > 0:
                x = Merge(self.dtype, name=f"merge_{i - 1}")(x)
            mlp_width = int(self.mlp_ratio * x.shape[-1])
            for j in range(depth):
                layer = block(
                    heads, mlp_width, self.window, j % 2 == 1, style, name=f"layer_{i}_{j}"
                )
                x = layer(x, train)
        return from_grid(LayerNorm(self.dtype, self.epsilon, name="norm_last")(x))


class Merge(nn.Module):
    """Every 2 x 2 cells become one, of twice the width."""

    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "B h w D"]) -> Float[Array, "B h2 w2 E"]:
        x = pad_to_multiple(x, 2)
        B, rows, columns, D = x.shape
        x = x.reshape(B, rows // 2, 2, columns // 2, 2, D)
        x = x.transpose(0, 1, 3, 4, 2, 5).reshape(B, rows // 2, columns // 2, 4 * D)
        x = LayerNorm(self.dtype, EPSILON, name="norm")(x)
        return nn.Dense(2 * D, use_bias=False, dtype=self.dtype, name="project")(x)
