"""The pictures of the shapes: every thing in its place, colour and size, and nothing else."""

import io
import math
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from jaxcap.data.shapes.paint import RGB, paint
from jaxcap.data.shapes.scene import COLOURS, SHAPES, Thing
from jaxcap.data.sources.shapes import Shapes


def area(thing):
    """Of the shapes as they are meant to look: square 1.68 r wide, arms 2.2 r by 0.8 r, ..."""
    r2 = thing.radius**2
    return {
        "circle": math.pi * r2,
        "square": 1.68**2 * r2,
        "triangle": 3 * math.sqrt(3) / 4 * 1.2**2 * r2,
        "cross": (2 * 2.2 * 0.8 - 0.8**2) * r2,
        "ring": math.pi * (1.05**2 - 0.45**2) * r2,
        "diamond": 2 * (0.8 * math.sqrt(2)) ** 2 * r2,
    }[thing.shape]


@given(seed=st.integers(0, 2**63), index=st.integers(0, 99_999), size=st.sampled_from([64, 96]))
@settings(max_examples=100, deadline=None)
def test_pixels_show_the_things_of_the_scene_and_nothing_else(seed, index, size):
    source = Shapes.open(f"seed={seed},size={size}", "train")
    scene = source.scene(index)
    pixels = np.asarray(Image.open(io.BytesIO(source[index].images[0]))).astype(float)
    assert pixels.shape == (size, size, 3)
    islands, count = ndimage.label(pixels.max(axis=-1) > 110, structure=np.ones((3, 3)))
    assert count == len(scene)
    scale = size / 64
    middles = ndimage.center_of_mass(islands > 0, islands, range(1, count + 1))
    for thing in scene:
        label = 1 + np.argmin([math.dist(at, (thing.y * scale, thing.x * scale)) for at in middles])
        down, right = np.nonzero(islands == label)
        depth = ndimage.distance_transform_edt(islands == label)
        colour = pixels[depth > 0.8 * depth.max()].mean(axis=0)
        assert min(RGB, key=lambda name: np.linalg.norm(colour - RGB[name])) == thing.colour
        middle = (right.mean() + 0.5) / scale, (down.mean() + 0.5) / scale
        assert math.dist(middle, (thing.x, thing.y)) < 0.9
        assert (thing.size == "large") == (down.size / scale**2 > 165)


@given(seed=st.integers(0, 2**63), index=st.integers(0, 99_999), size=st.sampled_from([64, 96]))
@settings(max_examples=50, deadline=None)
def test_the_boxes_are_tight_around_the_things(seed, index, size):
    """In the order of the scene; the oracle is the bright islands, whose soft edges are not."""
    source = Shapes.open(f"seed={seed},size={size}", "train")
    record, scene = source[index], source.scene(index)
    pixels = np.asarray(Image.open(io.BytesIO(record.images[0]))).astype(float)
    islands, _ = ndimage.label(pixels.max(axis=-1) > 110, structure=np.ones((3, 3)))
    (boxes,) = record.boxes
    seen = [
        [across.start, down.start, across.stop, down.stop]
        for down, across in ndimage.find_objects(islands)
    ]
    assert len(boxes) == len(scene) == len(seen)
    for box, thing in zip(np.array(boxes) * size, scene, strict=True):
        assert np.abs(np.array(seen) - box).max(axis=1).min() <= 1
        assert math.dist((box[:2] + box[2:]) / 2, (thing.x * size / 64, thing.y * size / 64)) < (
            0.35 * thing.radius * size / 64 + 1  # a triangle's middle is above its box's
        )


@pytest.mark.parametrize("shape", SHAPES)
def test_a_thing_covers_its_area_whatever_its_place(shape):
    """What changes where a red thing turns blue is its area, the soft edges included."""
    for radius, x, y in [(5, 32.0, 32.0), (5, 31.6, 32.3), (10, 30.2, 33.9)]:
        red, blue = (
            paint((Thing(colour, shape, "any", radius, x, y),), 64, Random(0)).astype(float)
            for colour in ("red", "blue")
        )
        covered = (red - blue)[..., 0].sum() / (RGB["red"][0] - RGB["blue"][0])
        assert covered == pytest.approx(area(Thing("", shape, "", radius, x, y)), rel=0.03)


def test_the_rim_is_alike_around_every_colour():
    """Outside the thing itself no pixel depends on its colour, and there are bright ones."""
    pictures = np.stack(
        [
            paint((Thing(colour, "square", "large", 10, 32, 32),), 64, Random(0))
            for colour in COLOURS
        ]
    )
    outside = np.ones((64, 64), bool)
    outside[23:41, 23:41] = False
    assert (pictures[:, outside] == pictures[:1, outside]).all()
    assert (pictures[0, 22, 24:40] > 110).all()
