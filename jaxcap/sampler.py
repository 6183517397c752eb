"""A handful of captions while a run trains, with where the decoder looked: what writers show."""

import math
from collections.abc import Mapping
from functools import partial
from typing import Any

import jax
import numpy as np
from jaxtyping import Array
from PIL import Image

from jaxcap.caption import Caption, captions_of
from jaxcap.captioned import captioned
from jaxcap.data.image import ImageError, decode_rgb
from jaxcap.data.pipeline import eval_batches
from jaxcap.data.showing import Showing
from jaxcap.experiment import Experiment
from jaxcap.explain import Explanation, Reading, read
from jaxcap.explain_picture import draw_looks
from jaxcap.models.product import for_steps
from jaxcap.partition import BATCH, over_batch, rows_here, to_devices, to_host
from jaxcap.samples import side_by_side
from jaxcap.writers.writer import Sample

COUNT = 8


class Sampler:
    """Captions some records from all over the evaluation split, the same ones each time.

    Args:
      experiment: of the run.
      count: how many records, where there are so many.
    """

    def __init__(self, experiment: Experiment, count: int = COUNT):
        self._experiment, self._source = experiment, experiment.eval_example.source
        records, ways = len(self._source), math.prod(experiment.mesh.shape[name] for name in BATCH)
        count = min(count, records)
        self._indices = [place * records // count for place in range(count)]
        self._rows = -(-count // ways) * ways  # each device reads as many as any other
        self._reading = over_batch(self._read, experiment.mesh)

    def __call__(self, variables: Any) -> list[Sample]:
        """What the model says of them; called by all processes, for it may lie on all of them.

        Only process 0 has any; records whose images cannot be read are left out.

        Args:
          variables: of the model.
        """
        said = self._captions(variables)
        readings = self._readings(variables, said)
        if jax.process_index() != 0:
            return []
        samples = (
            self._sample(index, said[index], jax.tree.map(lambda x, row=row: x[row], readings))
            for row, index in enumerate(self._indices)
            if index in said
        )
        return [sample for sample in samples if sample is not None]

    def _captions(self, variables: Any) -> dict[int, tuple[Caption, int]]:
        """Of each record that can be shown its caption, and how many of its ids are a prompt."""
        experiment, said = self._experiment, {}
        for found in captioned(
            experiment.captioning,
            for_steps(variables),
            experiment.eval_example,
            experiment.mesh,
            self._indices,
            batch_size=experiment.config.eval.batch_size,  # whose program is there already
        ):
            rows = (found.tokens, found.logps, found.scores)
            best = captions_of(experiment.tokenizer, *rows, found.prompt, 1)
            if found.shown and best:
                said[found.index] = best[0], found.prompt
        return said

    def _readings(self, variables: Any, said: Mapping[int, tuple[Caption, int]]) -> Reading:
        """A reading of each record, as rows of arrays on the host."""
        experiment = self._experiment
        pad, longest = experiment.tokenizer.pad, experiment.config.data.max_len
        tokens = np.full((self._rows, 1, longest), pad, np.int32)
        for row, index in enumerate(self._indices):
            ids = said[index][0].ids if index in said else ()
            tokens[row, 0, : len(ids)] = ids
        here = rows_here(self._rows, experiment.mesh)
        example, size = experiment.eval_example, self._rows
        batch = next(eval_batches(example, self._indices, batch_size=size, rows=here))
        placed = to_devices({**batch, "tokens": tokens[here]}, experiment.mesh)
        return to_host(self._reading(variables, placed))

    def _read(self, variables: Any, batch: Mapping[str, Array]) -> Reading:
        """One record after the other: that is how captions are explained anywhere else."""
        experiment = self._experiment
        look = partial(read, experiment.model, variables, bos=experiment.tokenizer.bos)
        return jax.lax.map(
            lambda row: look(jax.tree.map(lambda x: x[None], row), tokens=row["tokens"]), batch
        )

    def _sample(self, index: int, said: tuple[Caption, int], reading: Reading) -> Sample | None:
        caption, prompt = said
        try:
            pictures = [decode_rgb(image) for image in self._source[index].images]
        except ImageError:
            return None
        looks: Image.Image | None = None
        if len(reading.maps):
            data, chosen = self._experiment.config.data, slice(prompt, len(caption.ids))
            frame = Showing.of(data).frame
            shown = pictures if data.features else [frame.cut(picture) for picture in pictures]
            looks = draw_looks(Explanation.of(reading, chosen, caption.text, caption.tokens, shown))
        return Sample(side_by_side(pictures), caption.text, looks)
