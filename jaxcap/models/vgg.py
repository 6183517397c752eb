"""VGG: 3 x 3 convolutions, one after the other (Simonyan and Zisserman, arXiv 1409.1556)."""

import flax.linen as nn
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from jaxcap.errors import UserError
from jaxcap.models.memory import Memory, from_grid
from jaxcap.models.pixels import IMAGENET_MEAN, IMAGENET_STD, normalize


class VGG16(nn.Module):
    """The last convolution's map is the memory, cell by cell: a 16th of the image's sides.

    It is the map that Show, Attend and Tell attends to (Xu et al., arXiv 1502.03044), 14 x 14 x 512
    of an image of 224 pixels. The defaults are the 16 layers of the name, without its classifier.

    Attributes:
      widths, depths: features and convolutions of each stage; all but the first halve the map.
      last_pool: halve it once more after the last stage, as Keras does without `include_top`.
      mean, std: of each channel, in units of 255.
    """

    widths: tuple[int, ...] = (64, 128, 256, 512, 512)
    depths: tuple[int, ...] = (2, 2, 3, 3, 3)
    last_pool: bool = False
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    dtype: str = "float32"
    remat: bool = False

    @nn.compact
    def __call__(self, image: UInt8[Array, "B h w 3"], train: bool = False) -> Memory:
        if len(self.widths) != len(self.depths):
            raise UserError(
                f"A VGG has a width and a depth for each stage, and not {len(self.widths)} widths "
                f"and {len(self.depths)} depths."
            )
        halvings = len(self.widths) - 1 + self.last_pool
        if min(image.shape[1:3]) >> halvings == 0:
            raise UserError(
                f"This VGG halves an image {halvings} times: it needs {2**halvings} pixels a side "
                f"at least, and not {image.shape[1]} x {image.shape[2]} (data.image_size)."
            )
        x = normalize(image, self.mean, self.std).astype(self.dtype)
        stage = nn.remat(Stage) if self.remat else Stage
        for i, (width, depth) in enumerate(zip(self.widths, self.depths, strict=True)):
            x = halved(x) if i else x
            x = stage(width, depth, self.dtype, name=f"stage_{i}")(x)
        return from_grid(halved(x) if self.last_pool else x)


class Stage(nn.Module):
    """Convolutions of one width."""

    features: int
    depth: int
    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "B h w C"]) -> Float[Array, "B h w D"]:
        for i in range(self.depth):
            init = nn.initializers.he_normal()
            x = nn.relu(
                nn.Conv(
                    self.features, (3, 3), dtype=self.dtype, kernel_init=init, name=f"conv_{i}"
                )(x)
            )
        return x


def halved(x: Float[Array, "B h w D"]) -> Float[Array, "B h2 w2 D"]:
    """The greatest of every 2 x 2 cells; an odd row or column at the end is left out.

    Of slices and not of windows: on a CPU XLA takes twenty times as long for the gradient of the
    latter, and jaxlib 0.12 gets the bfloat16 convolutions behind them wrong.
    """
    height, width = x.shape[1] // 2 * 2, x.shape[2] // 2 * 2
    rows = jnp.maximum(x[:, :height:2, :width], x[:, 1:height:2, :width])
    return jnp.maximum(rows[:, :, ::2], rows[:, :, 1::2])
