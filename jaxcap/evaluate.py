"""Evaluation: captions of a whole split, their scores, and the protocol that makes them a fact."""

import json
from collections import defaultdict
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from jax.sharding import Mesh
from PIL.Image import Image

from jaxcap.atomic import write_text
from jaxcap.captioned import Captioning, captioned
from jaxcap.data.image import decode_rgb
from jaxcap.data.pipeline import EvalExample, trouble
from jaxcap.data.record import Source
from jaxcap.decode import Search
from jaxcap.errors import UserError
from jaxcap.metrics.collapse import collapse
from jaxcap.metrics.files import read_predictions
from jaxcap.metrics.report import check_images, exact_match, protocol_of, score
from jaxcap.progress import bar
from jaxcap.protocol import signature


@dataclass(frozen=True)
class Evaluation:
    """What an evaluation found.

    Attributes:
      predictions: image id -> caption, the best of the search.
      scores: by the reference scorer's names, as it gives them.
      checks: signs of a collapsed model (see `jaxcap.metrics.collapse.collapse`).
      signature: the protocol.
      unreadable: image id -> why it could not be read, of those that are in no score for that.
      lacking: scores that were asked for and not computed, and what they need.
    """

    predictions: dict[str, str]
    scores: dict[str, float]
    checks: dict[str, float]
    signature: str
    unreadable: dict[str, str]
    lacking: dict[str, str]


def evaluate(
    captioning: Captioning,
    variables: Any,
    example: EvalExample,
    mesh: Mesh,
    *,
    batch_size: int,
    search: Search,
    step: int,
    seed: int,
    images: int = 0,
    workers: int = 0,
    also: Collection[str] = ("METEOR",),
    progress: bool = False,
) -> Evaluation:
    """Caption each image of a split (or the first `images`) once, and score it.

    Args:
      captioning, variables, example, mesh: see `jaxcap.captioned.captioned`.
      batch_size: over all devices.
      search: of `captioning`.
      step, seed: of the checkpoint, for the signature.
      images: 0 is all.
      workers: of the pipeline.
      also: metrics that are computed on request; see `jaxcap.metrics.report.score`.
      progress: whether to show a bar.

    Raises:
      UserError: no image can be read.
    """
    source = example.source
    said: dict[int, str] = {}
    unreadable: dict[str, str] = {}
    indices = range(min(images or len(source), len(source)))
    sizes = {"batch_size": batch_size, "workers": workers}
    with bar("images captioned", len(indices), shown=progress) as advance:
        for found in captioned(captioning, variables, example, mesh, indices, **sizes):
            if found.shown:
                said[found.index] = example.tokenizer.decode(found.tokens[0].tolist())
            else:
                image = source.told(found.index).image_id
                unreadable[image] = trouble(example.view, source, found.index)
            advance(1)
    if not said:
        raise UserError(
            f"None of the {len(unreadable)} images of {source.name}, split {source.split}, could "
            f"be read; the first: {next(iter(unreadable.values()))}."
        )
    return _scored(
        said,
        unreadable,
        source,
        seed,
        also,
        tokenizer=example.tokenizer.signature,
        search=search.signature(),
        eos="not_scored",
        step=step,
        seed=seed,
    )


def evaluate_predictions(file: Path, source: Source, seed: int) -> Evaluation:
    """Score captions that were made elsewhere against a split.

    Args:
      file: in COCO's results format.
      source: the split; an image without a prediction must be one that cannot be read.
      seed: of the shuffle that shows a collapsed model.

    Raises:
      UserError: a wrong file, or images without predictions or predictions without images.
    """
    predictions = read_predictions(file)
    indices = {source.told(index).image_id: index for index in range(len(source))}

    def decoded(index: int) -> list[Image]:
        return [decode_rgb(image) for image in source[index].images]

    lacking = {image: index for image, index in indices.items() if image not in predictions}
    troubles = {image: trouble(decoded, source, index) for image, index in lacking.items()}
    unreadable = {image: why for image, why in troubles.items() if why}
    scored = indices.keys() - unreadable.keys()
    check_images(predictions, {image: source.told(indices[image]).captions for image in scored})
    said = {indices[image]: caption for image, caption in predictions.items()}
    return _scored(said, unreadable, source, seed, ("METEOR",), predictions=file.name)


def _scored(
    said: dict[int, str],
    unreadable: dict[str, str],
    source: Source,
    shuffle: int,
    also: Collection[str],
    **protocol: object,
) -> Evaluation:
    predictions, references, groups = {}, {}, defaultdict(list)
    for index in sorted(said):
        record = source.told(index)
        predictions[record.image_id] = said[index]
        references[record.image_id] = record.captions
        level = record.prompt.strip("<>")
        for parts in {(record.group,), (level,), (record.group, level)}:
            groups["_".join(("exact_match", *filter(None, parts)))].append(record.image_id)
    right = exact_match(predictions, references)
    found = score(predictions, references, also)
    scores = dict(found.corpus)
    for name, members in sorted(groups.items()):
        scores[name] = float(np.mean([right[image] for image in members]))
    scores["exact_match"] = float(np.mean(list(right.values())))
    line = signature(
        data=source.name,
        split=source.split,
        images=len(predictions),
        references=sum(map(len, references.values())),
        words="ptb",
        **protocol_of(found),
        **protocol,
    )
    checks = collapse(predictions, references, shuffle)
    return Evaluation(predictions, scores, checks, line, unreadable, dict(found.lacking))


def report(found: Evaluation) -> dict[str, Any]:
    """The object of scores.json."""
    return {
        "scores": found.scores,
        "checks": found.checks,
        "signature": found.signature,
        "unreadable": list(found.unreadable),
        "lacking": found.lacking,
    }


def write(found: Evaluation, folder: Path) -> None:
    """Write predictions.json (COCO's results format) and scores.json, each whole or not at all."""
    folder.mkdir(parents=True, exist_ok=True)
    results = [
        {"image_id": image, "caption": caption} for image, caption in found.predictions.items()
    ]
    write_text(folder / "predictions.json", json.dumps(results, ensure_ascii=False, indent=1))
    write_text(folder / "scores.json", json.dumps(report(found), indent=2) + "\n")
