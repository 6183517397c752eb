"""The captioner's batches: which images run together, in programs that are compiled."""

import time
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np

from jaxcap.caption import Caption
from jaxcap.captioner import BATCHES, PROGRAMS, Captioner
from jaxcap.data.showing import Arrays
from jaxcap.serve.batcher import Batcher
from jaxcap.serve.metrics import Metrics
from jaxcap.serve.programs import Programs
from jaxcap.serve.settings import Asked

KEPT = PROGRAMS - 8  # fewer than the captioner keeps: what is thought to be there is there


class _Key(NamedTuple):
    """What images of one batch have in common; where captions are drawn, also the request."""

    asked: Asked
    request: int


@dataclass(frozen=True)
class _Program:
    """What a program depends on; of the prompt that is its length alone."""

    search: tuple[tuple[str, Any], ...]
    length: int
    prompt: str = field(compare=False)


class Worker:
    """Captions what a model is shown, for many requests at once.

    Attributes:
      sizes: of the batches that programs are compiled for.
      pace: seconds that an image took, lately.
    """

    def __init__(self, captioner: Captioner, metrics: Metrics, size: int, wait: float):
        """A worker with nothing to do.

        Args:
          captioner: whose programs run.
          metrics: that are counted.
          size: images in a batch, at most.
          wait: seconds that an image waits for others, at most.
        """
        self._captioner, self._metrics = captioner, metrics
        self.sizes = BATCHES[: 1 + sum(each < size for each in BATCHES)]
        self.pace = 0.1
        self._programs = Programs(self._compile, self._wake, self.sizes, KEPT)
        self._batcher = Batcher(self._run, self._fit, size, wait)

    def close(self, seconds: float) -> bool:
        """Finish what is there; whether that was done in time."""
        return self._batcher.close(seconds)

    def takes(self, asked: Asked) -> bool:
        """Whether there is, or may be, a program for what is asked for."""
        return self._programs.takes(self._program(asked))

    def prepare(self, asked: Asked, size: int) -> None:
        """Compile a program here and now."""
        self._programs.prepare(self._program(asked), size)

    def put(self, asked: Asked, shown: Sequence[Arrays], request: int) -> list[Future[Any]]:
        """The captions of images to come.

        Images of other requests that ask for the same may share their batch. Where captions are
        drawn they may not: what is drawn depends on an image's number within its request alone.

        Args:
          asked: of each image.
          shown: of each image, see `Captioner.shown`.
          request: a number that no other has.
        """
        return self._batcher.put(_Key(asked, request if asked.draws else 0), list(enumerate(shown)))

    def _run(self, key: _Key, numbered: list[tuple[int, Arrays]]) -> list[list[Caption]]:
        begin = time.monotonic()
        found = self._caption(key.asked, [shown for _, shown in numbered], numbered[0][0])
        taken = (time.monotonic() - begin) / len(numbered)
        self.pace += (taken - self.pace) / 8
        self._metrics.batches.observe(len(numbered))
        return found

    def _caption(self, asked: Asked, shown: list[Arrays], first: int) -> list[list[Caption]]:
        search = dict(asked.search)
        return self._captioner.of_shown(
            shown, num=asked.num, prompt=asked.prompt, first=first, **search
        )

    def _compile(self, program: _Program, size: int) -> None:
        blank = self._captioner.shown(np.zeros((8, 8, 3), np.uint8))
        self._metrics.compilations.inc()
        self._caption(Asked(1, program.prompt, program.search), [blank] * size, 0)

    def _fit(self, key: _Key, images: int) -> int:
        return self._programs.fit(self._program(key.asked), images)

    def _program(self, asked: Asked) -> _Program:
        ids, _ = self._captioner.settle(asked.num, asked.prompt, **dict(asked.search))
        return _Program(asked.search, len(ids), asked.prompt)

    def _wake(self) -> None:
        self._batcher.wake()
