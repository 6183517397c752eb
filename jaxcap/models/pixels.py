"""From bytes to the numbers that an encoder was trained on, on the device: bytes travel."""

from collections.abc import Sequence

import jax.numpy as jnp
from jaxtyping import Array, Float, UInt8


def normalize(
    image: UInt8[Array, "B h w 3"], mean: Sequence[float], std: Sequence[float]
) -> Float[Array, "B h w 3"]:
    """`(pixel / 255 - mean) / std` of each channel, float32."""
    x = image.astype(jnp.float32) / 255.0
    return (x - _channels(mean)) / _channels(std)


def _channels(values: Sequence[float]) -> Float[Array, "1 1 1 3"]:
    return jnp.asarray(values, jnp.float32)[None, None, None]
