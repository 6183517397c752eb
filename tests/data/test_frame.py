"""What is left of a photograph in the square that the model is shown.

That resizing and cutting are Transformers' is tested in tests/interop/test_preprocessor.py.
"""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jaxcap.config import base
from jaxcap.data.frame import MAX_SIDE, Frame
from jaxcap.data.image import ImageError
from jaxcap.errors import UserError

WIDTH, HEIGHT = 240, 120


@pytest.fixture(scope="module")
def places():
    """A picture whose red tells the column of a pixel and whose green tells the row."""
    down, across = np.indices((HEIGHT, WIDTH)).astype(np.uint8)
    return Image.fromarray(np.stack([across, down, np.zeros_like(down)], axis=-1))


def seen(square):
    """(first column, last column, first row, last row) of the picture in a square of it."""
    red, green = square[..., 0].astype(int), square[..., 1].astype(int)
    return red.min(), red.max(), green.min(), green.max()


@pytest.mark.parametrize(
    ("frame", "expected"),
    [
        (Frame(20), (0, WIDTH, 0, HEIGHT)),
        (Frame(20, resize=40), (WIDTH / 4, WIDTH * 3 / 4, HEIGHT / 4, HEIGHT * 3 / 4)),
        (Frame(20, "short"), (60, 180, 0, HEIGHT)),
        (Frame(20, "short", 40), (90, 150, 30, 90)),
    ],
    ids=["squeeze", "squeeze-middle", "short", "short-middle"],
)
def test_what_of_the_photograph_is_seen(places, frame, expected):
    """To half the side of a cell of the square, which is the mean of the pixels in it."""
    square = frame(places)
    assert square.shape == (20, 20, 3)
    left, right, top, bottom = expected
    cell = np.asarray([right - left, right - left, bottom - top, bottom - top]) / 20
    np.testing.assert_allclose(seen(square), expected, atol=cell.max() / 2 + 1)
    cut = np.asarray(frame.cut(places))
    np.testing.assert_array_equal(seen(cut), (left, right - 1, top, bottom - 1))
    np.testing.assert_array_equal(cut.shape, (bottom - top, right - left, 3))


@pytest.mark.parametrize("fit", ["squeeze", "short"])
def test_what_is_too_small_stands_in_the_middle_of_black(fit):
    square = Frame(9, fit, 4)(Image.new("RGB", (4, 4), "white"))
    assert (square[3:7, 3:7] == 255).all()
    assert square.astype(int).sum() == 4 * 4 * 3 * 255


def test_a_picture_of_the_right_size_stays_as_it_is(places):
    part = places.crop((10, 10, 50, 50))
    for fit in ("squeeze", "short"):
        np.testing.assert_array_equal(Frame(40, fit)(part), np.asarray(part))


@pytest.mark.parametrize("frame", [Frame(30, resample="box"), Frame(30, "short", 34, "box")])
def test_random_parts_are_as_large_as_asked_for_and_lie_anywhere(places, frame):
    rng, share = np.random.default_rng(0), 0.25
    parts = [frame.random_part(places.size, share, rng) for _ in range(300)]
    drawn = np.array([seen(frame(places, part)) for part in parts])
    left, right, top, bottom = drawn.T
    largest = (WIDTH, HEIGHT) if frame.fit == "squeeze" else (HEIGHT, HEIGHT)
    across, down = (right - left) * 30 / 29, (bottom - top) * 30 / 29  # of the centres of 30 cells
    shares = across * down / np.prod(largest)
    assert share - 0.03 < shares.min() < share + 0.05
    assert 0.95 < shares.max() < 1.03
    np.testing.assert_allclose(across * largest[1], down * largest[0], rtol=0.08)
    assert left.min() < 8
    assert top.min() < 8
    assert right.max() > WIDTH - 8
    assert bottom.max() > HEIGHT - 8


def test_all_of_the_photograph_may_be_the_random_part(places):
    rng = np.random.default_rng(0)
    part = Frame(30).random_part(places.size, 1.0, rng)
    np.testing.assert_array_equal(Frame(30)(places, part), Frame(30)(places))


@given(st.integers(1, 9), st.integers(1, 9), st.floats(0, 1))
def test_a_part_of_the_smallest_picture_has_a_pixel(width, height, share):
    image, rng = Image.new("RGB", (width, height), "white"), np.random.default_rng(0)
    for fit in ("squeeze", "short"):
        frame = Frame(3, fit)
        assert (frame(image, frame.random_part(image.size, share, rng)) == 255).all()


@given(
    frame=st.builds(
        Frame,
        st.integers(20, 40),
        st.sampled_from(["squeeze", "short"]),
        st.sampled_from([0, 30, 50]),
        st.just("box"),
    ),
    corners=st.tuples(*[st.floats(0, 1)] * 4),
    seed=st.none() | st.integers(0, 9),
)
def test_a_box_is_around_what_it_was_around(frame, corners, seed):
    """The oracle: a white rectangle on black, framed, and where it is white then."""
    left, right = sorted(corners[:2])
    top, bottom = sorted(corners[2:])
    size, part = (WIDTH, HEIGHT), None
    if seed is not None:
        part = frame.random_part(size, 0.3, np.random.default_rng(seed))
    picture = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    columns, rows = (
        slice(round(low * side), round(high * side))
        for low, high, side in ((left, right, WIDTH), (top, bottom, HEIGHT))
    )
    picture[rows, columns] = 255
    white = frame(Image.fromarray(picture), part)[..., 0] > 127
    boxes, real = frame.boxes(np.array([[left, top, right, bottom]]), size, part)
    assert ((boxes >= 0) & (boxes <= 1)).all()
    if not real[0]:
        assert not boxes.any()
    pixel = 1.01 / frame.image_size + 1 / min(WIDTH, HEIGHT)
    wide = (boxes[0, 2:] - boxes[0, :2] > 2 * pixel).all()
    assert white.any() or not wide  # a sliver may have no pixel of its own
    if white.any():
        assert real[0]
        down, across = np.nonzero(white)
        seen = [across.min(), down.min(), across.max() + 1, down.max() + 1]
        np.testing.assert_allclose(boxes[0], np.array(seen) / frame.image_size, atol=2 * pixel)


def test_a_box_outside_of_the_square_or_of_nothing_is_not_real():
    boxes = np.array([[0, 0, 0.2, 1], [0, 0, 0.3, 1], [0.4, 0.4, 0.4, 0.6], [np.nan, 0, 1, 1]])
    placed, real = Frame(20, "short").boxes(boxes, (WIDTH, HEIGHT))  # the middle half is shown
    assert real.tolist() == [False, True, False, False]
    np.testing.assert_allclose(placed, [[0] * 4, [0, 0, 0.1, 1], [0] * 4, [0] * 4], atol=1e-12)


def test_a_thread_is_refused_before_it_fills_the_memory():
    thread = Image.new("RGB", (1, 40_000))
    with pytest.raises(ImageError, match=r"1 x 40000 pixels, too long and thin .* 64 x 2560000"):
        Frame(64, "short")(thread)
    assert Frame(64)(thread).shape == (64, 64, 3)


def test_a_config_says_each_field_and_equal_frames_are_equal():
    data = base().data
    assert Frame.of(data) == Frame(224) == Frame(224, resize=224)
    data.update(image_size=20, fit="short", resize=24, resample="box")
    assert Frame.of(data) == Frame(20, "short", 24, "box") != Frame(20, "short")


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("fit", "sqeeze", "one of squeeze, short"),
        ("resample", "cubic", "one of .*bilinear"),
        ("image_size", 0, f"from 1 to {MAX_SIDE}"),
        ("image_size", MAX_SIDE + 1, f"from 1 to {MAX_SIDE}"),
        ("resize", -1, "0 .image_size. to"),
        ("resize", MAX_SIDE + 1, "0 .image_size. to"),
    ],
)
def test_a_field_out_of_range_is_named(field, value, expected):
    data = base().data
    data[field] = value
    with pytest.raises(UserError, match=rf"data\.{field} is {value!r}; expected {expected}"):
        Frame.of(data)
