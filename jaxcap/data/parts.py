"""Random parts of photographs: by Pillow, or faster by simplejpeg and cykooz-resizer (`data.fast`).

With these a plain JPEG is decoded straight into an array: the pixels are Pillow's, bit for bit. Its
part is resized with SIMD instructions: by the same filter, but first down and then across, with
other rounding. With a bicubic filter one value of 5,000 differs by more than 2 of 255 (where the
filter overshoots black or white), and the mean of all differences is below 0.2. So it is for
training alone, and there for random parts: what is evaluated or captioned is always Pillow's.
"""

from typing import Any

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from jaxcap.data.image import Method, decode_rgb, is_plain_jpeg, resize
from jaxcap.errors import UserError

try:
    import cykooz_resizer as resizer
    import simplejpeg
except ImportError:
    resizer = simplejpeg = None

Picture = Image.Image | UInt8[np.ndarray, "h w 3"]
Part = tuple[int, int, int, int]  # of a picture: left, top, right and bottom, in pixels

FILTERS = {"bilinear": "bilinear", "bicubic": "catmull_rom", "lanczos": "lanczos3"}


def check_fast() -> None:
    """Refuse to be fast without the packages.

    Raises:
      UserError: they are not there.
    """
    if simplejpeg is None:
        raise UserError(
            "data.fast needs simplejpeg and cykooz-resizer: pip install 'jaxcap[fast]', or leave "
            "it False."
        )


def decode_for_part(data: bytes) -> Picture:
    """The picture in an encoded file, of which a part is to be shown fast.

    Raises:
      ImageError: as `decode_rgb`.
    """
    try:
        if is_plain_jpeg(data):
            return simplejpeg.decode_jpeg(data, "RGB")
    except Exception:  # Pillow says what is wrong with it, and takes some that are a little damaged
        pass
    return decode_rgb(data)


def size_of(picture: Picture) -> tuple[int, int]:
    """Width and height."""
    return picture.size if isinstance(picture, Image.Image) else picture.shape[1::-1]


def resized_part(
    picture: Picture, part: Part, side: int, method: Method
) -> UInt8[np.ndarray, "{side} {side} 3"]:
    """A part of a picture as a square."""
    if isinstance(picture, Image.Image):
        return np.asarray(resize(picture.crop(part), side, side, method))
    left, top, right, bottom = part
    cut = picture[top:bottom, left:right]
    if method not in FILTERS:
        return np.asarray(resize(Image.fromarray(cut), side, side, method))
    return _resized(cut.tobytes(), (right - left, bottom - top), side, method)


def _resized(data: bytes, size: tuple[int, int], side: int, method: Method) -> Any:
    kind = resizer.PixelType.U8x3
    square = resizer.ImageData(side, side, kind)
    convolution = resizer.ResizeAlg.convolution(resizer.FilterType[FILTERS[method]])
    resizer.Resizer().resize(  # which is no thread's to share
        resizer.ImageData(*size, kind, data),
        square,
        resizer.ResizeOptions(resize_alg=convolution, use_alpha=False),
    )
    return np.frombuffer(square.get_buffer(), np.uint8).reshape(side, side, 3)
