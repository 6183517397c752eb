"""`jaxcap.data.frame.Frame` in XLA: from photographs of any size to what the model is shown."""

from collections.abc import Callable

import jax
import jax.numpy as jnp
import PIL
from jaxtyping import Array, Bool, Int, UInt8

from jaxcap.data.frame import Frame
from jaxcap.export.resample import resample

DOWN, ACROSS = 1, 2  # axes of images
Sides = dict[int, Int[Array, ""]]  # pixels along each of them


def squares(frame: Frame) -> Callable[[Array, Array], Array]:
    """The function (photographs, size) -> squares, with the pixels that the frame makes of each.

    The photographs have one size, height and width. Each begins at the upper left of an array that
    may be larger, so that a program that is compiled once does for many sizes. It is to be traced
    with `jax.enable_x64`.
    """

    def framed(
        photos: UInt8[Array, "B h w 3"], size: Int[Array, "2"]
    ) -> UInt8[Array, "B size size 3"]:
        old = dict(zip((DOWN, ACROSS), size, strict=True))
        new = _resized(frame, old)

        def along(images: UInt8[Array, "B h w 3"], axis: int) -> UInt8[Array, "B h2 w2 3"]:
            side = frame.image_size
            places = (new[axis] - side) // 2 + jnp.arange(side, dtype=jnp.int32)
            return resample(images, axis, old[axis], new[axis], places, frame.resample)

        return jax.lax.cond(
            _down_first(old, new),
            lambda: along(along(photos, DOWN), ACROSS),
            lambda: along(along(photos, ACROSS), DOWN),
        )

    return framed


def _resized(frame: Frame, old: Sides) -> Sides:
    """The sides before the middle is cut out."""
    if frame.fit == "squeeze":
        return {axis: jnp.asarray(frame.side, jnp.int32) for axis in old}
    short = jnp.minimum(old[DOWN], old[ACROSS])
    return {axis: frame.side * pixels // short for axis, pixels in old.items()}


def _down_first(old: Sides, new: Sides) -> Bool[Array, ""]:
    """Whether Pillow, as it is installed, resizes along this axis first: tall ones from 13.0 on.

    It rounds to 8 bits after each axis, so the order is seen in the pixels.
    """
    if int(PIL.__version__.split(".")[0]) < 13:
        return jnp.asarray(False)
    fewer = {axis: old[axis] - new[axis] for axis in old}
    return (fewer[DOWN] > 0) & (fewer[DOWN] > 2 * fewer[ACROSS])
