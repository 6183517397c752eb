"""Captions of millions of images: shards that are there whole or not at all.

Any number of processes, on any machines that see the folder, take their part of the shards. One
that was killed is started again, or the others are with a part each of what is left: a shard that
is there is never made again, and every one holds the same lines whoever makes it.
"""

import json
import time
from collections.abc import Generator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

import jax

from jaxcap.atomic import write_text
from jaxcap.caption import captions_of
from jaxcap.captioned import captioned
from jaxcap.data.pipeline import trouble
from jaxcap.errors import UserError
from jaxcap.experiment import Experiment
from jaxcap.log import console
from jaxcap.models.product import for_steps
from jaxcap.partition import check_batch
from jaxcap.progress import bar
from jaxcap.run import Run

SHARD = 4096  # images
JOB = "job.json"


def caption_all(
    experiment: Experiment,
    run: Run,
    out: Path,
    *,
    part: tuple[int, int] = (0, 1),
    shard: int = SHARD,
) -> int:
    """Caption this process's part of an experiment's evaluation split, by its best checkpoint.

    Writes captions-NUMBER-of-COUNT.jsonl: a line for each image, in the order of the source,
    {"image": id, "caption": text, "score": number} or {"image": id, "error": sentence}.

    Args:
      experiment: of the run, whose evaluation split the images are.
      run: whose captioner it is.
      out: a new folder, or that of the same job.
      part: (this one, of how many): every so manieth shard.
      shard: images in a file.

    Returns:
      How many images were captioned now.

    Raises:
      UserError: the folder is of another job, or a number is out of range.
    """
    if shard < 1 or not 0 <= part[0] < part[1]:
        raise UserError(
            f"There is no part {part[0]} of {part[1]}, or no shard of {shard} images: parts count "
            "from 0, and a shard has 1 image or more."
        )
    check_batch(experiment.config.eval.batch_size, experiment.mesh, name="eval.batch_size")
    example, step = experiment.eval_example, run.best_step()
    total = len(example.source)
    job = {
        "run": str(run.path),
        "step": step,
        "source": experiment.config.data.source,
        "split": example.source.split,
        "images": total,
        "search": experiment.search.signature(),
        "shard": shard,
    }
    out.mkdir(parents=True, exist_ok=True)
    _check_job(out / JOB, job)
    count = -(-total // shard)
    numbers = range(part[0], count, part[1])
    left = [number for number in numbers if not _file(out, number, count).is_file()]
    if not left:
        console.print(f"Nothing to do: part {part[0]} of {part[1]} is in {out}.")
        return 0
    mine = Shards(tuple(left), shard, total)
    stream = _captions(experiment, for_steps(experiment.restore_variables(run, step)), mine)
    with (
        jax.set_mesh(experiment.mesh),
        bar("images", len(mine)) as advance,
        closing(stream) as lines,
    ):
        begin, done = time.time(), 0
        for number in mine.numbers:
            some = islice(lines, min(shard, total - number * shard))
            text = [f"{line}\n" for line in some]
            write_text(_file(out, number, count), "".join(text))
            done += len(text)
            advance(len(text))
            if not console.is_terminal:
                console.print(f"{done}/{len(mine)} images  {done / (time.time() - begin):.1f}/s")
    return done


@dataclass(frozen=True)
class Shards(Sequence[int]):
    """The numbers of the images in some shards, one after the other.

    Attributes:
      numbers: of the shards, in order.
      size: images in each, but perhaps the last of all.
      total: images of the whole job.
    """

    numbers: tuple[int, ...]
    size: int
    total: int

    def __len__(self) -> int:
        last = min(self.size, self.total - self.numbers[-1] * self.size)
        return (len(self.numbers) - 1) * self.size + last

    def __getitem__(self, place: Any) -> Any:
        """The number of the image at a place."""
        shard, within = divmod(place, self.size)
        return self.numbers[shard] * self.size + within


def _captions(experiment: Experiment, variables: Any, images: Shards) -> Generator[str, None, None]:
    """A line for each image, in order; all of them are one stream, so that nothing waits."""
    example, config = experiment.eval_example, experiment.config
    stream = captioned(
        experiment.captioning,
        variables,
        example,
        experiment.mesh,
        images,
        batch_size=config.eval.batch_size,
        workers=config.data.workers,
    )
    with closing(stream) as all_found:
        for found in all_found:
            line: dict[str, Any] = {"image": example.source.told(found.index).image_id}
            if found.shown:
                rows = (found.tokens, found.logps, found.scores)
                best = captions_of(example.tokenizer, *rows, found.prompt, 1)
                line |= (
                    {"caption": best[0].text, "score": best[0].score} if best else {"caption": ""}
                )
            else:
                line["error"] = trouble(example.view, example.source, found.index)
            yield json.dumps(line)


def _check_job(file: Path, job: dict[str, Any]) -> None:
    """Write what the folder's job is; or refuse to mix it with another."""
    if not file.is_file():
        write_text(file, json.dumps(job, indent=1) + "\n")
        return
    before = json.loads(file.read_text(encoding="utf-8"))
    other = [f"{name} was {before.get(name)!r}" for name in job if before.get(name) != job[name]]
    if other:
        raise UserError(
            f"{file.parent} holds captions of another job: {'; '.join(other)}. Choose another "
            "folder, or the same settings."
        )


def _file(out: Path, number: int, count: int) -> Path:
    return out / f"captions-{number:05d}-of-{count:05d}.jsonl"
