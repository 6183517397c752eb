"""What the data sets that are drawn from a seed have in common."""

from typing import ClassVar, Self

from jaxcap.errors import UserError, did_you_mean

DEFAULTS = {"size": 64, "seed": 0}
RANGES = {"size": (32, 1024), "seed": (0, 2**63)}  # from, to
LENGTHS = (1, 10_000_000)
GROUPS = ("seen", "held_out")


class Drawn:
    """One split; every record is a function of the seed, the split and the index alone.

    Half of the scenes of validation and test are in the group "seen", whose combinations also
    occur in training; each of the group "held_out" has one that does not.

    Attributes:
      kind: the name of the source.
      splits: how many scenes each has by default.
      each: records of a scene in validation and test; training has one.
    """

    kind: ClassVar[str]
    splits: ClassVar[dict[str, int]]
    each: ClassVar[int] = 1

    def __init__(self, split: str, *, scenes: int, size: int, seed: int):
        self.split, self.scenes, self.size, self.seed = split, scenes, size, seed
        given = {"size": size, "seed": seed}
        other = [f"{key}={value}" for key, value in given.items() if value != DEFAULTS[key]]
        self.name = f"{self.kind}({','.join(other)})" if other else self.kind

    @classmethod
    def open(cls, rest: str, split: str) -> Self:
        """The split "train", "val" or "test".

        `rest` is empty or has settings such as "size=64,seed=0,train=100000": the width of the
        picture in pixels, the seed, and how many scenes a split has. UserError on any other.
        """
        if split not in cls.splits:
            raise UserError(f"{cls.kind} has no split {split!r}. {did_you_mean(split, cls.splits)}")
        settings = (
            DEFAULTS | cls.splits | dict(cls._setting(item) for item in rest.split(",") if item)
        )
        return cls(split, scenes=settings[split], size=settings["size"], seed=settings["seed"])

    def __len__(self) -> int:
        return self.scenes if self.split == "train" else self.scenes * self.each

    def _locate(self, index: int) -> tuple[str, int, int]:
        """The group, the number of the scene within it, and that of the record of the scene."""
        if not 0 <= index < len(self):
            raise IndexError(f"record {index} of {len(self)} in {self.kind}/{self.split}")
        if self.split == "train":
            return "seen", index, 0
        scene, record = divmod(index, self.each)
        number, group = divmod(scene, len(GROUPS))
        return GROUPS[group], number, record

    def _seed(self, use: str, group: str, number: int) -> str:
        """Of random numbers for one use of one scene; a string seeds alike in every process."""
        return f"{self.seed}/{self.split}/{group}/{number}/{use}"

    @classmethod
    def _setting(cls, item: str) -> tuple[str, int]:
        """A "name=value" as a name and a number, checked."""
        key, _, value = item.partition("=")
        ranges = RANGES | dict.fromkeys(cls.splits, LENGTHS)
        if key not in ranges:
            raise UserError(f"{cls.kind} has no setting {key!r}. {did_you_mean(key, ranges)}")
        low, high = ranges[key]
        if not (value.isascii() and value.isdigit() and low <= int(value) <= high):
            raise UserError(
                f"{cls.kind}: {key} is {value!r}; give a whole number from {low} to {high}, "
                f"as in {cls.kind}:{key}={max(low, (DEFAULTS | cls.splits)[key])}."
            )
        return key, int(value)
