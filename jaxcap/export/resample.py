"""Pillow's resizing in XLA, to the pixel: for a program that brings its preprocessing along.

Pillow makes a new pixel along one axis of the old ones near it. Their weights are computed in
float64 and rounded to multiples of 2**-22, the sum is of whole numbers and rounded to 8 bits; then
it goes along the other axis. Here it is the same, and to be traced with `jax.enable_x64`.
"""

import math
from collections.abc import Callable

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from jaxcap.data.image import Method

BITS = 22  # of a weight's fraction


def resample(
    images: UInt8[Array, "B h w 3"],
    axis: int,
    size: Int[Array, ""],
    resized: Int[Array, ""],
    places: Int[Array, " S"],
    method: Method,
) -> UInt8[Array, "B h2 w2 3"]:
    """The images with S new pixels along one axis.

    Args:
      images: their axis 1 goes down, 2 across.
      axis: along which.
      size: how many old pixels it has.
      resized: how many new ones the whole of it would have.
      places: which of them are made; black where there is no such one.
      method: the filter.
    """
    # XLA would multiply by the inverse of a constant, which is rounded, in the place of dividing by
    # it; and for a TPU it would take a minute to work with places that it knows.
    resized, places = jax.lax.optimization_barrier((resized, places))
    scale = size.astype(jnp.float64) / resized.astype(jnp.float64)
    if method == "nearest":
        found = _at(images, axis, _nearest(scale, places))
    else:
        found = _filtered(images, axis, size, scale, places, method)
    there = _along(axis, (places >= 0) & (places < resized))
    return jnp.where(there, found, jnp.uint8(0))


def _filtered(
    images: UInt8[Array, "B h w 3"],
    axis: int,
    size: Int[Array, ""],
    scale: Float[Array, ""],
    places: Int[Array, " S"],
    method: Method,
) -> UInt8[Array, "B h2 w2 3"]:
    reach, filter_of = FILTERS[method]
    support, narrow = reach * jnp.maximum(scale, 1.0), jnp.minimum(1.0 / scale, 1.0)
    # The last bit may decide whether a pixel is near enough. With nothing between them, XLA would
    # fuse this product with the sums below, and round once where Pillow rounds twice.
    center = jnp.maximum((places.astype(jnp.float64) + 0.5) * scale, 0.0)
    first = jnp.maximum((center - support + 0.5).astype(jnp.int32), 0)
    end = jnp.minimum((center + support + 0.5).astype(jnp.int32), size)

    def weight(tap: Int[Array, ""]) -> Float[Array, " S"]:
        pixel = first + tap
        distance = (pixel.astype(jnp.float64) - center + 0.5) * narrow
        return jnp.where(pixel < end, filter_of(distance), 0.0)

    def add(tap: Int[Array, ""], sums: Int[Array, "B h2 w2 3"]) -> Int[Array, "B h2 w2 3"]:
        whole = weight(tap) / total * (1 << BITS)
        whole = (whole + jnp.where(whole < 0, -0.5, 0.5)).astype(jnp.int32)
        return sums + _along(axis, whole) * _at(images, axis, first + tap).astype(jnp.int32)

    taps = jnp.ceil(support).astype(jnp.int32) * 2 + 1
    total = jax.lax.fori_loop(0, taps, lambda tap, w: w + weight(tap), jnp.zeros_like(center))
    total = jnp.where(total == 0, 1.0, total)
    shape = (*images.shape[:axis], len(places), *images.shape[axis + 1 :])
    half = jnp.full(shape, 1 << (BITS - 1), jnp.int32)
    sums = jax.lax.fori_loop(0, taps, add, half)
    return jnp.clip(sums >> BITS, 0, 255).astype(jnp.uint8)


def _nearest(scale: Float[Array, ""], places: Int[Array, " S"]) -> Int[Array, " S"]:
    """The old pixel of each new one: of a sum that goes from one to the next, as Pillow's does."""

    def step(x: Array, place: Array) -> tuple[Array, Array]:
        return jnp.where(place >= 0, x + scale, x), x.astype(jnp.int32)

    left_out = jnp.maximum(places[0], 0)
    first = jax.lax.fori_loop(0, left_out, lambda _, x: x + scale, 0.5 * scale)
    return jax.lax.scan(step, first, places)[1]


def _at(
    images: UInt8[Array, "B h w 3"], axis: int, pixels: Int[Array, " S"]
) -> UInt8[Array, "B h2 w2 3"]:
    """These pixels of an axis; the last one for those beyond."""
    return jnp.take(images, pixels.astype(jnp.int32), axis, mode="clip")


def _along(axis: int, values: Array) -> Array:
    """A value for each pixel of an axis of images."""
    return jnp.expand_dims(values, [other for other in range(4) if other != axis])


def _box(x: Array) -> Array:
    return ((x > -0.5) & (x <= 0.5)).astype(x.dtype)


def _bilinear(x: Array) -> Array:
    return jnp.maximum(1.0 - abs(x), 0.0)


def _hamming(x: Array) -> Array:
    window = np.float32(0.54).item() + np.float32(0.46).item() * jnp.cos(math.pi * x)
    return jnp.where(abs(x) < 1, _sinc(x) * window, 0.0)


def _bicubic(x: Array) -> Array:
    x = abs(x)
    near = (1.5 * x - 2.5) * x * x + 1
    far = (((x - 5) * x + 8) * x - 4) * -0.5
    return jnp.where(x < 1, near, jnp.where(x < 2, far, 0.0))


def _lanczos(x: Array) -> Array:
    return jnp.where((x >= -3) & (x < 3), _sinc(x) * _sinc(x / 3), 0.0)


def _sinc(x: Array) -> Array:
    x = math.pi * x
    return jnp.where(x == 0, 1.0, jnp.sin(x) / jnp.where(x == 0, 1.0, x))


Filter = Callable[[Array], Array]
FILTERS: dict[str, tuple[float, Filter]] = {  # how far it reaches, and its weights
    "box": (0.5, _box),
    "bilinear": (1.0, _bilinear),
    "hamming": (1.0, _hamming),
    "bicubic": (2.0, _bicubic),
    "lanczos": (3.0, _lanczos),
}
