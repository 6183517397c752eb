"""What a photograph's owner has: a path, the bytes of a file, a Pillow picture or an array."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from jaxcap.data.boxes import Box, in_shares, read_boxes
from jaxcap.data.image import ImageError, decode_rgb, upright_rgb
from jaxcap.data.regions import RegionFeatures, read_npz
from jaxcap.data.showing import Arrays, Showing
from jaxcap.errors import UserError

Photo = str | PathLike[str] | bytes | Image.Image | np.ndarray
Photos = Photo | list[Photo] | tuple[Photo, ...]  # one, or several that belong together


def photo_view(photos: Sequence[Photo], boxes: Sequence[Any] | None, showing: Showing) -> Arrays:
    """What the model is shown of photographs that make one record.

    Args:
      photos: arrays are uint8, [h, w, 3] in RGB, [h, w, 4] in RGBA or [h, w] in grey. Where
        features of regions are shown, they are paths of .npz files of them.
      boxes: of each photograph its regions, [[left, top, right, bottom], ...] in pixels of the
        upright photograph; where regions are shown, and only there.
      showing: how much of them is shown.

    Raises:
      ImageError: a file cannot be read, is no image, or one that does not fit the frame; as a
        sentence that names its path.
      UserError: too many photographs, or no boxes where some are needed, or the other way round.
    """
    name = " + ".join(map(_name, photos))
    looks = "regions" if showing.regions else "whole images"
    looks = "features of regions" if showing.features else looks
    if boxes is not None and looks != "regions":
        raise UserError(f"This captioner looks at {looks}: give no boxes with {name}.")
    if boxes is None and looks == "regions":
        raise UserError(
            f"This captioner looks at regions, and there are no boxes with {name}. Give each image "
            "a list of boxes, an empty one where it has none."
        )
    if showing.features:
        found = [_features(photo, showing.features) for photo in photos]
        return showing.region_features(name, found)
    pictures = _pictures(photos)
    shares = [] if boxes is None else _shares(name, boxes, pictures)
    with _told_of(name):
        return showing.photographs(name, pictures, shares)


def photo_pictures(photos: Sequence[Photo], showing: Showing) -> list[Image.Image]:
    """Of each photograph what the model is shown, in the photograph's own proportions.

    Where it is shown features of regions nothing tells how that looks, and it is a grey square.

    Raises:
      ImageError: as `photo_view`.
    """
    if showing.features:
        return [Image.new("RGB", (256, 256), "grey") for _ in photos]
    return [showing.frame.cut(picture) for picture in _pictures(photos)]


def _pictures(photos: Sequence[Photo]) -> list[Image.Image]:
    pictures = []
    for photo in photos:
        with _told_of(_name(photo)):
            pictures.append(_rgb(photo))
    return pictures


def _name(photo: Photo) -> str:
    return str(photo) if isinstance(photo, str | PathLike) else "The image"


@contextmanager
def _told_of(name: str) -> Iterator[None]:
    """An ImageError as a sentence about the photograph."""
    try:
        yield
    except ImageError as error:
        raise ImageError(f"{name} {error}.") from error


def _shares(
    name: str, boxes: Sequence[Any], pictures: Sequence[Image.Image]
) -> list[tuple[Box, ...]]:
    if len(boxes) != len(pictures):
        raise UserError(f"{name}: boxes of {len(boxes)} images are given with {len(pictures)}.")
    try:
        return [
            in_shares(read_boxes(each), picture.size)
            for each, picture in zip(boxes, pictures, strict=True)
        ]
    except ValueError as error:
        raise UserError(f"{name} cannot be looked at with these boxes: {error}.") from error


def _features(photo: Photo, width: int) -> RegionFeatures:
    if not isinstance(photo, str | PathLike) or Path(photo).suffix != ".npz":
        raise UserError(
            f"{_name(photo)} is no .npz file. This captioner looks at features of regions "
            f"(data.features={width}): give paths of such files, see jaxcap.data.regions."
        )
    with _told_of(_name(photo)):
        return read_npz(Path(photo), width)


def _rgb(photo: Photo) -> Image.Image:
    match photo:
        case bytes():
            return decode_rgb(photo)
        case Image.Image():
            try:
                photo.load()  # one that was opened lazily may be cut short
            except OSError as error:
                raise ImageError(f"cannot be decoded: {error}") from error
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
