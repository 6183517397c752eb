"""Photographs of one's own as records: several together, their boxes, and files of features."""

import numpy as np
import pytest
from PIL import Image

from jaxcap.data.frame import Frame
from jaxcap.data.image import ImageError
from jaxcap.data.photo import photo_pictures, photo_view
from jaxcap.data.showing import Showing
from jaxcap.errors import UserError

SIDE = 8
BOXES = [[0, 0, 20, 15], [20, 15, 40, 30]]  # of a picture of 40 x 30: two of its quarters
SHARES = [[0, 0, 0.5, 0.5], [0.5, 0.5, 1, 1]]


def photograph(seed):
    return np.random.default_rng(seed).integers(0, 256, (30, 40, 3), np.uint8)


def test_several_photographs_are_one_record(tmp_path):
    Image.fromarray(photograph(0)).save(tmp_path / "a.png")
    showing = Showing(Frame(SIDE), images=3)
    shown = photo_view([tmp_path / "a.png", photograph(1)], None, showing)
    alone = [photo_view([photograph(n)], None, Showing(Frame(SIDE)))["image"][0] for n in (0, 1)]
    np.testing.assert_array_equal(shown["image"][:2], alone)
    assert shown["present"].tolist() == [True, True, False]
    fewer = photo_view([photograph(0)], None, showing)
    assert fewer["present"].tolist() == [True, False, False]
    with pytest.raises(UserError, match=r"^The image \+ .*a\.png has 2 images.*at most 1"):
        photo_view([photograph(1), tmp_path / "a.png"], None, Showing(Frame(SIDE)))


@pytest.mark.parametrize("kind", [list, np.array, lambda boxes: tuple(map(tuple, boxes))])
def test_boxes_are_in_pixels_of_the_photograph(kind):
    showing = Showing(Frame(SIDE), images=2, regions=3)
    shown = photo_view([photograph(0), photograph(1)], [kind(BOXES), []], showing)
    np.testing.assert_allclose(shown["boxes"][0, :2], SHARES)
    assert shown["real"].tolist() == [[True, True, False], [False] * 3]


@pytest.mark.parametrize(
    ("showing", "boxes", "message"),
    [
        ({"regions": 2}, None, "looks at regions, and there are no boxes with The image"),
        ({}, [BOXES], "looks at whole images: give no boxes with The image"),
        ({"regions": 2}, [BOXES, BOXES], "boxes of 2 images are given with 1"),
        ({"regions": 2}, [[1, 2, 3, 4]], "cannot be looked at with these boxes: boxes are a list"),
        ({"regions": 2, "features": 4}, [BOXES], "looks at features of regions: give no boxes"),
        ({"regions": 2, "features": 4}, None, r"The image is no \.npz file.*data\.features=4"),
    ],
)
def test_what_does_not_fit_the_captioner_is_told(showing, boxes, message):
    with pytest.raises(UserError, match=message):
        photo_view([photograph(0)], boxes, Showing(Frame(SIDE), **showing))


def test_a_file_of_features_stands_for_its_image(tmp_path):
    features = np.ones((2, 4), np.float32)
    np.savez(tmp_path / "a.npz", features=features, boxes=np.array(SHARES))
    showing = Showing(Frame(SIDE), regions=3, features=4)
    shown = photo_view([tmp_path / "a.npz"], None, showing)
    np.testing.assert_array_equal(shown["features"], [[*features, np.zeros(4)]])
    np.testing.assert_allclose(shown["boxes"][0, :2], SHARES)
    with pytest.raises(ImageError, match=r"^.*none\.npz has no features that can be read"):
        photo_view([str(tmp_path / "none.npz")], None, showing)
    with pytest.raises(UserError, match=r"a\.jpg is no \.npz file"):
        photo_view([str(tmp_path / "a.jpg")], None, showing)


def test_what_of_a_photograph_is_shown_is_a_picture_and_grey_where_nothing_tells():
    photos = [photograph(0), photograph(1)]
    for frame, columns in ((Frame(SIDE), slice(None)), (Frame(30, "short"), slice(5, 35))):
        found = photo_pictures(photos, Showing(frame, images=2))
        for picture, photo in zip(found, photos, strict=True):
            np.testing.assert_array_equal(picture, photo[:, columns])
    grey = photo_pictures(["a.npz", "b.npz"], Showing(Frame(SIDE), 2, regions=3, features=4))
    assert [picture.getcolors()[0][1] for picture in grey] == [(128, 128, 128)] * 2


def test_a_picture_that_was_opened_and_is_cut_short_is_told(tmp_path):
    Image.fromarray(photograph(0)).save(tmp_path / "a.jpg")
    data = (tmp_path / "a.jpg").read_bytes()
    (tmp_path / "a.jpg").write_bytes(data[: len(data) // 2])
    picture = Image.open(tmp_path / "a.jpg")  # its pixels are not read yet
    with picture, pytest.raises(ImageError, match=r"^The image cannot be decoded: .*truncated"):
        photo_view([picture], None, Showing(Frame(SIDE)))


def test_a_thread_is_named(tmp_path):
    Image.new("RGB", (1, 40_000)).save(tmp_path / "thread.png")
    with pytest.raises(ImageError, match=r"thread\.png has 1 x 40000 pixels"):
        photo_view([tmp_path / "thread.png"], None, Showing(Frame(64, "short")))
