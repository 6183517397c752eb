"""A photograph as its owner has it: a path, the bytes of a file, a Pillow picture or an array."""

from os import PathLike
from pathlib import Path

import numpy as np
from PIL import Image

from jaxcap.data.frame import Frame
from jaxcap.data.image import ImageError, decode_rgb, upright_rgb
from jaxcap.data.views import Arrays

Photo = str | PathLike[str] | bytes | Image.Image | np.ndarray


def photo_view(photo: Photo, frame: Frame) -> Arrays:
    """What the model is shown of a photograph: see `jaxcap.data.views.Pixels`.

    Args:
      photo: arrays are uint8, [h, w, 3] in RGB, [h, w, 4] in RGBA or [h, w] in grey.
      frame: how it becomes a square.

    Raises:
      ImageError: the file cannot be read, is no image, or one that does not fit the frame; as a
        sentence that names its path.
    """
    name = str(photo) if isinstance(photo, str | PathLike) else "The image"
    try:
        return {"image": frame(_rgb(photo))[None], "present": np.ones(1, bool)}
    except ImageError as error:
        raise ImageError(f"{name} {error}.") from error


def _rgb(photo: Photo) -> Image.Image:
    match photo:
        case bytes():
            return decode_rgb(photo)
        case Image.Image():
            return upright_rgb(photo)
        case np.ndarray():
            return upright_rgb(_picture(photo))
        case _:
            return decode_rgb(_read(Path(photo)))


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise ImageError(f"cannot be read: {error.strerror}") from error


def _picture(array: np.ndarray) -> Image.Image:
    fits = array.ndim == 2 or (array.ndim == 3 and array.shape[2] in (3, 4))
    if array.dtype != np.uint8 or not fits or not array.size:
        raise ImageError(
            f"is an array of {array.dtype} {list(array.shape)}; expected uint8 [h, w, 3], "
            "[h, w, 4] or [h, w]"
        )
    return Image.fromarray(array)
