"""What is shown of records: any number of images and boxes in arrays of one shape."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jaxcap.config import base
from jaxcap.data.frame import Frame
from jaxcap.data.image import ImageError
from jaxcap.data.regions import RegionFeatures
from jaxcap.data.showing import Showing, filled, in_slots
from jaxcap.errors import UserError

SIDE = 8
LEFT_HALF, RIGHT_HALF = (0.0, 0.0, 0.5, 1.0), (0.5, 0.0, 1.0, 1.0)


def pictures(count, size=(40, 30)):
    rng = np.random.default_rng(0)
    shape = (size[1], size[0], 3)
    return [Image.fromarray(rng.integers(0, 256, shape, np.uint8)) for _ in range(count)]


@given(st.integers(0, 3), st.integers(3, 4), st.integers(0, 5), st.integers(1, 3))
def test_records_of_any_number_of_images_and_boxes_have_one_shape(count, images, boxes, regions):
    showing = Showing(Frame(SIDE), images=images, regions=regions)
    each = [[LEFT_HALF, RIGHT_HALF, LEFT_HALF, RIGHT_HALF, LEFT_HALF][:boxes]] * count
    shown = showing.photographs("x", pictures(count), each)
    blank = showing.blank()
    assert {name: leaf.shape for name, leaf in shown.items()} == {
        "image": (images, SIDE, SIDE, 3),
        "present": (images,),
        "boxes": (images, regions, 4),
        "real": (images, regions),
    }
    for name, leaf in shown.items():
        assert leaf.dtype == blank[name].dtype
        assert leaf.shape == blank[name].shape
        assert not blank[name].any()
        assert not leaf[count:].any()
    assert shown["present"].tolist() == [True] * count + [False] * (images - count)
    for number, picture in enumerate(pictures(count)):
        np.testing.assert_array_equal(shown["image"][number], Frame(SIDE)(picture))
        found = shown["boxes"][number][shown["real"][number]]
        np.testing.assert_array_equal(found, np.reshape(each[number][:regions], (-1, 4)))


def test_without_regions_there_are_no_boxes():
    shown = Showing(Frame(SIDE)).photographs("x", pictures(1), [[LEFT_HALF]])
    assert shown.keys() == Showing(Frame(SIDE)).blank().keys() == {"image", "present"}


def test_pictures_of_one_size_are_cut_alike_and_their_boxes_with_them():
    """A thing that stands still between the pictures of a record stands still in their parts."""
    (picture,) = pictures(1)
    showing = Showing(Frame(SIDE), images=2, regions=1, crop=0.3)
    drawn = set()
    for seed in range(5):
        rng = np.random.default_rng(seed)
        shown = showing.photographs("x", [picture, picture], [[LEFT_HALF]] * 2, rng)
        np.testing.assert_array_equal(shown["image"][0], shown["image"][1])
        np.testing.assert_array_equal(shown["boxes"][0], shown["boxes"][1])
        drawn.add((shown["image"].tobytes(), shown["boxes"].tobytes()))
    assert len(drawn) == 5


def test_features_are_shown_in_the_place_of_pixels():
    showing = Showing(Frame(SIDE), images=2, regions=3, features=2)
    boxes = np.tile(np.float32(RIGHT_HALF), (4, 1))
    found = RegionFeatures(np.arange(8, dtype=np.float32).reshape(4, 2), boxes)
    few = RegionFeatures(found.features[:1], boxes[:1])
    shown = showing.region_features("x", [few, found])
    np.testing.assert_array_equal(shown["features"][0], [[0, 1], [0, 0], [0, 0]])
    np.testing.assert_array_equal(shown["features"][1], found.features[:3])
    assert shown["real"].tolist() == [[True, False, False], [True, True, True]]
    np.testing.assert_array_equal(shown["boxes"], shown["real"][..., None] * np.float32(RIGHT_HALF))
    assert {name: leaf.shape for name, leaf in shown.items()} == {
        name: leaf.shape for name, leaf in showing.blank().items()
    }
    assert not any(leaf.any() for leaf in showing.blank().values())


def test_too_many_images_and_missing_boxes_are_told():
    showing = Showing(Frame(SIDE), images=1, regions=2)
    with pytest.raises(UserError, match=r"^7 has 2 images, .* at most 1 of a record .data.images"):
        showing.photographs("7", pictures(2), [[], []])
    with pytest.raises(ImageError, match=r"^has boxes for 0 of 1 images.*data.regions=2.*empty"):
        showing.photographs("7", pictures(1), [])
    with pytest.raises(UserError, match=r"^7 has 3 images"):
        in_slots("7", [{}] * 3, {}, 2)


@given(st.integers(0, 4), st.integers(0, 4))
def test_filled_keeps_the_first_rows(have, want):
    rows = np.arange(1, have + 1)
    assert filled(rows, want).tolist() == [*rows.tolist(), *[0] * 4][:want]


def test_a_config_says_each_field():
    data = base().data
    assert Showing.of(data) == Showing(Frame(224))
    data.update(images=2, regions=3, features=4, crop=0.5, image_size=32)
    assert Showing.of(data) == Showing(Frame(32), 2, 3, 4, 0.5)
