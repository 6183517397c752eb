"""EfficientNet-lite: a convolutional encoder that is cheap on every device.

Tan and Le, arXiv 1905.11946; the lite variants (no squeeze-and-excitation, ReLU6 for swish, stem
and head not scaled) are from github.com/tensorflow/tpu, models/official/efficientnet/lite.
"""

import math

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float

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
MOMENTUM, EPSILON = 0.99, 1e-3  # of the batch norms


class EfficientNetLite(nn.Module):
    """The network up to its last feature map: a 32nd of the image's sides, 1280 features.

    Attributes:
      variant: 0, 1 or 2; see `RESOLUTIONS`.
      dtype: of the computation; the parameters are float32.
    """

    variant: int
    dtype: str = "float32"

    def setup(self):
        self.stem = ConvNorm(STEM, 3, 2, self.dtype)
        self.blocks = [Block(*args, self.dtype) for args in block_args(self.variant)]
        self.head = ConvNorm(HEAD, 1, 1, self.dtype)
        self.classifier = nn.Dense(CLASSES, dtype=self.dtype)

    def __call__(
        self, image: Float[Array, "B h w 3"], train: bool = False
    ) -> Float[Array, "B h2 w2 1280"]:
        """The grid; `image` is (pixel - 127) / 128. Training updates `batch_stats`."""
        x = nn.relu6(self.stem(image.astype(self.dtype), train))
        for block in self.blocks:
            x = block(x, train)
        return nn.relu6(self.head(x, train))

    def logits(self, image: Float[Array, "B h w 3"], train: bool = False) -> Float[Array, "B 1000"]:
        """Scores of the ImageNet classes."""
        return self.classifier(self(image, train).mean((1, 2)))


class Block(nn.Module):
    """Expand, filter every channel in space, project; with a shortcut where shapes allow."""

    features: int
    kernel: int
    stride: int
    expansion: int
    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "B h w C"], train: bool) -> Float[Array, "B h2 w2 D"]:
        y, channels = x, x.shape[-1] * self.expansion
        if self.expansion > 1:
            y = nn.relu6(ConvNorm(channels, 1, 1, self.dtype, name="expand")(y, train))
        spatial = (self.kernel, self.stride, self.dtype)
        y = nn.relu6(ConvNorm(channels, *spatial, depthwise=True, name="depthwise")(y, train))
        y = ConvNorm(self.features, 1, 1, self.dtype, name="project")(y, train)
        return x + y if x.shape == y.shape else y


class ConvNorm(nn.Module):
    """A convolution without bias, then batch norm (Ioffe and Szegedy, arXiv 1502.03167).

    The norm is by the running statistics, or, training, by those of the batch, which the running
    ones then follow. It is in float32 whatever the convolution is in.
    """

    features: int
    kernel: int
    stride: int
    dtype: str
    depthwise: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "B h w C"], train: bool) -> Float[Array, "B h2 w2 D"]:
        per_feature = (self.features,)
        inputs = 1 if self.depthwise else x.shape[-1]
        init = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
        kernel = self.param("kernel", init, (self.kernel, self.kernel, inputs, self.features))
        scale = self.param("scale", nn.initializers.ones, per_feature)
        bias = self.param("bias", nn.initializers.zeros, per_feature)
        mean = self.variable("batch_stats", "mean", jnp.zeros, per_feature)
        var = self.variable("batch_stats", "var", jnp.ones, per_feature)
        convolution = depthwise if self.depthwise else convolve
        y = convolution(x, kernel.astype(self.dtype), self.stride).astype(jnp.float32)
        if train:
            used_mean, used_var = y.mean((0, 1, 2)), y.var((0, 1, 2))
            if not self.is_initializing():
                mean.value = MOMENTUM * mean.value + (1 - MOMENTUM) * used_mean
                var.value = MOMENTUM * var.value + (1 - MOMENTUM) * used_var
        else:
            used_mean, used_var = mean.value, var.value
        gain = scale * jax.lax.rsqrt(used_var + EPSILON)
        shift = bias - used_mean * gain
        return (y * gain[None, None, None] + shift[None, None, None]).astype(self.dtype)


def block_args(variant: int) -> list[tuple[int, int, int, int]]:
    """(features, kernel, stride, expansion) of every block of the variant."""
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


def convolve(
    x: Float[Array, "B h w C"], kernel: Float[Array, "k k I D"], stride: int
) -> Float[Array, "B h2 w2 D"]:
    """Convolution with "SAME" padding, in groups of I channels; 1 x 1 as the product it is."""
    if kernel.shape == (1, 1, x.shape[-1], kernel.shape[-1]) and stride == 1:
        return x @ kernel[0, 0]
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        "SAME",
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1] // kernel.shape[2],
    )


def shifted_products(
    x: Float[Array, "B h w C"], kernel: Float[Array, "k k 1 C"], stride: int
) -> Float[Array, "B h2 w2 C"]:
    """Depthwise convolution as a sum of k x k shifted products."""
    size = kernel.shape[0]
    pads = jax.lax.padtype_to_pads(x.shape[1:3], (size, size), (stride, stride), "SAME")
    rows, columns = -(-x.shape[1] // stride), -(-x.shape[2] // stride)
    x = jnp.pad(x, ((0, 0), *pads, (0, 0)))
    total = jnp.zeros((x.shape[0], rows, columns, x.shape[3]), x.dtype)
    for i in range(size):
        for j in range(size):
            window = x[:, i : i + stride * rows : stride, j : j + stride * columns : stride]
            total = total + window * kernel[i : i + 1, j : j + 1]
    return total


def depthwise(
    x: Float[Array, "B h w C"], kernel: Float[Array, "k k 1 C"], stride: int
) -> Float[Array, "B h2 w2 C"]:
    """Each channel by its own kernel; XLA's convolution is slow at this on CPUs only."""
    return jax.lax.platform_dependent(
        x,
        kernel,
        cpu=lambda x, kernel: shifted_products(x, kernel, stride),
        default=lambda x, kernel: convolve(x, kernel, stride),
    )
