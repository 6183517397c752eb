"""The worker processes of `prepare`: shards out, what was written back."""

import multiprocessing
import os
import signal
import threading
from collections.abc import Generator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool

from jaxcap.data.record import Source
from jaxcap.data.shard import Shard, Written, write_shard
from jaxcap.errors import UserError

_settings: tuple[Mapping[str, Source], int]  # of this worker process: sources by split, short side


def write_shards(
    sources: Mapping[str, Source], shards: Sequence[Shard], side: int, workers: int
) -> Generator[tuple[Shard, Written]]:
    """Writes the shards, yielding each when it is done; with 0 workers in this process.

    Raises:
      UserError: a worker process died.
    """
    if workers == 0:
        for shard in shards:
            yield shard, write_shard(sources[shard.split], shard, side)
        return
    pool = ProcessPoolExecutor(
        max(1, min(workers, len(shards))),
        mp_context=multiprocessing.get_context("spawn"),  # a fork would copy JAX's threads' locks
        initializer=_begin,
        initargs=(sources, side),
    )
    try:
        futures = {pool.submit(_work, shard): shard for shard in shards}
        for future in as_completed(futures):
            yield futures[future], future.result()
    except BrokenProcessPool as error:
        raise UserError(
            f"A worker process died, perhaps for lack of memory ({workers} at once). What is "
            "finished is kept: run it again, with fewer workers."
        ) from error
    finally:
        pool.shutdown(cancel_futures=True)


def _begin(sources: Mapping[str, Source], side: int) -> None:
    global _settings
    _settings = sources, side
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the main process's to handle
    threading.Thread(target=_die_with_parent, daemon=True).start()


def _work(shard: Shard) -> Written:
    sources, side = _settings
    return write_shard(sources[shard.split], shard, side)


def _die_with_parent() -> None:
    """A killed main process cannot stop its workers, which would otherwise wait for ever."""
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        os._exit(1)
