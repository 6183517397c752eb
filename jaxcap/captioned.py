"""A split with what the search finds of each image: what evaluation and the bulk job go through."""

from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np
from jax.sharding import Mesh
from jaxtyping import Float, Int

from jaxcap.data.pipeline import EvalExample, eval_batches
from jaxcap.partition import rows_here, to_devices, to_host

Captioning = Callable[[Any, Mapping[str, Any]], Any]
Sent = TypeVar("Sent")


@dataclass(frozen=True)
class Found:
    """What the search found of an image, best first (see `jaxcap.decode.Captions`).

    Attributes:
      index: of the image in its split.
      shown: False where it could not be; the others are then of nothing.
      prompt: how many tokens each begins with that were given.
      tokens, logps, scores: of K captions.
    """

    index: int
    shown: bool
    prompt: int
    tokens: Int[np.ndarray, "K L"]
    logps: Float[np.ndarray, "K L"]
    scores: Float[np.ndarray, " K"]


def captioned(
    captioning: Captioning,
    variables: Any,
    example: EvalExample,
    mesh: Mesh,
    indices: Sequence[int],
    *,
    batch_size: int,
    workers: int = 0,
) -> Generator[Found, None, None]:
    """Caption some images of a split, each once; every process has all that was found.

    Of one process they come in the order of `indices`.

    Args:
      captioning: of `jaxcap.decode.captions.captioner`, compiled by `over_batch`.
      variables: of the model, for its steps (`jaxcap.models.product.for_steps`).
      example: the split and how it is shown.
      mesh: that `captioning` was compiled for.
      indices: of the images.
      batch_size: over all devices.
      workers: of the pipeline.
    """
    rows, beyond = rows_here(batch_size, mesh), len(example.source)
    batches = eval_batches(example, indices, batch_size=batch_size, workers=workers, rows=rows)

    def searched(batch: dict[str, Any]) -> tuple[Any, ...]:
        valid = batch.pop("valid")
        placed = to_devices(batch, mesh)
        captions = captioning(variables, placed)
        marks = (placed["index"], to_devices(valid, mesh), placed["prompt_len"])
        return (*marks, captions.tokens, captions.logps, captions.scores)

    with closing(batches):
        for sent in one_ahead(map(searched, batches)):
            for index, shown, prompt, *found in zip(*to_host(sent), strict=True):
                if index < beyond:
                    yield Found(int(index), bool(shown), int(prompt), *found)


def one_ahead(work: Iterable[Sent]) -> Iterator[Sent]:
    """The same, each sent to the devices before the one in front of it is waited for.

    They go on while the host reads what they have done.
    """
    waiting: list[Sent] = []
    for sent in work:
        yield from waiting
        waiting = [sent]
    yield from waiting
