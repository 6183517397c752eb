"""What is written of a run while it trains, and what a writer is."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple, Protocol, runtime_checkable

from PIL import Image


class Sample(NamedTuple):
    """A caption of a record of the evaluation split, to be looked at.

    Attributes:
      image: its images, side by side.
      caption: the best of the search.
      looks: where the decoder looked for each word (see `jaxcap.explain_picture.draw_looks`); None
        of one that does not look.
    """

    image: Image.Image
    caption: str
    looks: Image.Image | None


@runtime_checkable
class Writer(Protocol):
    """One place that the numbers and samples of a run are written to; only process 0 has any.

    It is made of the run directory, which has its config.json by then, and of the first step that
    it will be given: from there on all is done again, whatever an earlier start wrote of it.
    """

    def scalars(self, step: int, numbers: Mapping[str, float]) -> None:
        """Write numbers of a step; it may come several times a step, with other names."""
        ...

    def samples(self, step: int, samples: Sequence[Sample]) -> None:
        """Write captions of a step, the same records each time."""
        ...

    def close(self) -> None:
        """Write what is left."""
        ...
