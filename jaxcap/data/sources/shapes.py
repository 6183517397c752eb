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

from jaxcap.data.record import Record
from jaxcap.data.shapes.language import LEVELS, true_captions
from jaxcap.data.shapes.paint import box, encode_bmp, paint
from jaxcap.data.shapes.scene import Scene, draw_scene
from jaxcap.errors import UserError, did_you_mean

SPLITS = {"train": 100_000, "val": 200, "test": 1000}
DEFAULTS = {"size": 64, "seed": 0, **SPLITS}
SETTINGS = {  # from, to
    "size": (32, 1024),
    "seed": (0, 2**63),
    **dict.fromkeys(SPLITS, (1, 10_000_000)),
}
GROUPS = ("seen", "held_out")


class Shapes:
    """One split; every record is a function of the seed, the split and the index alone."""

    prompts = tuple(f"<{level}>" for level in LEVELS)

    def __init__(self, split: str, *, scenes: int, size: int, seed: int):
        self.split, self.scenes, self.size, self.seed = split, scenes, size, seed
        drawn = {"size": size, "seed": seed}
        other = [f"{key}={value}" for key, value in drawn.items() if value != DEFAULTS[key]]
        self.name = f"shapes({','.join(other)})" if other else "shapes"

    @classmethod
    def open(cls, rest: str, split: str) -> "Shapes":
        """The split "train", "val" or "test".

        `rest` is empty or has settings such as "size=64,seed=0,train=100000": the width of the
        picture in pixels, the seed, and how many scenes a split has. UserError on any other.
        """
        if split not in SPLITS:
            raise UserError(f"shapes has no split {split!r}. {did_you_mean(split, SPLITS)}")
        settings = DEFAULTS | dict(_setting(item) for item in rest.split(",") if item)
        return cls(
            split,
            scenes=settings[split],
            size=settings["size"],
            seed=settings["seed"],
        )

    def __len__(self) -> int:
        return self.scenes if self.split == "train" else self.scenes * len(LEVELS)

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
        if level is None:
            captions = _training_captions(scene, self._seed("order", group, number))
            return Record((), f"train-{number:06d}", captions)
        captions = true_captions(scene, level)
        return Record((), f"{group}-{number:06d}-{level}", captions, f"<{level}>", group)

    def scene(self, index: int) -> Scene:
        """What the picture of a record shows."""
        group, number, _ = self._locate(index)
        return _draw(self._seed("scene", group, number), group == "held_out")

    def _locate(self, index: int) -> tuple[str, int, str | None]:
        """The group, the number of the scene within it, and the level; training has them all."""
        if not 0 <= index < len(self):
            raise IndexError(f"record {index} of {len(self)} in shapes/{self.split}")
        if self.split == "train":
            return "seen", index, None
        scene, level = divmod(index, len(LEVELS))
        number, group = divmod(scene, len(GROUPS))
        return GROUPS[group], number, LEVELS[level]

    def _seed(self, use: str, group: str, number: int) -> str:
        """Of random numbers for one use of one scene; a string seeds alike in every process."""
        return f"{self.seed}/{self.split}/{group}/{number}/{use}"


# A record's captions and its picture are asked for apart, one soon after the other.
@lru_cache(maxsize=64)
def _draw(seed: str, held_out: bool) -> Scene:
    return draw_scene(Random(seed), held_out)


@lru_cache(maxsize=64)
def _training_captions(scene: Scene, seed: str) -> tuple[str, ...]:
    order = Random(seed)
    told = [f"<{level}> {text}" for level in LEVELS for text in true_captions(scene, level)]
    return tuple(sorted(told, key=lambda _: order.random()))


def _setting(item: str) -> tuple[str, int]:
    """A "name=value" as a name and a number, checked."""
    key, _, value = item.partition("=")
    if key not in SETTINGS:
        raise UserError(f"shapes has no setting {key!r}. {did_you_mean(key, SETTINGS)}")
    low, high = SETTINGS[key]
    if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
        raise UserError(
            f"shapes: {key} is {value!r}; give a whole number from {low} to {high}, "
            f"as in shapes:{key}={max(low, DEFAULTS[key])}."
        )
    return key, int(value)
