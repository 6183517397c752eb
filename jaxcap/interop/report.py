"""What became of every parameter and tensor when one network was read as another."""

import re
from collections import Counter
from dataclasses import dataclass, field

import numpy as np


@dataclass
class Report:
    """What became of every leaf.

    Attributes:
      loaded: path here: name there.
      fresh: paths here that the source lacks, with their shapes.
      unused: names there that captioning has no use for, with their shapes.
      copies: name there: the name that it repeats.
      types: name there: its type, where that is not float32.
      words: file of word vectors: the words here that it has, and all words here.
    """

    loaded: dict[str, str] = field(default_factory=dict)
    fresh: dict[str, tuple[int, ...]] = field(default_factory=dict)
    unused: dict[str, tuple[int, ...]] = field(default_factory=dict)
    copies: dict[str, str] = field(default_factory=dict)
    types: dict[str, str] = field(default_factory=dict)
    words: dict[str, tuple[int, int]] = field(default_factory=dict)

    def __or__(self, other: "Report") -> "Report":
        pairs = zip(vars(self).values(), vars(other).values(), strict=True)
        return Report(*(mine | its for mine, its in pairs))

    def note_type(self, name: str, tensor: np.ndarray) -> None:
        """Keep the type of a tensor that goes out again."""
        if tensor.dtype != np.float32:
            self.types[name] = str(tensor.dtype)

    def lines(self) -> list[str]:
        """What was loaded, as a number, and all the rest, the same leaf of all layers in a line."""
        rows = [f"{len(self.loaded)} parameters loaded"]
        rows += [
            f"words: {found:,} of {words:,} ({found / words:.1%}) have vectors in {file}"
            for file, (found, words) in self.words.items()
        ]
        for what, leaves in (("fresh", self.fresh), ("unused", self.unused)):
            alike = Counter(
                f"{re.sub(r'(?<![a-z])[0-9]+', '*', name)} {list(shape)}"
                for name, shape in leaves.items()
            )
            rows += [f"{what}: {name} x {count}" for name, count in alike.items()]
        return rows + [f"copy: {name} of {other}" for name, other in self.copies.items()]

    def of(self, role: str, prefix: str) -> "Report":
        """The report of a part, with the paths and names that they have in the whole."""
        return Report(
            {f"{role}/{path}": prefix + name for path, name in self.loaded.items()},
            {f"{role}/{path}": shape for path, shape in self.fresh.items()},
            {prefix + name: shape for name, shape in self.unused.items()},
            {prefix + name: prefix + other for name, other in self.copies.items()},
            {prefix + name: kind for name, kind in self.types.items()},
        )
