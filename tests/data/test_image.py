"""Every kind of file becomes the right upright RGB picture, or an ImageError that says why."""

import contextlib
import io
import zlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from jaxcap.data import image as image_module
from jaxcap.data.image import (
    ImageError,
    decode_rgb,
    resize,
    short_side,
    shrink_jpeg,
    upright_size,
)

# Corners that tell every turn and flip apart: red, green / blue, white, wider than high.
CORNERS = np.zeros((20, 30, 3), np.uint8)
CORNERS[:10, :15] = 255, 0, 0
CORNERS[:10, 15:] = 0, 255, 0
CORNERS[10:, :15] = 0, 0, 255
CORNERS[10:, 15:] = 255, 255, 255

# EXIF's definition: what is seen at the stored picture's first row and at its first column.
STORED = {
    1: CORNERS,
    2: CORNERS[:, ::-1],
    3: CORNERS[::-1, ::-1],
    4: CORNERS[::-1],
    5: CORNERS.transpose(1, 0, 2),
    6: np.rot90(CORNERS),
    7: CORNERS[::-1, ::-1].transpose(1, 0, 2),
    8: np.rot90(CORNERS, -1),
}


def encode(picture: Image.Image, kind: str = "PNG", **options: object) -> bytes:
    buffer = io.BytesIO()
    picture.save(buffer, kind, **options)
    return buffer.getvalue()


def photo(width: int, height: int, **options: object) -> bytes:
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    return encode(Image.fromarray(noise), "JPEG", **options)


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP", "TIFF"])
def test_pictures_are_turned_upright(orientation, kind):
    exif = Image.Exif()
    exif[0x0112] = orientation
    stored = Image.fromarray(np.ascontiguousarray(STORED[orientation]))
    options = {"JPEG": {"quality": 100, "subsampling": 0}, "WEBP": {"lossless": True}}
    data = encode(stored, kind, exif=exif, **options.get(kind, {}))
    decoded = decode_rgb(data)
    # Away from the edges, over which JPEG's blocks bleed.
    centres = np.asarray(decoded)[4::11, 6::17].astype(int)
    assert decoded.size == upright_size(data) == (30, 20)
    assert np.abs(centres - CORNERS[4::11, 6::17]).max() <= 8


@pytest.mark.filterwarnings("ignore:Corrupt EXIF")
def test_a_damaged_exif_block_does_not_spoil_the_picture():
    data = encode(Image.fromarray(CORNERS), "JPEG", exif=b"Exif\0\0II*\0\xff\xff\xff\x7f")
    assert decode_rgb(data).size == (30, 20)


@pytest.mark.parametrize(
    ("picture", "options", "expected"),
    [
        (Image.new("L", (2, 2), 77), {}, (77, 77, 77)),
        (Image.new("1", (2, 2), 1), {}, (255, 255, 255)),
        (Image.new("RGBA", (2, 2), (255, 0, 0, 0)), {}, (255, 255, 255)),
        (Image.new("RGBA", (2, 2), (255, 0, 0, 51)), {}, (255, 204, 204)),
        (Image.new("LA", (2, 2), (0, 102)), {}, (153, 153, 153)),
        (Image.new("RGB", (2, 2), (9, 8, 7)), {"transparency": (9, 8, 7)}, (255, 255, 255)),
        (Image.new("L", (2, 2), 5), {"transparency": 5}, (255, 255, 255)),
        (Image.fromarray(np.full((2, 2), 65535, np.uint16)), {}, (255, 255, 255)),
        (Image.fromarray(np.full((2, 2), 257 * 40, np.uint16)), {}, (40, 40, 40)),
    ],
    ids=["grey", "1-bit", "clear", "alpha", "grey-alpha", "key-rgb", "key-grey", "16-max", "16"],
)
def test_modes_become_rgb(picture, options, expected):
    decoded = decode_rgb(encode(picture, **options))
    assert decoded.mode == "RGB"
    assert decoded.getpixel((1, 1)) == expected


@pytest.mark.parametrize("clear", [None, 1], ids=["opaque", "transparent"])
def test_palettes_become_rgb(clear):
    picture = Image.new("P", (2, 1))
    picture.putpalette([200, 100, 50, 1, 2, 3])
    picture.putpixel((1, 0), 1)
    data = encode(picture, "GIF", **({} if clear is None else {"transparency": clear}))
    decoded = decode_rgb(data)
    assert decoded.getpixel((0, 0)) == (200, 100, 50)
    assert decoded.getpixel((1, 0)) == ((1, 2, 3) if clear is None else (255, 255, 255))


def test_cmyk_is_not_inverted():
    ink = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    decoded = decode_rgb(encode(ink, "JPEG", quality=100))
    assert np.abs(np.array(decoded.getpixel((8, 8))) - (0, 255, 255)).max() <= 4


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "empty"),
        (b"<html>404 Not Found</html>", "no image of a known format"),
        (photo(64, 64)[:-500], "truncated"),
        (encode(Image.fromarray(CORNERS))[:-30], "cannot be decoded"),
        (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n", "no image of a known format"),
        (encode(Image.new("F", (2, 2)), "TIFF"), "floating-point"),
    ],
    ids=["empty", "html", "cut-jpeg", "cut-png", "postscript", "float"],
)
def test_a_bad_file_says_why(data, reason):
    with pytest.raises(ImageError, match=reason):
        decode_rgb(data)


def test_a_heic_file_is_read_or_says_what_it_needs(monkeypatch):
    data = encode(Image.fromarray(CORNERS), "HEIF", quality=100, chroma=444)
    assert (
        np.abs(np.asarray(decode_rgb(data))[4::11, 6::17].astype(int) - CORNERS[4::11, 6::17]).max()
        <= 8
    )
    assert upright_size(data) == (30, 20)
    monkeypatch.setattr(image_module, "HEIC", ())
    monkeypatch.setattr(image_module, "FORMATS", ("JPEG", "PNG"))
    with pytest.raises(ImageError, match=r"HEIC file, which needs pip install 'jaxcap\[heic\]'"):
        decode_rgb(data)


def test_a_bomb_is_refused_before_it_is_decoded(monkeypatch):
    size = (100_000).to_bytes(4) * 2
    header = b"IHDR" + size + bytes([1, 0, 0, 0, 0])
    checked = header + zlib.crc32(header).to_bytes(4)
    bomb = b"\x89PNG\r\n\x1a\n\0\0\0\r" + checked + b"\0\0\0\x09IDAT" + bytes(13)
    with pytest.raises(ImageError, match="pixels"):
        decode_rgb(bomb)
    monkeypatch.setattr(image_module, "MAX_PIXELS", 599)
    with pytest.raises(ImageError, match="30 x 20"):
        decode_rgb(encode(Image.fromarray(CORNERS)))


@given(st.binary(max_size=4), st.integers(0, 2000), st.sampled_from(["JPEG", "PNG", "GIF", "TIFF"]))
def test_whatever_is_damaged_gives_a_picture_or_an_image_error(noise, position, kind):
    data = encode(Image.fromarray(CORNERS), kind)
    position %= len(data)
    damaged = data[:position] + noise + data[position + 1 :]
    with contextlib.suppress(ImageError):
        assert decode_rgb(damaged).mode == "RGB"


@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 50))
def test_the_short_side_is_never_longer_and_nothing_grows(width, height, side):
    shrunk = short_side(Image.new("RGB", (width, height)), side)
    assert min(shrunk.size) == min(width, height, side)
    if min(width, height) <= side:
        assert shrunk.size == (width, height)
    else:
        assert abs(shrunk.width * height - shrunk.height * width) <= max(width, height)


def test_resize_takes_height_first_and_averages():
    stripes = Image.fromarray(np.tile(np.uint8([0, 255]), (32, 32)))
    small = np.asarray(resize(stripes, 4, 8, "bilinear"))
    assert small.shape == (4, 8)
    assert np.abs(small.astype(int) - 127).max() <= 12


def test_a_small_plain_jpeg_stays_byte_for_byte():
    data = photo(40, 30)
    assert shrink_jpeg(data, 30) is data


def test_what_no_jpeg_can_be_is_a_fault_of_the_image():
    with pytest.raises(ImageError, match="cannot be a JPEG of 70000 x 2 pixels"):
        shrink_jpeg(encode(Image.new("RGB", (70_000, 2))), 30)


@pytest.mark.parametrize(
    "data",
    [
        photo(40, 31),
        photo(40, 30, progressive=True),
        encode(Image.new("L", (40, 30)), "JPEG"),
        encode(Image.new("RGB", (40, 30))),
    ],
    ids=["large", "progressive", "grey", "png"],
)
def test_anything_else_becomes_a_small_plain_jpeg(data):
    stored = shrink_jpeg(data, 30)
    assert stored != data
    assert min(decode_rgb(stored).size) == 30
    assert shrink_jpeg(stored, 30) is stored


def test_a_turned_jpeg_is_stored_upright():
    exif = Image.Exif()
    exif[0x0112] = 6
    stored = shrink_jpeg(photo(40, 30, exif=exif), 100)
    with Image.open(io.BytesIO(stored)) as opened:
        assert opened.size == (30, 40)
        assert opened.getexif().get(0x0112, 1) == 1
