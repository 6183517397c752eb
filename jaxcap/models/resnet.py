"""ResNet: convolutions that add to what they read (He et al., arXiv 1512.03385)."""

from collections.abc import Callable
from functools import partial

import flax.linen as nn
from jaxtyping import Array, Float, UInt8

from jaxcap.errors import UserError, did_you_mean
from jaxcap.models.conv_norm import ConvNorm
from jaxcap.models.memory import Memory, from_grid
from jaxcap.models.pixels import IMAGENET_MEAN, IMAGENET_STD, normalize
from jaxcap.models.sizes import settle_size

NARROW, WIDE = (64, 128, 256, 512), (256, 512, 1024, 2048)
SIZES = {  # in layers with parameters, as the paper counts
    "18": {"layer": "basic", "widths": NARROW, "depths": (2, 2, 2, 2)},
    "34": {"layer": "basic", "widths": NARROW, "depths": (3, 4, 6, 3)},
    "50": {"layer": "bottleneck", "widths": WIDE, "depths": (3, 4, 6, 3)},
    "101": {"layer": "bottleneck", "widths": WIDE, "depths": (3, 4, 23, 3)},
    "152": {"layer": "bottleneck", "widths": WIDE, "depths": (3, 8, 36, 3)},
}
LAYERS = ("basic", "bottleneck")
NARROWER = 4  # times, a bottleneck inside
AROUND = ((1, 1), (1, 1))  # of the pooling


class ResNet(nn.Module):
    """The last feature map is the memory, cell by cell; a 32nd of the image's sides with 4 stages.

    Attributes:
      size: one of `SIZES`, in place of the three settings after it.
      layer: "basic" (two convolutions of 3 x 3) or "bottleneck" (one, between two of 1 x 1).
      widths, depths: features and layers of each stage; all but the first halve the map.
      stem: features of the first convolution.
      halve_first: the first stage halves the map too.
      halve_early: bottlenecks halve it in their first convolution, as in the paper, and not in
        their second (the better "v1.5").
      epsilon: of the norms.
      conv_bias: convolutions have one before their norm, as Keras's do.
      mean, std: of each channel, in units of 255.
    """

    size: str = ""
    layer: str = ""
    widths: tuple[int, ...] = ()
    depths: tuple[int, ...] = ()
    stem: int = 64
    halve_first: bool = False
    halve_early: bool = False
    epsilon: float = 1e-5
    conv_bias: bool = False
    mean: tuple[float, ...] = IMAGENET_MEAN
    std: tuple[float, ...] = IMAGENET_STD
    dtype: str = "float32"
    remat: bool = False

    def __post_init__(self) -> None:
        settle_size(self, "ResNet", SIZES)
        super().__post_init__()

    @nn.compact
    def __call__(self, image: UInt8[Array, "B h w 3"], train: bool = False) -> Memory:
        self._check()
        x = normalize(image, self.mean, self.std).astype(self.dtype)
        conv_norm = partial(
            ConvNorm,
            dtype=self.dtype,
            padding="symmetric",
            epsilon=self.epsilon,
            conv_bias=self.conv_bias,
        )
        x = nn.relu(conv_norm(self.stem, 7, 2, name="stem")(x))
        x = nn.max_pool(x, (3, 3), (2, 2), AROUND)
        layer = nn.remat(Layer) if self.remat else Layer
        for i, (width, depth) in enumerate(zip(self.widths, self.depths, strict=True)):
            for j in range(depth):
                stride = 2 if j == 0 and (i > 0 or self.halve_first) else 1
                name = f"layer_{i}_{j}"
                x = layer(width, stride, self.layer, self.halve_early, conv_norm, name=name)(x)
        return from_grid(x)

    def _check(self) -> None:
        if self.layer not in LAYERS:
            raise UserError(
                f"A ResNet has no layer {self.layer!r}. {did_you_mean(self.layer, LAYERS)}"
            )
        if len(self.widths) != len(self.depths):
            raise UserError(
                f"A ResNet has a width and a depth for each stage, and not {len(self.widths)} "
                f"widths and {len(self.depths)} depths."
            )


class Layer(nn.Module):
    """Convolutions, added to what they read; that is projected where its shape differs."""

    features: int
    stride: int
    kind: str
    halve_early: bool
    conv_norm: Callable[..., ConvNorm]

    @nn.compact
    def __call__(self, x: Float[Array, "B h w C"]) -> Float[Array, "B h2 w2 D"]:
        y = x
        for i, convolution in enumerate(self._convolutions):
            y = nn.relu(y) if i else y
            y = self.conv_norm(*convolution, name=f"conv_{i}")(y)
        if x.shape[-1] != self.features or self.stride > 1:
            x = self.conv_norm(self.features, 1, self.stride, name="shortcut")(x)
        return nn.relu(x + y)

    @property
    def _convolutions(self) -> list[tuple[int, int, int]]:
        """(features, kernel, stride) of each."""
        if self.kind == "basic":
            return [(self.features, 3, self.stride), (self.features, 3, 1)]
        narrow = self.features // NARROWER
        first, second = (self.stride, 1) if self.halve_early else (1, self.stride)
        return [(narrow, 1, first), (narrow, 3, second), (self.features, 1, 1)]
