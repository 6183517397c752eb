"""Inception-v3: each block reads its map at several scales (Szegedy et al., arXiv 1512.00567)."""

from itertools import chain, count
from typing import NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

from jaxcap.errors import UserError
from jaxcap.models.conv_norm import ConvNorm
from jaxcap.models.memory import Memory, from_grid
from jaxcap.models.pixels import normalize

LEAST = 75  # pixels a side; the last map of a smaller image would have no cells


class Conv(NamedTuple):
    """A convolution with its norm; `padding` as in `jaxcap.models.conv_norm`."""

    features: int
    height: int = 1
    width: int = 1
    stride: int = 1
    padding: str = "same"


class Fork(NamedTuple):
    """Two convolutions of the same map, side by side."""

    across: Conv
    down: Conv


AVERAGE, MAX = "average", "max"  # pooling of 3 x 3 cells; by the greatest, it halves the map
Branch = tuple[Conv | Fork | str, ...]


def wide(pooled: int) -> tuple[Branch, ...]:
    """The paper's figure 5, with 5 x 5 in one."""
    return (
        (Conv(64),),
        (Conv(48), Conv(64, 5, 5)),
        (Conv(64), Conv(96, 3, 3), Conv(96, 3, 3)),
        (AVERAGE, Conv(pooled)),
    )


def factored(inner: int) -> tuple[Branch, ...]:
    """Figure 6: 7 x 7 as 1 x 7 and 7 x 1."""
    across, down = Conv(inner, 1, 7), Conv(inner, 7, 1)
    return (
        (Conv(192),),
        (Conv(inner), across, Conv(192, 7, 1)),
        (Conv(inner), down, across, down, Conv(192, 1, 7)),
        (AVERAGE, Conv(192)),
    )


def halving(features: int) -> Conv:
    """3 x 3 on every second cell."""
    return Conv(features, 3, 3, 2, "valid")


FORK = Fork(Conv(384, 1, 3), Conv(384, 3, 1))
FORKED: tuple[Branch, ...] = (  # figure 7
    (Conv(320),),
    (Conv(384), FORK),
    (Conv(448), Conv(384, 3, 3), FORK),
    (AVERAGE, Conv(192)),
)
BLOCKS: dict[str, tuple[Branch, ...]] = {
    "stem": (
        (
            halving(32),
            Conv(32, 3, 3, padding="valid"),
            Conv(64, 3, 3),
            MAX,
            Conv(80),
            Conv(192, 3, 3, padding="valid"),
            MAX,
        ),
    ),
    "mixed_0": wide(32),
    "mixed_1": wide(64),
    "mixed_2": wide(64),
    "mixed_3": ((halving(384),), (Conv(64), Conv(96, 3, 3), halving(96)), (MAX,)),
    "mixed_4": factored(128),
    "mixed_5": factored(160),
    "mixed_6": factored(160),
    "mixed_7": factored(192),
    "mixed_8": (
        (Conv(192), halving(320)),
        (Conv(192), Conv(192, 1, 7), Conv(192, 7, 1), halving(192)),
        (MAX,),
    ),
    "mixed_9": FORKED,
    "mixed_10": FORKED,
}


class InceptionV3(nn.Module):
    """The last map is the memory, cell by cell: 8 x 8 x 2048 of an image of 299 pixels.

    Attributes:
      zeros_count: average pooling counts the zeros around the map, as in PyTorch's, and not only
        the cells that there are, as in TensorFlow's.
      mean, std: of each channel, in units of 255.
    """

    zeros_count: bool = False
    mean: tuple[float, ...] = (0.5, 0.5, 0.5)
    std: tuple[float, ...] = (0.5, 0.5, 0.5)
    dtype: str = "float32"
    remat: bool = False

    @nn.compact
    def __call__(self, image: UInt8[Array, "B h w 3"], train: bool = False) -> Memory:
        if min(image.shape[1:3]) < LEAST:
            raise UserError(
                f"An Inception-v3 needs images of {LEAST} x {LEAST} pixels at least, and not of "
                f"{image.shape[1]} x {image.shape[2]}; make data.image_size larger."
            )
        x = normalize(image, self.mean, self.std).astype(self.dtype)
        block = nn.remat(Block) if self.remat else Block
        for name, branches in BLOCKS.items():
            x = block(branches, self.zeros_count, self.dtype, name=name)(x)
        return from_grid(x)


class Block(nn.Module):
    """Branches that read the same map, side by side; `conv_0` and so on in the order of reading."""

    branches: tuple[Branch, ...]
    zeros_count: bool
    dtype: str

    @nn.compact
    def __call__(self, x: Float[Array, "B h w C"]) -> Float[Array, "B h2 w2 D"]:
        numbers = count()

        def convolved(x: Array, conv: Conv) -> Array:
            layer = ConvNorm(
                conv.features,
                (conv.height, conv.width),
                conv.stride,
                self.dtype,
                padding=conv.padding,
                name=f"conv_{next(numbers)}",
            )
            return nn.relu(layer(x))

        def after(x: Array, step: Conv | Fork | str) -> Array:
            if isinstance(step, Conv):
                return convolved(x, step)
            if isinstance(step, Fork):
                return jnp.concatenate([convolved(x, conv) for conv in step], axis=-1)
            if step == MAX:
                return nn.max_pool(x, (3, 3), (2, 2))
            return averaged(x, self.zeros_count)

        maps = []
        for branch in self.branches:
            y = x
            for step in branch:
                y = after(y, step)
            maps.append(y)
        return jnp.concatenate(maps, axis=-1)


def averaged(x: Float[Array, "B h w D"], zeros_count: bool) -> Float[Array, "B h w D"]:
    """The mean of the 3 x 3 cells around each; beyond the map are zeros, counted or not."""

    def total(x: Array) -> Array:
        return nn.pool(x, 0.0, jax.lax.add, (3, 3), (1, 1), "SAME")

    cells = total(jnp.ones((1, *x.shape[1:3], 1), x.dtype))
    return total(x) / (jnp.full_like(cells, 9) if zeros_count else cells)


def convolution_paths() -> list[str]:
    """Of all 94 convolutions, in the order of reading, which other frameworks build them in too."""
    inside = {Conv: 1, Fork: 2}
    return [
        f"{name}/conv_{i}"
        for name, branches in BLOCKS.items()
        for i in range(sum(inside.get(type(step), 0) for step in chain(*branches)))
    ]
