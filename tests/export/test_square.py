"""Preprocessing in XLA makes the pixels that Pillow makes, every one."""

from functools import lru_cache
from typing import get_args

import jax
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from jax import export
from PIL import Image

from jaxcap.data.frame import Frame
from jaxcap.data.image import Method
from jaxcap.export.programs import PLATFORMS, frame_program

MOST = 200  # pixels of a photograph's side
FRAMES = {
    "squeezed": Frame(24),
    "squeezed and cut": Frame(12, resize=17),
    "squeezed and filled up": Frame(40, resize=25),
    "short side, cut": Frame(30, "short", 37),
    "short side, filled up": Frame(48, "short", 29),
}


@lru_cache
def program(frame):
    loaded = export.deserialize(bytearray(frame_program(frame)))
    return loaded, jax.jit(loaded.call)


def framed(call, photos, room=MOST):
    """The squares that a program makes of photographs in the corner of larger arrays."""
    height, width = photos.shape[1:3]
    beyond = ((0, 0), (0, max(room - height, 0)), (0, max(room - width, 0)), (0, 0))
    larger = np.pad(photos, beyond, constant_values=77)
    return np.asarray(call(larger, np.array([height, width], np.int32)))


def drawn(count, height, width, seed):
    """Noise; of every second one only black and white, where filters overshoot."""
    rng = np.random.default_rng(seed)
    photos = rng.integers(0, 256, (count, height, width, 3), np.uint8)
    photos[::2] = np.where(photos[::2] < 128, 0, 255)
    return photos


def by_pillow(frame, photos):
    return np.stack([frame(Image.fromarray(photo)) for photo in photos])


@pytest.mark.parametrize("method", get_args(Method))
@pytest.mark.parametrize("kind", FRAMES)
@given(
    # Pillow 12 has another order of axes for those a hundred times as tall as wide.
    size=st.tuples(st.integers(1, MOST), st.integers(1, MOST)).filter(lambda x: x[0] < 99 * x[1]),
    seed=st.integers(0, 2**32 - 1),
)
@settings(max_examples=25, deadline=None)
def test_the_pixels_are_those_of_pillow(method, kind, size, seed):
    frame = Frame(**{**vars(FRAMES[kind]), "resample": method})
    photos = drawn(2, *size, seed)
    np.testing.assert_array_equal(framed(program(frame)[1], photos), by_pillow(frame, photos))


@pytest.mark.parametrize("size", [(24, 24), (24, 60), (60, 24), (1, 1), (997, 1013), (1009, 311)])
def test_sizes_that_are_kept_and_large_ones(size):
    frame, photos = FRAMES["squeezed"], drawn(3, *size, 0)
    np.testing.assert_array_equal(framed(program(frame)[1], photos), by_pillow(frame, photos))


@pytest.fixture
def optimized():
    """As outside of the tests: XLA fuses products and sums, which then are rounded once."""
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", True)


@pytest.mark.parametrize("method", get_args(Method))
def test_no_optimization_changes_a_pixel(method, optimized):
    frame = Frame(40, "short", 37, method)
    call = jax.jit(program(frame)[0].call)  # compiled anew
    sizes = np.random.default_rng(0).integers(10, MOST, (100, 2))
    for seed, size in enumerate(sizes.tolist()):
        photos = drawn(2, *size, seed)
        np.testing.assert_array_equal(framed(call, photos), by_pillow(frame, photos), f"{size}")


def test_it_is_one_program_for_all_platforms_and_sizes():
    loaded, _ = program(FRAMES["squeezed"])
    assert loaded.platforms == PLATFORMS == ("cpu", "cuda", "tpu")
    photos, size = loaded.in_avals
    assert str(photos) == "uint8[b,h,w,3]"
    assert str(size) == "int32[2]"
    assert str(loaded.out_avals[0]) == "uint8[b,24,24,3]"
