"""Random parts: Pillow's, and those of the faster packages within their bound of them."""

import contextlib
import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from jaxcap.data import parts
from jaxcap.data.frame import Frame
from jaxcap.data.image import ImageError, decode_rgb
from jaxcap.data.parts import decode_for_part, resized_part
from jaxcap.data.record import Record
from jaxcap.data.showing import Showing
from jaxcap.data.views import Pixels
from jaxcap.errors import UserError
from jaxcap.experiment import Experiment
from jaxcap.run import Run

PART, SIDE = (11, 5, 81, 60), 32


def photograph(width, height, seed=0):
    """Soft shapes with some noise, as photographs have it."""
    rng = np.random.default_rng(seed)
    coarse = Image.fromarray(rng.integers(0, 256, (8, 10, 3), np.uint8))
    soft = np.asarray(coarse.resize((width, height), Image.Resampling.BICUBIC), np.float64)
    noisy = soft + rng.normal(0, 6, soft.shape)
    return Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))


def encoded(picture, kind="JPEG", **options):
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def turned(orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    return exif


@settings(deadline=None)
@given(st.integers(1, 70), st.integers(1, 70), st.integers(20, 100), st.sampled_from([0, 1, 2]))
def test_a_plain_jpeg_has_the_pixels_that_pillow_gives(width, height, quality, subsampling):
    data = encoded(photograph(width, height), quality=quality, subsampling=subsampling)
    found = decode_for_part(data)
    assert isinstance(found, np.ndarray)
    np.testing.assert_array_equal(found, np.asarray(decode_rgb(data)))


@pytest.mark.parametrize(
    "data",
    [
        encoded(photograph(40, 30), progressive=True),
        encoded(photograph(40, 30).convert("L")),
        encoded(photograph(40, 30).convert("CMYK")),
        encoded(photograph(40, 30), exif=turned(6)),
        encoded(photograph(40, 30), "PNG"),
    ],
    ids=["progressive", "grey", "cmyk", "turned", "png"],
)
def test_all_other_files_are_left_to_pillow(data):
    np.testing.assert_array_equal(np.asarray(decode_for_part(data)), np.asarray(decode_rgb(data)))


@settings(deadline=None)
@given(st.binary(max_size=4), st.integers(0, 3000), st.booleans())
def test_what_is_damaged_is_what_it_is_to_pillow(noise, position, cut):
    data = encoded(photograph(60, 50))
    position %= len(data)
    damaged = data[:position] + noise + (b"" if cut else data[position + 1 :])
    expected = None
    with contextlib.suppress(ImageError):
        expected = np.asarray(decode_rgb(damaged))
    if expected is None:
        with pytest.raises(ImageError):
            decode_for_part(damaged)
    else:
        np.testing.assert_array_equal(np.asarray(decode_for_part(damaged)), expected)


@pytest.mark.parametrize("method", ["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"])
@pytest.mark.parametrize("side", [SIDE, 100])
def test_parts_are_pillows_but_for_rounding(method, side):
    """The bound: no mean difference above half a level, and few values off by more than two."""
    picture = photograph(90, 70)
    found = resized_part(np.asarray(picture), PART, side, method)
    expected = np.asarray(resized_part(picture, PART, side, method))
    apart = np.abs(found.astype(int) - expected)
    assert found.shape == (side, side, 3)
    assert found.dtype == np.uint8
    assert apart.mean() < (0.5 if method in parts.FILTERS else 1e-9)
    assert (apart > 2).mean() < 0.02
    if method == "bilinear":
        assert apart.max() <= 1


def test_without_the_packages_nothing_is_trained_fast(tiny_run, tmp_path, monkeypatch):
    """But captions: what is captioned is Pillow's whole photograph."""
    monkeypatch.setattr(parts, "simplejpeg", None)
    config = Run(tiny_run).config()
    config.data.fast, config.data.crop = True, 0.5
    Showing.of(config.data)
    experiment = Experiment.open(config, Run(tmp_path))
    assert experiment.eval_example.view.showing.fast
    with pytest.raises(UserError, match=r"data.fast needs simplejpeg .*jaxcap\[fast\]"):
        experiment.train_example()


class One:
    """A source of one photograph."""

    name, split, prompts = "one", "train", ()

    def __len__(self):
        return 1

    def __getitem__(self, index):
        return Record((encoded(photograph(90, 70)),), "a", ("A dog.",))

    told = __getitem__


def test_parts_alone_are_decoded_for_parts_and_only_if_it_is_asked_for(monkeypatch):
    """What is evaluated, and what is shown whole, has Pillow's pixels."""
    monkeypatch.setattr("jaxcap.data.views.decode_for_part", lambda data: 1 / 0)
    whole = Frame(SIDE)(decode_rgb(One()[0].images[0]))
    for crop, rng in ((0.5, None), (1.0, np.random.default_rng(0))):
        shown = Pixels(One(), Showing(Frame(SIDE), crop=crop, fast=True))(0, rng)
        np.testing.assert_array_equal(shown["image"][0], whole)
    Pixels(One(), Showing(Frame(SIDE), crop=0.5))(0, np.random.default_rng(0))
    with pytest.raises(ZeroDivisionError):
        Pixels(One(), Showing(Frame(SIDE), crop=0.5, fast=True))(0, np.random.default_rng(0))


def test_the_same_draw_is_the_same_part():
    view = Pixels(One(), Showing(Frame(SIDE), crop=0.3, fast=True))
    first, again, other = (view(0, np.random.default_rng(seed))["image"] for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert (first != other).any()
