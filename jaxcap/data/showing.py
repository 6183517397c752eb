"""What the model is shown of a record, in arrays whose shapes are the same for every record."""

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass

import numpy as np
from jaxtyping import Shaped
from ml_collections import ConfigDict

from jaxcap.data.boxes import Box
from jaxcap.data.frame import Frame
from jaxcap.data.image import ImageError
from jaxcap.data.parts import Picture, size_of
from jaxcap.data.regions import RegionFeatures
from jaxcap.errors import UserError

Arrays = dict[str, np.ndarray]


@dataclass(frozen=True)
class Showing:
    """How many images of a record are shown, and what of each; the fields are `config.data`'s.

    Attributes:
      frame: how a photograph becomes a square.
      images: N, of a record at most.
      regions: R, of an image at most, the first ones; 0 shows no boxes.
      features: D of the features of a region, which are shown instead of pixels; 0 shows pixels.
      crop: the least share of the area that a random part of a photograph has, in training.
      fast: these parts are made by other packages than Pillow; see `jaxcap.data.parts`.
    """

    frame: Frame
    images: int = 1
    regions: int = 0
    features: int = 0
    crop: float = 1.0
    fast: bool = False

    @classmethod
    def of(cls, data: ConfigDict) -> "Showing":
        """What `config.data` says.

        Raises:
          UserError: a field of the frame is out of range.
        """
        return cls(Frame.of(data), data.images, data.regions, data.features, data.crop, data.fast)

    def photographs(
        self,
        name: str,
        pictures: Sequence[Picture],
        boxes: Sequence[Sequence[Box]],
        rng: np.random.Generator | None = None,
    ) -> Arrays:
        """-> image, uint8 [N, size, size, 3], and present [N]; also boxes [N, R, 4], real [N, R].

        With `rng` it is a random part of them, of pictures of one size the same: what moved from
        one to the other has moved in the parts.

        Args:
          name: of the record, for messages.
          pictures: upright, in RGB.
          boxes: of each picture, in shares of its sides; they are needed where regions are shown.

        Raises:
          ImageError: see `Frame`; or there are no boxes, and the model looks at regions.
          UserError: too many pictures.
        """
        if self.regions and len(boxes) != len(pictures):
            raise ImageError(
                f"has boxes for {len(boxes)} of {len(pictures)} images, and the model looks at "
                f"regions (data.regions={self.regions}): each image needs a list of boxes, an "
                "empty one where it has none"
            )
        rows = []
        for number, picture in enumerate(pictures):
            part = None
            if rng is not None and self.crop < 1:
                own = rng if len(pictures) == 1 else deepcopy(rng)
                part = self.frame.random_part(size_of(picture), self.crop, own)
            row = {"image": self.frame(picture, part)}
            if self.regions:
                given = np.array(boxes[number][: self.regions], np.float64).reshape(-1, 4)
                placed, real = self.frame.boxes(given, size_of(picture), part)
                row |= self._regions(placed, real)
            rows.append(row)
        return in_slots(name, rows, self._nothing(), self.images)

    def region_features(self, name: str, found: Sequence[RegionFeatures]) -> Arrays:
        """-> features, float32 [N, R, D], boxes [N, R, 4], real [N, R] and present [N].

        Args:
          name: of the record, for messages.
          found: the regions of each image.

        Raises:
          UserError: they are of too many images.
        """
        rows = [
            {"features": filled(each.features, self.regions)}
            | self._regions(each.boxes, np.ones(len(each.boxes), bool))
            for each in found
        ]
        return in_slots(name, rows, self._nothing(), self.images)

    def blank(self) -> Arrays:
        """A record of no images, in the place of one that cannot be read."""
        return in_slots("", [], self._nothing(), self.images)

    def _regions(self, boxes: np.ndarray, real: np.ndarray) -> Arrays:
        boxes = boxes.astype(np.float32)
        return {"boxes": filled(boxes, self.regions), "real": filled(real, self.regions)}

    def _nothing(self) -> Arrays:
        """No image, in the shapes of one."""
        side, R, D = self.frame.image_size, self.regions, self.features
        if D:
            nothing = {"features": np.zeros((R, D), np.float32)}
        else:
            nothing = {"image": np.zeros((side, side, 3), np.uint8)}
        return nothing | (self._regions(np.zeros((0, 4)), np.zeros(0, bool)) if R else {})


def in_slots(name: str, rows: Sequence[Arrays], nothing: Arrays, images: int) -> Arrays:
    """What is shown of each image of a record, as of N: those that lack are nothing.

    Args:
      name: of the record, for messages.
      rows: of each image, arrays without an axis for it.
      nothing: the same of no image.
      images: N.

    Returns:
      The arrays with an axis of N before theirs, and `present`, bool [N].

    Raises:
      UserError: there are more images than N.
    """
    if len(rows) > images:
        raise UserError(
            f"{name} has {len(rows)} images, and the model is shown at most {images} of a record "
            "(data.images)."
        )
    each = [*rows, *[nothing] * (images - len(rows))]
    if images == 1:  # and there is no need of a copy
        joined = {key: each[0][key][None] for key in nothing}
    else:
        joined = {key: np.stack([row[key] for row in each]) for key in nothing}
    return joined | {"present": np.arange(images) < len(rows)}


def filled(rows: Shaped[np.ndarray, "n *D"], count: int) -> Shaped[np.ndarray, "{count} *D"]:
    """The first `count` rows, and rows of zeros where there are fewer."""
    whole = np.zeros((count, *rows.shape[1:]), rows.dtype)
    whole[: len(rows)] = rows[:count]
    return whole
