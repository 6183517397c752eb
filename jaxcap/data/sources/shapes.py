"""The embedded data set "shapes": pictures drawn from a seed, and all that is true of them.

A caption comes at one of three levels (see jaxcap.data.shapes.language), which a prompt selects:
`<objects>`, `<attributes>` or `<layout>`. A training record has the true captions of all levels,
each beginning with its prompt. Validation and test have a record for each scene and level, with
the prompt apart; the captions are all the true ones, so that a caption is right exactly where it
is one of them. Half of their scenes are in the group "seen", whose combinations of colour, shape
and relation also occur in training; each of the group "held_out" has one that does not.

A record has a box for each thing, in the random order in which they were drawn.
"""

from dataclasses import replace
from functools import lru_cache
from random import Random
from typing import ClassVar

from jaxcap.data.record import Record
from jaxcap.data.shapes.language import LEVELS, true_captions
from jaxcap.data.shapes.paint import box, encode_bmp, paint
from jaxcap.data.shapes.scene import Scene, draw_scene
from jaxcap.data.sources.drawn import Drawn


class Shapes(Drawn):
    """One split: in training a record a scene, else one for each scene and level."""

    kind = "shapes"
    splits: ClassVar = {"train": 100_000, "val": 200, "test": 1000}
    each = len(LEVELS)
    prompts = tuple(f"<{level}>" for level in LEVELS)

    def __getitem__(self, index: int) -> Record:
        """The record, its picture painted now."""
        group, number, _ = self._locate(index)
        scene, tints = self.scene(index), Random(self._seed("paint", group, number))
        image = encode_bmp(paint(scene, self.size, tints))
        boxes = tuple(box(thing, self.size) for thing in scene)
        return replace(self.told(index), images=(image,), boxes=(boxes,))

    def told(self, index: int) -> Record:
        """The record without its picture; training captions begin with their prompts."""
        group, number, level = self._locate(index)
        scene = self.scene(index)
        if self.split == "train":
            captions = _training_captions(scene, self._seed("order", group, number))
            return Record((), f"train-{number:06d}", captions)
        name = LEVELS[level]
        captions = true_captions(scene, name)
        return Record((), f"{group}-{number:06d}-{name}", captions, f"<{name}>", group)

    def scene(self, index: int) -> Scene:
        """What the picture of a record shows."""
        group, number, _ = self._locate(index)
        return _draw(self._seed("scene", group, number), group == "held_out")


# A record's captions and its picture are asked for apart, one soon after the other.
@lru_cache(maxsize=64)
def _draw(seed: str, held_out: bool) -> Scene:
    return draw_scene(Random(seed), held_out)


@lru_cache(maxsize=64)
def _training_captions(scene: Scene, seed: str) -> tuple[str, ...]:
    order = Random(seed)
    told = [f"<{level}> {text}" for level in LEVELS for text in true_captions(scene, level)]
    return tuple(sorted(told, key=lambda _: order.random()))
