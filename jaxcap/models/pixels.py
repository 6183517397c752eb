"""From bytes to the numbers that an encoder was trained on, on the device: bytes travel."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8

# Of the photographs of ImageNet, in units of 255: what most networks were normalised by.
IMAGENET_MEAN, IMAGENET_STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def normalize(
    image: UInt8[Array, "B h w 3"], mean: Sequence[float], std: Sequence[float]
) -> Float[Array, "B h w 3"]:
    """`(pixel / 255 - mean) / std` of each channel, float32."""
    x = image.astype(jnp.float32) / 255.0
    return (x - _channels(mean)) / _channels(std)


def _channels(values: Sequence[float]) -> Float[Array, "1 1 1 3"]:
    return jnp.asarray(values, jnp.float32)[None, None, None]
