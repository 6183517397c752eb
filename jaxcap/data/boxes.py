"""Boxes around regions of an image: left, top, right and bottom.

Files give them in pixels of the upright image. Inside they are shares of its sides, which stay
what they are when the image is resized.
"""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

Box = tuple[float, float, float, float]


def read_boxes(given: Any) -> tuple[Box, ...]:
    """Boxes as JSON or NumPy has them, [[left, top, right, bottom], ...].

    Raises:
      ValueError: they are something else.
    """
    try:
        boxes = np.asarray(given, np.float64)
    except (ValueError, TypeError):
        boxes = np.zeros(())
    if boxes.shape != (0,) and boxes.shape[1:] != (4,):
        raise ValueError("boxes are a list of [left, top, right, bottom], in pixels")
    return tuple((left, top, right, bottom) for left, top, right, bottom in boxes.tolist())


def in_shares(boxes: Iterable[Box], size: Sequence[int]) -> tuple[Box, ...]:
    """Boxes in pixels of an image of a (width, height), as shares of its sides."""
    width, height = size
    return tuple(
        (box[0] / width, box[1] / height, box[2] / width, box[3] / height) for box in boxes
    )
