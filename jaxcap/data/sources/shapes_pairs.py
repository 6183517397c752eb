"""The embedded data set "shapes_pairs": two pictures of shapes, before and after a change.

A caption tells what happened (see jaxcap.data.shapes.change_language); the captions of a record
are all the true ones, so that one is right exactly where it is one of them. The ground and the
tints of the two pictures differ, and mean nothing.

A record has two images, and a box for each thing in them, in the random order in which they were
drawn. Training, "seen" and "held_out" are as in the shapes; combinations are those of the thing
that changes with its colour, and with what happens to it.
"""

from dataclasses import replace
from functools import lru_cache
from random import Random
from typing import ClassVar

from jaxcap.data.record import Record
from jaxcap.data.shapes.change import Change, draw_change
from jaxcap.data.shapes.change_language import change_captions
from jaxcap.data.shapes.paint import box, encode_bmp, paint
from jaxcap.data.sources.drawn import Drawn


class ShapesPairs(Drawn):
    """One split, a record for each change."""

    kind = "shapes_pairs"
    splits: ClassVar = {"train": 100_000, "val": 600, "test": 3000}
    prompts: tuple[str, ...] = ()

    def __getitem__(self, index: int) -> Record:
        """The record, its pictures painted now."""
        group, number, _ = self._locate(index)
        change = self.change(index)
        scenes = {"before": change.before, "after": change.after}
        images = tuple(
            encode_bmp(paint(scene, self.size, Random(self._seed(when, group, number))))
            for when, scene in scenes.items()
        )
        boxes = tuple(tuple(box(thing, self.size) for thing in each) for each in scenes.values())
        return replace(self.told(index), images=images, boxes=boxes)

    def told(self, index: int) -> Record:
        """The record without its pictures."""
        group, number, _ = self._locate(index)
        captions = change_captions(self.change(index))
        if self.split == "train":
            return Record((), f"train-{number:06d}", captions)
        return Record((), f"{group}-{number:06d}", captions, group=group)

    def change(self, index: int) -> Change:
        """What the pictures of a record show."""
        group, number, _ = self._locate(index)
        return _draw(self._seed("change", group, number), group == "held_out")


@lru_cache(maxsize=64)
def _draw(seed: str, held_out: bool) -> Change:
    return draw_change(Random(seed), held_out)
