"""Which searches are compiled; others are compiled beside, while those that are go on."""

import queue
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Any

from absl import logging

WAITING = 4  # programs that wait to be compiled


class Programs:
    """A program is a search for so many images at once. The latest used are kept."""

    def __init__(
        self,
        compile_: Callable[[Any, int], None],
        changed: Callable[[], None],
        sizes: tuple[int, ...],
        keep: int,
    ):
        """Begin with none.

        Args:
          compile_: compiles the program of a search and a size, which is later kept by whoever
            runs it; a search is any value that tells which it is.
          changed: called when one more may run.
          sizes: of batches, ascending.
          keep: programs.
        """
        self._compile, self._changed, self._sizes, self._keep = compile_, changed, sizes, keep
        self._ready: OrderedDict[tuple[Hashable, int], None] = OrderedDict()
        self._coming: set[tuple[Hashable, int]] = set()
        self._lock = threading.Lock()
        self._orders: queue.SimpleQueue[tuple[Hashable, int]] = queue.SimpleQueue()
        threading.Thread(target=self._work, name="compile", daemon=True).start()

    def fit(self, search: Hashable, images: int) -> int:
        """How many of the images may run at once now; 0 while there is no program of the search.

        One that takes them all is ordered where there is none.
        """
        with self._lock:
            wanted = next(size for size in self._sizes if size >= images)
            ready = [size for size in self._sizes if (search, size) in self._ready]
            if wanted not in ready:
                self._order(search, wanted)
            if not ready:
                return 0
            best = next((size for size in ready if size >= images), ready[-1])
            self._ready.move_to_end((search, best))
            return min(best, images)

    def takes(self, search: Hashable) -> bool:
        """Whether a search is compiled, will be, or may be ordered."""
        with self._lock:
            known = any(search == one for one, _ in (*self._ready, *self._coming))
            return known or len(self._coming) < WAITING

    def prepare(self, search: Hashable, size: int) -> None:
        """Compile a program here and now."""
        try:
            self._compile(search, size)
        finally:  # if it failed, so will its run, and tell those who wait
            with self._lock:
                self._ready[search, size] = None
                self._ready.move_to_end((search, size))
                while len(self._ready) > self._keep:
                    self._ready.popitem(last=False)

    def _order(self, search: Hashable, size: int) -> None:
        if (search, size) not in self._coming:
            self._coming.add((search, size))
            self._orders.put((search, size))

    def _work(self) -> None:
        while True:
            search, size = self._orders.get()
            try:
                self.prepare(search, size)
            except Exception:
                logging.exception("A search could not be compiled for %d images.", size)
            with self._lock:
                self._coming.discard((search, size))
            self._changed()
