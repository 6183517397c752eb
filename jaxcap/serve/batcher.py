"""Jobs of many requests, gathered into batches that one thread runs."""

import threading
import time
from collections.abc import Callable, Hashable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any


@dataclass
class _Job:
    key: Hashable
    item: Any
    future: Future[Any] = field(default_factory=Future)
    came: float = field(default_factory=time.monotonic)


class Batcher:
    """A queue whose jobs are run together where their keys are equal.

    A batch begins when it is full or its oldest job has waited long enough. Keys are served in the
    order of their oldest jobs, so none waits for ever. A job whose future is cancelled leaves the
    queue.
    """

    def __init__(
        self,
        run: Callable[[Any, list[Any]], Sequence[Any]],
        fit: Callable[[Any, int], int],
        size: int,
        wait: float,
    ):
        """An empty queue.

        Args:
          run: (key, items) -> a result for each item.
          fit: (key, number of jobs) -> how many of them may run at once now; 0 is none yet, and
            then `wake` is called when that changes.
          size: jobs in a batch at most.
          wait: seconds that a job waits for others.
        """
        self._run, self._fit, self._size, self._wait = run, fit, size, wait
        self._jobs: list[_Job] = []
        self._changed = threading.Condition()
        self._closing = False
        self._thread = threading.Thread(target=self._work, name="batches", daemon=True)
        self._thread.start()

    def put(self, key: Hashable, items: Sequence[Any]) -> list[Future[Any]]:
        """Add jobs; their results are those of the futures."""
        jobs = [_Job(key, item) for item in items]
        with self._changed:
            self._jobs += jobs
            self._changed.notify()
        return [job.future for job in jobs]

    def wake(self) -> None:
        """Look again whether something may run."""
        with self._changed:
            self._changed.notify()

    def close(self, seconds: float) -> bool:
        """Run what is in the queue, then stop; whether that was done in time."""
        with self._changed:
            self._closing = True
            self._changed.notify()
        self._thread.join(seconds)
        return not self._thread.is_alive()

    def _work(self) -> None:
        while jobs := self._next():
            try:
                results = self._run(jobs[0].key, [job.item for job in jobs])
            except Exception as error:  # it is theirs who asked, and the others go on
                for job in jobs:
                    job.future.set_exception(error)
            else:
                for job, result in zip(jobs, results, strict=True):
                    job.future.set_result(result)

    def _next(self) -> list[_Job]:
        """The next batch, waited for; an empty one at the end."""
        with self._changed:
            while True:
                self._jobs = [job for job in self._jobs if not job.future.cancelled()]
                if self._closing and not self._jobs:
                    return []
                batch, begins = self._due(time.monotonic())
                taken = set(map(id, batch))
                self._jobs = [job for job in self._jobs if id(job) not in taken]
                batch = [job for job in batch if job.future.set_running_or_notify_cancel()]
                if batch:
                    return batch
                if not taken:
                    self._changed.wait(begins)

    def _due(self, now: float) -> tuple[list[_Job], float | None]:
        """A batch that may run now; or else none, and the seconds until one may be due."""
        keys: dict[Hashable, list[_Job]] = {}
        for job in self._jobs:
            keys.setdefault(job.key, []).append(job)
        waits = []
        for key, jobs in keys.items():
            left = jobs[0].came + self._wait - now
            if len(jobs) < self._size and left > 0 and not self._closing:
                waits.append(left)
            elif fits := self._fit(key, min(len(jobs), self._size)):
                return jobs[:fits], None
        return [], min(waits, default=None)
