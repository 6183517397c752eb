"""Photographs: from the bytes of a file to an upright RGB picture of a wanted size, and back."""

import io
from pathlib import Path
from typing import Literal

import numpy as np
from PIL import Image, TiffImagePlugin
from PIL.TiffImagePlugin import IMAGELENGTH, IMAGEWIDTH

from jaxcap.atomic import beside

try:
    from pillow_heif import register_heif_opener
except ImportError:
    HEIC: tuple[str, ...] = ()
else:
    register_heif_opener()
    HEIC = ("HEIF",)  # Pillow's name of it

MAX_PIXELS = 80_000_000  # below Pillow's own warning; a larger picture is a mistake or an attack
# None that runs a foreign program; HEIC where pip install 'jaxcap[heic]' brought it.
FORMATS = ("JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", *HEIC)
JPEG_QUALITY = 95

Method = Literal["nearest", "box", "bilinear", "hamming", "bicubic", "lanczos"]  # of Pillow

_ORIENTATION_TAG = 0x0112
_UPRIGHT = {  # EXIF 2.3, section 4.6.4: how each orientation is put right
    2: Image.Transpose.FLIP_LEFT_RIGHT,
    3: Image.Transpose.ROTATE_180,
    4: Image.Transpose.FLIP_TOP_BOTTOM,
    5: Image.Transpose.TRANSPOSE,
    6: Image.Transpose.ROTATE_270,
    7: Image.Transpose.TRANSVERSE,
    8: Image.Transpose.ROTATE_90,
}
_ON_ITS_SIDE = (5, 6, 7, 8)


class ImageError(ValueError):
    """A picture that cannot be shown (missing, corrupt, too large, without its boxes); says why.

    Its words go on from the picture's name. In training and evaluation it costs that picture alone.
    """


def decode_rgb(data: bytes) -> Image.Image:
    """The picture in an encoded file, upright and in RGB, 8 bits a channel.

    The EXIF orientation is applied. Transparent parts lie over white, 16-bit grey is scaled to
    8 bits, palettes, grey and CMYK are converted; colour profiles are ignored; of an animation it
    is the first frame.

    Raises:
      ImageError: not an image of a known format (FORMATS), corrupt, cut short, with more than
        MAX_PIXELS pixels, or with values of no known range (floating point).
    """
    try:
        return upright_rgb(_load(data))
    except ImageError:
        raise
    except Exception as error:  # a decoder may stumble over bad bytes in any way it likes
        raise ImageError(_reason(data, error)) from error


def upright_size(data: bytes) -> tuple[int, int]:
    """The width and height of the picture that `decode_rgb` gives, read from the file's head.

    Raises:
      ImageError: not an image of a known format.
    """
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except Exception as error:
        raise ImageError(_reason(data, error)) from error
    width, height = image.size
    if isinstance(image, TiffImagePlugin.TiffImageFile):  # whose size Pillow turns before it loads
        width, height = image.tag_v2[IMAGEWIDTH], image.tag_v2[IMAGELENGTH]
    return (height, width) if _orientation(image) in _ON_ITS_SIDE else (width, height)


def upright_rgb(image: Image.Image) -> Image.Image:
    """A decoded picture upright and in RGB, 8 bits a channel, as `decode_rgb` says.

    Raises:
      ImageError: it holds values of no known range.
    """
    turn = _UPRIGHT.get(_orientation(image))
    return _to_rgb(image if turn is None else image.transpose(turn))


def resize(image: Image.Image, height: int, width: int, method: Method = "bicubic") -> Image.Image:
    """The picture at another size, with antialiasing (the filter widens as the picture shrinks)."""
    return image.resize((width, height), Image.Resampling[method.upper()])


def short_side(image: Image.Image, side: int, method: Method = "bicubic") -> Image.Image:
    """The picture shrunk until its short side has `side` pixels; a smaller one as it is."""
    width, height = image.size
    short = min(width, height)
    if short <= side:
        return image
    return resize(image, round(height * side / short), round(width * side / short), method)


def write_png(image: Image.Image, file: Path) -> None:
    """Write a file whole or not at all: beside its place, then renamed. Folders are made.

    Raises:
      OSError: it cannot be written.
    """
    file.parent.mkdir(parents=True, exist_ok=True)
    with beside(file) as place:
        image.save(place, format="PNG")


def shrink_jpeg(data: bytes, side: int) -> bytes:
    """An encoded file as a JPEG whose short side has at most `side` pixels.

    A file that is so already (a baseline JPEG in RGB, upright, small enough) is returned as it
    is; any other is decoded, shrunk and encoded with quality JPEG_QUALITY.

    Raises:
      ImageError: as `decode_rgb`; or no JPEG can be as long as it is.
    """
    image = decode_rgb(data)
    if min(image.size) <= side and is_plain_jpeg(data):
        return data
    buffer = io.BytesIO()
    small = short_side(image, side)
    try:
        small.save(buffer, "JPEG", quality=JPEG_QUALITY)
    except OSError as error:
        width, height = small.size
        raise ImageError(f"cannot be a JPEG of {width} x {height} pixels") from error
    return buffer.getvalue()


def _load(data: bytes) -> Image.Image:
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    if image.width * image.height > MAX_PIXELS:
        raise ImageError(f"has {image.width} x {image.height} pixels; at most {MAX_PIXELS:,} do")
    image.load()
    return image


def _orientation(image: Image.Image) -> int:
    try:
        return image.getexif().get(_ORIENTATION_TAG, 1)
    except Exception:  # a damaged EXIF block does not spoil the picture beside it
        return 1


def _to_rgb(image: Image.Image) -> Image.Image:
    if image.mode == "F":
        raise ImageError("holds floating-point values, whose range nothing tells")
    if image.mode.startswith("I"):
        grey = np.clip(np.asarray(image).astype(np.int64), 0, 65535)
        return Image.fromarray(((grey * 255 + 32767) // 65535).astype(np.uint8)).convert("RGB")
    if image.has_transparency_data:
        image = image.convert("RGBA")
        return Image.alpha_composite(Image.new("RGBA", image.size, "white"), image).convert("RGB")
    return image if image.mode == "RGB" else image.convert("RGB")


def is_plain_jpeg(data: bytes) -> bool:
    """Whether a file's head is that of a baseline JPEG in RGB, upright and not too large.

    Raises:
      PIL.UnidentifiedImageError: it is no image of a known format.
    """
    image = Image.open(io.BytesIO(data), formats=FORMATS)
    progressive = "progressive" in image.info
    plain = image.format == "JPEG" and image.mode == "RGB" and not progressive
    fine = image.width * image.height <= MAX_PIXELS
    return plain and fine and _orientation(image) == 1


def _reason(data: bytes, error: Exception) -> str:
    if not data:
        return "is an empty file"
    if isinstance(error, Image.UnidentifiedImageError):
        if data[4:8] == b"ftyp" and not HEIC:
            return "is a HEIC file, which needs pip install 'jaxcap[heic]'"
        return f"is no image of a known format ({', '.join(FORMATS)})"
    return f"cannot be decoded: {error}"
