"""A convolution and its batch norm, the layer that convolutional networks are made of."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class ConvNorm(nn.Module):
    """A convolution, then batch norm (Ioffe and Szegedy, arXiv 1502.03167).

    The norm is by the statistics that came with the weights, in training too: the batches of
    captioning are too small for others. It is in float32 whatever the convolution is in.

    Attributes:
      features: D.
      kernel: its side in cells, or its height and width.
      stride: in cells.
      dtype: of the convolution and of what comes out.
      depthwise: each channel has its own kernel.
      padding: "same", "symmetric" or "valid"; see `pads`.
      epsilon: of the norm; frameworks have different ones.
      conv_bias: the convolution has one, although the norm's mean would do.
    """

    features: int
    kernel: int | tuple[int, int]
    stride: int
    dtype: str
    depthwise: bool = False
    padding: str = "same"
    epsilon: float = 1e-3
    conv_bias: bool = False

    @nn.compact
    def __call__(self, x: Float[Array, "B h w C"]) -> Float[Array, "B h2 w2 D"]:
        """The sides are divided by the stride and rounded up, but for "valid"."""
        per_feature = (self.features,)
        inputs = 1 if self.depthwise else x.shape[-1]
        init = nn.initializers.variance_scaling(2.0, "fan_out", "normal")
        sides = (self.kernel, self.kernel) if isinstance(self.kernel, int) else self.kernel
        kernel = self.param("kernel", init, (*sides, inputs, self.features))
        scale = self.param("scale", nn.initializers.ones, per_feature)
        bias = self.param("bias", nn.initializers.zeros, per_feature)
        mean = self.variable("batch_stats", "mean", jnp.zeros, per_feature)
        var = self.variable("batch_stats", "var", jnp.ones, per_feature)
        convolution = depthwise if self.depthwise else convolve
        y = convolution(x, kernel.astype(self.dtype), self.stride, self.padding)
        y = y.astype(jnp.float32)
        if self.conv_bias:
            y = y + self.param("conv_bias", nn.initializers.zeros, per_feature)[None, None, None]
        gain = scale * jax.lax.rsqrt(var.value + self.epsilon)
        shift = bias - mean.value * gain
        return (y * gain[None, None, None] + shift[None, None, None]).astype(self.dtype)


def pads(
    size: tuple[int, ...], kernel: tuple[int, ...], stride: int, padding: str
) -> list[tuple[int, int]]:
    """Zeros (before, after) along height and width.

    For ceil(size / stride) outputs: where the stride leaves an odd number of them, TensorFlow has
    one more after than before ("same"); PyTorch's networks have as many on both sides
    ("symmetric"), and so look at other pixels. A "valid" convolution has none.
    """
    if padding == "symmetric":
        return [(side // 2, side // 2) for side in kernel]
    return jax.lax.padtype_to_pads(size, kernel, (stride, stride), padding.upper())


def convolve(
    x: Float[Array, "B h w C"], kernel: Float[Array, "m n I D"], stride: int, padding: str
) -> Float[Array, "B h2 w2 D"]:
    """Convolution in groups of I channels; 1 x 1 as the product it is."""
    if kernel.shape == (1, 1, x.shape[-1], kernel.shape[-1]) and stride == 1:
        return x @ kernel[0, 0]
    return jax.lax.conv_general_dilated(
        x,
        kernel,
        (stride, stride),
        pads(x.shape[1:3], kernel.shape[:2], stride, padding),
        dimension_numbers=("NHWC", "HWIO", "NHWC"),
        feature_group_count=x.shape[-1] // kernel.shape[2],
    )


def shifted_products(
    x: Float[Array, "B h w C"], kernel: Float[Array, "m n 1 C"], stride: int, padding: str
) -> Float[Array, "B h2 w2 C"]:
    """Depthwise convolution as a sum of m x n shifted products."""
    m, n = kernel.shape[:2]
    x = jnp.pad(x, ((0, 0), *pads(x.shape[1:3], (m, n), stride, padding), (0, 0)))
    rows, columns = (x.shape[1] - m) // stride + 1, (x.shape[2] - n) // stride + 1
    total = jnp.zeros((x.shape[0], rows, columns, x.shape[3]), x.dtype)
    for i in range(m):
        for j in range(n):
            window = x[:, i : i + stride * rows : stride, j : j + stride * columns : stride]
            total = total + window * kernel[i : i + 1, j : j + 1]
    return total


def depthwise(
    x: Float[Array, "B h w C"], kernel: Float[Array, "m n 1 C"], stride: int, padding: str
) -> Float[Array, "B h2 w2 C"]:
    """Each channel by its own kernel; XLA's convolution is slow at this on CPUs only."""
    return jax.lax.platform_dependent(
        x,
        kernel,
        cpu=lambda x, kernel: shifted_products(x, kernel, stride, padding),
        default=lambda x, kernel: convolve(x, kernel, stride, padding),
    )
