"""Batches: examples in an order that is a function of seed, epoch and index alone (grain)."""

import gc
import multiprocessing
import os
import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass
from typing import Any, Protocol, runtime_checkable

import grain
import numpy as np
from jaxtyping import Bool, Int

from jaxcap.data.image import ImageError
from jaxcap.data.record import Source
from jaxcap.data.text import Tokenizer
from jaxcap.errors import UserError

PROBED = 10  # records

Batch = dict[str, Any]  # of numpy arrays


@runtime_checkable
class View(Protocol):
    """How the model is shown an image (see `jaxcap.data.views`)."""

    def __call__(self, index: int, rng: np.random.Generator | None = None) -> Batch: ...

    def blank(self) -> Batch: ...


def check_view(view: View, source: Source) -> None:
    """Refuse a source none of whose first records can be shown.

    A wrong folder is one mistake, not as many as there are images.

    Raises:
      UserError: with what is wrong with the first of them.
    """
    probed = range(min(PROBED, len(source)))
    if all(trouble(view, source, index) for index in probed):
        raise UserError(
            f"None of the first {len(probed)} records of {source.name}, split {source.split}, can "
            f"be shown: {trouble(view, source, 0)}."
        )


def trouble(view: Callable[[int], object], source: Source, index: int) -> str:
    """Why a record cannot be shown, in words that begin with its name; empty where it can."""
    try:
        view(index)
    except ImageError as error:
        return f"{source.told(index).image_id} {error}"
    return ""


def token_rows(
    tokenizer: Tokenizer, texts: list[str], rows: int, max_len: int
) -> tuple[Int[np.ndarray, "{rows} {max_len}"], Bool[np.ndarray, "{rows} {max_len}"]]:
    """Texts as rows of ids, each closed by EOS where it fits; True in the mask where real."""
    tokens = np.full((rows, max_len), tokenizer.pad, np.int32)
    mask = np.zeros((rows, max_len), bool)
    for row, text in enumerate(texts[:rows]):
        ids = [*tokenizer.encode(text), tokenizer.eos][:max_len]
        tokens[row, : len(ids)] = ids
        mask[row, : len(ids)] = True
    return tokens, mask


@dataclass(frozen=True)
class TrainExample(grain.transforms.RandomMap):
    """An image and K of its captions, chosen at random; fewer where it has fewer.

    An image that cannot be shown takes part with no captions: it costs only itself, and the order
    of all others stays. `left_out` has those of a batch.
    """

    source: Source
    view: View
    tokenizer: Tokenizer
    captions: int
    max_len: int

    def random_map(self, index: int, rng: np.random.Generator) -> Batch:
        """-> image or memory, tokens [K, T], mask [K, T], index."""
        texts = self.source.told(index).captions
        chosen = [texts[i] for i in rng.permutation(len(texts))[: self.captions]]
        try:
            shown = self.view(index, rng)
        except ImageError:
            shown, chosen = self.view.blank(), []
        tokens, mask = token_rows(self.tokenizer, chosen, self.captions, self.max_len)
        return {**shown, "tokens": tokens, "mask": mask, "index": np.int32(index)}


def prompt_row(tokenizer: Tokenizer, source: Source, prompt: str) -> Batch:
    """-> prompt [P], filled up on the right, and prompt_len; P is 0 where a source has none."""
    ids = tokenizer.encode(prompt)
    row = np.full(1 if source.prompts else 0, tokenizer.pad, np.int32)
    row[: len(ids)] = ids
    return {"prompt": row, "prompt_len": np.int32(len(ids))}


def left_out(batch: Batch) -> list[int]:
    """The indices of the examples in a batch for training that could not be shown."""
    return batch["index"][~batch["present"].any(axis=1)].tolist()


@dataclass(frozen=True)
class EvalExample(grain.transforms.Map):
    """An image, as it is, with its prompt; past the end of the split a blank that is not valid."""

    source: Source
    view: View
    tokenizer: Tokenizer

    def map(self, index: int) -> Batch:
        """-> image or memory, prompt [P], prompt_len, valid, index."""
        shown, valid, prompt = self.view.blank(), False, ""
        if index < len(self.source):
            try:
                shown, valid = self.view(index), True
            except ImageError:
                pass
            else:
                prompt = self.source.told(index).prompt
        return {
            **shown,
            **prompt_row(self.tokenizer, self.source, prompt),
            "valid": np.bool_(valid),
            "index": np.int32(index),
        }


@runtime_checkable
class Example(Protocol):
    """What training makes of an image: `TrainExample`, or `jaxcap.reward.example.RewardExample`."""

    source: Source
    view: View

    def random_map(self, index: int, rng: np.random.Generator) -> Batch: ...


def train_batches(
    example: Example,
    *,
    batch_size: int,
    seed: int,
    start: int = 0,
    workers: int = 0,
    rows: Sequence[int] | None = None,
) -> Generator[Batch, None, None]:
    """Endless batches, or this process's rows of them, from the one numbered `start` on.

    Batch number n is the same whatever the number of processes and of workers, and wherever the
    run was started: the position in the data is n and nothing else. Every epoch has an order of
    its own.

    Args:
      example: what is made of an index.
      batch_size: of all processes together.
      seed: of order, choice of captions, and crops.
      start: the first batch.
      workers: processes to prepare batches; 0 uses threads of this one.
      rows: of a batch, see `jaxcap.partition.rows_here`; all of them by default.
    """
    order = grain.MapDataset.range(len(example.source)).seed(seed).shuffle().repeat()
    return _read(_batches(order.random_map(example), batch_size, rows)[start:], workers)


def eval_batches(
    example: EvalExample,
    indices: Sequence[int],
    *,
    batch_size: int,
    workers: int = 0,
    rows: Sequence[int] | None = None,
) -> Generator[Batch, None, None]:
    """One pass over some images of a split, each image once; or this process's rows of it.

    The last batch is filled up with examples that are not valid, so that all processes and devices
    have the same work to the end; their index is the number of images in the split.
    """
    padded = -(-len(indices) // batch_size) * batch_size
    beyond = len(example.source)
    order = grain.MapDataset.range(padded).map(
        lambda place: indices[place] if place < len(indices) else beyond
    )
    return _read(_batches(order.map(example), batch_size, rows), workers)


def _batches(
    examples: grain.MapDataset, batch_size: int, rows: Sequence[int] | None
) -> grain.MapDataset:
    if rows is None or len(rows) == batch_size:
        return examples.batch(batch_size)
    mine = grain.MapDataset.source(_Rows(examples, batch_size, tuple(rows)))
    return mine.batch(len(rows))


@dataclass(frozen=True)
class _Rows:
    """Some rows of each batch, one after the other."""

    examples: grain.MapDataset
    batch_size: int
    rows: tuple[int, ...]

    def __len__(self) -> int:
        return len(self.examples) // self.batch_size * len(self.rows)

    def __getitem__(self, place: int) -> Batch:
        batch, row = divmod(place, len(self.rows))
        return self.examples[batch * self.batch_size + self.rows[row]]


def _read(batches: grain.MapDataset, workers: int) -> Generator[Batch, None, None]:
    threads = grain.ReadOptions(num_threads=0 if workers else 4, prefetch_buffer_size=4)
    dataset = batches.to_iter_dataset(threads)
    if workers:
        # An iterator that failed leaves semaphores in a cycle. Collected while others are being
        # registered, they cannot be unregistered, and Python warns of each.
        gc.collect()
        options = grain.MultiprocessingOptions(num_workers=workers)
        dataset = dataset.mp_prefetch(options, worker_init_fn=_end_with_parent)
    iterator = iter(dataset)
    try:
        yield from iterator
    finally:
        close = getattr(iterator, "close", None)
        if close is not None:
            close()  # or the workers' shared memory would leak


def _end_with_parent(index: int, count: int) -> None:
    """Let this worker process end when the one that started it is killed, not wait for ever."""
    parent = multiprocessing.parent_process()
    assert parent is not None

    def watch() -> None:
        parent.join()
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
