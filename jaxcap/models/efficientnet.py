"""EfficientNet-lite: a convolutional encoder that is cheap on every device.

Tan and Le, arXiv 1905.11946; the lite variants (no squeeze-and-excitation, ReLU6 for swish, stem
and head not scaled) are from github.com/tensorflow/tpu, models/official/efficientnet/lite.
"""

import math

import flax.linen as nn
from jaxtyping import Array, Float, UInt8

from jaxcap.errors import UserError
from jaxcap.models.conv_norm import ConvNorm
from jaxcap.models.memory import Memory, from_grid
from jaxcap.models.pixels import normalize

RESOLUTIONS = {0: 224, 1: 240, 2: 260}  # pixels a side that each variant was trained at
SCALES = {0: (1.0, 1.0), 1: (1.0, 1.1), 2: (1.1, 1.2)}  # width, depth
STAGES = (  # repeats, kernel, stride, expansion, features; before scaling
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
STEM, HEAD, CLASSES = 32, 1280, 1000


class EfficientNetLite(nn.Module):
    """The last feature map is the memory, cell by cell: a 32nd of the image's sides, 1280 features.

    Attributes:
      variant: 0, 1 or 2; see `RESOLUTIONS`.
      mean, std: of each channel, in units of 255.
      dtype: of the computation; the parameters are float32.
    """

    variant: int = 0
    mean: tuple[float, ...] = (127 / 255,) * 3
    std: tuple[float, ...] = (128 / 255,) * 3
    dtype: str = "float32"

    def setup(self):
        self.stem = ConvNorm(STEM, 3, 2, self.dtype)
        self.blocks = [Block(*args, self.dtype) for args in block_args(self.variant)]
        self.head = ConvNorm(HEAD, 1, 1, self.dtype)
        self.classifier = nn.Dense(CLASSES, dtype=self.dtype)

    def __call__(self, image: UInt8[Array, "B h w 3"], train: bool = False) -> Memory:
        return from_grid(self.grid(normalize(image, self.mean, self.std)))

    def grid(self, image: Float[Array, "B h w 3"]) -> Float[Array, "B h2 w2 1280"]:
        """The map; `image` is normalised."""
        x = nn.relu6(self.stem(image.astype(self.dtype)))
        for block in self.blocks:
            x = block(x)
        return nn.relu6(self.head(x))

    def logits(self, image: Float[Array, "B h w 3"]) -> Float[Array, "B 1000"]:
        """Scores of the ImageNet classes."""
        return self.classifier(self.grid(image).mean((1, 2)))


class Block(nn.Module):
    """Expand, filter every channel in space, project; with a shortcut where shapes allow."""

    features: int
    kernel: int
    stride: int
    expansion: int
    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "B h w C"]) -> Float[Array, "B h2 w2 D"]:
        y, channels = x, x.shape[-1] * self.expansion
        if self.expansion > 1:
            y = nn.relu6(ConvNorm(channels, 1, 1, self.dtype, name="expand")(y))
        spatial = (self.kernel, self.stride, self.dtype)
        y = nn.relu6(ConvNorm(channels, *spatial, depthwise=True, name="depthwise")(y))
        y = ConvNorm(self.features, 1, 1, self.dtype, name="project")(y)
        return x + y if x.shape == y.shape else y


def block_args(variant: int) -> list[tuple[int, int, int, int]]:
    """(features, kernel, stride, expansion) of every block of the variant."""
    if variant not in SCALES:
        raise UserError(
            f"There is no EfficientNet-lite{variant} here; model.encoder.variant is one of "
            f"{', '.join(map(str, SCALES))}."
        )
    width, depth = SCALES[variant]
    blocks = []
    for stage, (repeats, kernel, stride, expansion, features) in enumerate(STAGES):
        if stage not in (0, len(STAGES) - 1):
            repeats = math.ceil(repeats * depth)
        for i in range(repeats):
            blocks.append((round_to_8(features * width), kernel, 1 if i else stride, expansion))
    return blocks


def round_to_8(features: float) -> int:
    """The nearest multiple of 8, or the next where the nearest loses more than a tenth."""
    rounded = max(8, int(features + 4) // 8 * 8)
    return rounded if rounded >= 0.9 * features else rounded + 8
