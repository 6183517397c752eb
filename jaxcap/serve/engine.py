"""What requests ask of a captioner: captions, explanations and scores of encoded images."""

import asyncio
import io
import itertools
import math
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, NamedTuple

from PIL import Image

from jaxcap.caption import Caption
from jaxcap.captioner import BATCHES, Captioner
from jaxcap.data.image import ImageError
from jaxcap.data.showing import Arrays
from jaxcap.decode import Search
from jaxcap.errors import UserError
from jaxcap.serve.errors import ApiError
from jaxcap.serve.limits import Limits, Places
from jaxcap.serve.looks import looks
from jaxcap.serve.metrics import Metrics
from jaxcap.serve.settings import Asked, defaults, read_settings
from jaxcap.serve.worker import Worker

READERS = min(8, os.cpu_count() or 1)
TEXTS = 16  # that are scored in one pass; fewer are filled up
LONGEST = 60  # seconds to come back after, at most


class Found(NamedTuple):
    """What is said of an image: its captions, best first, and what `looks` tells of the best."""

    captions: list[Caption]
    looks: dict[str, Any]


class Engine:
    """A captioner that many requests ask at once.

    Attributes:
      captioner, limits, metrics: as given.
      usual: the settings of a request that has none.
      readers: threads that decode what is sent.
      state: "warming_up", "ready" or "draining".
      done, total: programs of the warm-up.
      failure: what ended the warm-up before it was done.
      explains: whether the decoder tells where it looks; known after the warm-up.
    """

    def __init__(
        self,
        captioner: Captioner,
        limits: Limits,
        metrics: Metrics,
        *,
        size: int = BATCHES[-1],
        wait: float = 0.01,
    ):
        """An engine that answers nothing until it is warm.

        Args:
          captioner: of photographs.
          limits: of requests and of the queue.
          metrics: that are counted.
          size: images in a batch, at most.
          wait: seconds that an image waits for others, at most.

        Raises:
          UserError: the captioner needs more than photographs.
        """
        if captioner.config.data.regions or captioner.config.data.features:
            raise UserError(
                "This captioner looks at regions of images, and jaxcap serve has photographs alone."
            )
        self.captioner, self.limits, self.metrics = captioner, limits, metrics
        self.usual = defaults(Search.of(**captioner.config.search.to_dict()))
        self.state, self.explains = "warming_up", False
        self.failure: Exception | None = None
        self._worker = Worker(captioner, metrics, size, wait)
        self.done, self.total = 0, len(self._worker.sizes) + 2
        self.readers = ThreadPoolExecutor(READERS, "read")
        self._places, self._numbers = Places(limits.queue), itertools.count()
        self._lookers = ThreadPoolExecutor(1, "look")
        metrics.queue.set_function(lambda: self._places.taken)

    def warm_up(self) -> None:
        """Compile what a request without settings needs, for every size of a batch; then be ready.

        What goes wrong is kept as the `failure`.
        """
        try:
            file = io.BytesIO()
            Image.new("RGB", (64, 64)).save(file, "PNG")
            blank, plain = file.getvalue(), read_settings({}, self.usual, self.limits)
            for size in self._worker.sizes:
                self._worker.prepare(plain, size)
                self.done += 1
            self.explains = len(self.captioner.explain(blank, "").maps) > 0
            self.metrics.compilations.inc()
            self.done += 1
            self.captioner.logp(blank, [""] * TEXTS)
            self.metrics.compilations.inc()
            self.done += 1
        except Exception as error:
            self.failure = error
            return
        if self.state == "warming_up":
            self.state = "ready"

    def close(self, seconds: float) -> bool:
        """Finish what is there, and take no more; whether that was done in time."""
        self.state = "draining"
        self.readers.shutdown(wait=False, cancel_futures=True)
        self._lookers.shutdown(wait=False, cancel_futures=True)
        return self._worker.close(seconds)

    def asked(self, given: dict[str, Any]) -> Asked:
        """What the settings of a request ask for.

        Raises:
          ApiError: one is unknown or out of range, or the captioner does not know the prefix.
        """
        found = read_settings(given, self.usual, self.limits)
        try:
            self.captioner.settle(found.num, found.prompt, **dict(found.search))
        except UserError as error:
            raise ApiError("bad_setting", str(error)) from error
        return found

    async def caption(self, images: Sequence[bytes], asked: Asked) -> list[Found | ApiError]:
        """The captions of each image, or why it has none.

        Args:
          images: encoded files.
          asked: of each of them.

        Raises:
          ApiError: there is no room for them.
        """
        with self._room(len(images)):
            if not self._worker.takes(asked):
                raise self._busy("Many other settings are being prepared.")
            read = await asyncio.gather(*(self._read(image) for image in images))
            shown = [each for each in read if not isinstance(each, ApiError)]
            self.metrics.images.labels("bad").inc(len(images) - len(shown))
            futures = self._worker.put(asked, shown, next(self._numbers))
            captions = iter(await asyncio.gather(*map(asyncio.wrap_future, futures)))
            self.metrics.images.labels("captioned").inc(len(shown))
            found: list[Found | ApiError] = []
            for image, each in zip(images, read, strict=True):
                if isinstance(each, ApiError):
                    found.append(each)
                    continue
                said = next(captions)
                told = await self._looks(image, said[0]) if asked.explain and said else {}
                found.append(Found(said, told))
            return found

    async def score(self, image: bytes, texts: Sequence[str]) -> list[float]:
        """The log p(text | image) of each text, closed by EOS.

        Raises:
          ApiError: there is no room; the image cannot be read; or a text is too long.
        """
        with self._room(1):
            return await self._threaded(self._lookers, self._score, image, texts)

    def check_open(self) -> None:
        """Refuse a request that cannot be answered now.

        Raises:
          ApiError: the server is warming up or draining.
        """
        if self.state == "warming_up":
            raise ApiError(
                "warming_up", f"The captioner is being prepared: {self.done} of {self.total}.", 5
            )
        if self.state == "draining":
            raise ApiError("draining", "The server is being stopped.", 5)

    @contextmanager
    def _room(self, count: int) -> Iterator[None]:
        if not self._places.take(count):
            raise self._busy(f"{self._places.taken} images are waiting.")
        try:
            yield
        finally:
            self._places.give(count)

    def _busy(self, why: str) -> ApiError:
        seconds = math.ceil(self._places.taken * self._worker.pace)
        return ApiError("busy", f"{why} Try again later.", min(max(seconds, 1), LONGEST))

    async def _read(self, image: bytes) -> Arrays | ApiError:
        try:
            return await self._threaded(self.readers, self._shown, image)
        except ApiError as error:
            return error

    async def _looks(self, image: bytes, caption: Caption) -> dict[str, Any]:
        return await self._threaded(self._lookers, looks, self.captioner, image, caption)

    async def _threaded(self, threads: ThreadPoolExecutor, call: Callable, *args: Any) -> Any:
        return await asyncio.get_running_loop().run_in_executor(threads, call, *args)

    def _shown(self, image: bytes) -> Arrays:
        self.limits.check_pixels(image)
        try:
            return self.captioner.shown(image)
        except ImageError as error:
            raise ApiError("bad_image", str(error)) from error

    def _score(self, image: bytes, texts: Sequence[str]) -> list[float]:
        self.limits.check_pixels(image)
        scores: list[float] = []
        try:
            for start in range(0, len(texts), TEXTS):
                some = list(texts[start : start + TEXTS])
                filled = some + [""] * (TEXTS - len(some))
                scores += self.captioner.logp(image, filled)[: len(some)].tolist()
        except ImageError as error:
            raise ApiError("bad_image", str(error)) from error
        except UserError as error:
            raise ApiError("bad_setting", str(error)) from error
        return scores
