"""How long a program must take at least on chips of a kind, and which of their limits sets that."""

from typing import NamedTuple

from jaxcap.ahead.chips import Chip


class Need(NamedTuple):
    """What a program needs of each chip, for one call.

    Attributes:
      flops: of its products.
      held: bytes of memory that are its arguments.
      left: bytes that are its results; those of training are where its arguments were.
      work: bytes of memory that it uses besides.
      sent: bytes to other chips.
    """

    flops: float
    held: float
    left: float
    work: float
    sent: float

    @property
    def memory(self) -> float:
        """Bytes of memory at most at a time."""
        return self.held + self.work

    @property
    def moved(self) -> float:
        """Bytes to and from memory at least: each is read or written once, and work is both."""
        return self.held + self.left + 2 * self.work

    def seconds(self, chip: Chip) -> dict[str, float]:
        """Each limit alone, were the chip's peak reached all the time."""
        return {
            "compute": self.flops / chip.flops,
            "memory": self.moved / chip.memory_rate,
            "communication": self.sent / chip.link_rate,
        }

    def bound(self, chip: Chip) -> str:
        """Which limit is the longest."""
        seconds = self.seconds(chip)
        return max(seconds, key=lambda limit: seconds[limit])

    def ceiling(self, chip: Chip) -> float:
        """The share of the chip's FLOPs that is used at best (MFU), were all else hidden behind."""
        seconds = self.seconds(chip)
        return seconds["compute"] / max(seconds.values())
