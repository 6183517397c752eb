"""Precomputed features of regions, as detectors leave them in files: `data.region_features`.

It is a folder with an .npz file for each image, named after the image's id, with its suffix or
without ("2258277193", or "p/a" for "p/a.jpg", or else "a"), or an HDF5 file (.h5, .hdf5) that has
an image's fields in a group of that name ("NAME/features") or beside each other ("NAME_features").

| field | names | what it is |
|---|---|---|
| features | features, feat, x, z | [N, D], or [D, N] as OpenVQA has it |
| boxes | boxes, bbox | [N, 4], left, top, right, bottom in pixels; or in shares, with no size |
| size | image_w and image_h, img_w and img_h; size, image_size | of the photograph; height first |

Boxes in pixels with no size beside them tell no place: their regions are of the whole image, as
are those of a file without boxes.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Float

from jaxcap.data.image import ImageError
from jaxcap.errors import UserError

FEATURES = ("features", "feat", "x", "z")
BOXES = ("boxes", "bbox")
SIDES = (("image_w", "image_h"), ("img_w", "img_h"))
SIZES = ("size", "image_size")
HDF5 = (".h5", ".hdf5")
PIXELS = 1.5  # boxes that reach further are no shares, whose edges may round to a little above 1

Field = Callable[[str], np.ndarray | None]  # the array of a name, None where there is none


class RegionFeatures(NamedTuple):
    """The regions of one image: their features, and their boxes in shares of its sides."""

    features: Float[np.ndarray, "N D"]
    boxes: Float[np.ndarray, "N 4"]


def check_features(path: Path) -> Path:
    """The place of the features, if it is a folder or an HDF5 file.

    Raises:
      UserError: it is neither, or h5py is not there to read it.
    """
    if path.suffix in HDF5 and path.is_file():
        _open(path)
    elif not path.is_dir():
        raise UserError(
            f"There are no features of regions at {path} (data.region_features). Expected a "
            f"folder of .npz files, or a file ending in {' or '.join(HDF5)}."
        )
    return path


def features_of(path: Path, image_id: str, width: int) -> RegionFeatures:
    """The regions of an image.

    Args:
      path: the folder or the HDF5 file.
      image_id: whose name there is its own, or that without its suffix, or the last part of that.
      width: D.

    Raises:
      ImageError: there are none of this image, or they cannot be read.
    """
    name = PurePosixPath(image_id)
    names = (image_id, str(name.with_suffix("")), name.stem)
    if path.is_dir():
        files = [path / f"{name}.npz" for name in names]
        return read_npz(next(filter(Path.is_file, files), files[1]), width)
    file = _open(path)
    with _damage_told(path):
        places = (f"{name}{mark}" for name in names for mark in ("/", "_"))
        known = (place for place in places if any(place + key in file for key in FEATURES))
        place = next(known, None)
        if place is None:
            raise ImageError(f"has no features in {path}")

        def field(key: str) -> np.ndarray | None:
            return np.asarray(file[place + key]) if place + key in file else None

        return _regions(path, field, width)


def read_npz(file: Path, width: int) -> RegionFeatures:
    """The regions in a file.

    Raises:
      ImageError: it cannot be read, or holds no features of this width.
    """
    with _damage_told(file), file.open("rb") as data, np.load(data) as arrays:
        return _regions(file, arrays.get, width)


@contextmanager
def _damage_told(path: Path) -> Iterator[None]:
    """What is damaged may be so in any way; it is an ImageError in all of them."""
    try:
        yield
    except ImageError:
        raise
    except Exception as error:
        raise ImageError(f"has no features that can be read from {path}: {error}") from error


def _regions(path: Path, field: Field, width: int) -> RegionFeatures:
    features = _first(field, FEATURES)
    if features is None:
        raise ImageError(f"has no features in {path} (expected names: {', '.join(FEATURES)})")
    if features.ndim == 2 and features.shape[0] == width != features.shape[1]:
        features = features.T
    if features.ndim != 2 or features.shape[1] != width:
        raise ImageError(
            f"has features of the shape {list(features.shape)}; expected [N, {width}] "
            "(data.features)"
        )
    return RegionFeatures(features.astype(np.float32), _boxes(field, len(features)))


def _boxes(field: Field, count: int) -> Float[np.ndarray, "{count} 4"]:
    """The boxes in shares of the image's sides."""
    boxes, size = _first(field, BOXES), _size(field)
    everywhere = np.tile(np.array([0, 0, 1, 1], np.float32), (count, 1))
    if boxes is None:
        return everywhere
    if boxes.shape != (count, 4):
        raise ImageError(f"has {count} features, and boxes of the shape {list(boxes.shape)}")
    if size is not None:
        boxes = boxes / np.tile(size, 2)
    elif boxes.size and boxes.max() > PIXELS:
        return everywhere
    return np.clip(boxes, 0, 1).astype(np.float32)


def _size(field: Field) -> Float[np.ndarray, "2"] | None:
    """The width and the height of the photograph, if they are told."""
    for sides in SIDES:
        width, height = map(field, sides)
        if width is not None and height is not None:
            return np.array([width.item(), height.item()], np.float64)
    size = _first(field, SIZES)
    return None if size is None else size.reshape(2)[::-1].astype(np.float64)


def _first(field: Field, names: tuple[str, ...]) -> np.ndarray | None:
    return next((array for name in names if (array := field(name)) is not None), None)


@lru_cache(maxsize=8)
def _open(path: Path) -> Any:
    """One reader a process: an open file is not pickled."""
    try:
        import h5py
    except ImportError as error:
        raise UserError(
            f'{path} is an HDF5 file, which h5py reads: pip install "jaxcap[hdf5]".'
        ) from error
    try:
        return h5py.File(path, "r")
    except OSError as error:
        raise UserError(f"{path} cannot be read as an HDF5 file: {error}.") from error
