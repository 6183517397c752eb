"""The `jaxcap` command: caption, eval, score, convert, prepare; for training see `jaxcap.main`."""

import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from absl import logging
from typer.core import TyperGroup

from jaxcap.cli_bulk import caption_input
from jaxcap.cli_files import boxes_of, drawings_of, images_of, write_drawing
from jaxcap.errors import UserError

if TYPE_CHECKING:
    from jaxcap.captioner import Caption


class Commands(TyperGroup):
    """The commands; a user's mistake is one message and exit code 2."""

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        logging.set_verbosity(logging.ERROR)
        try:
            return super().invoke(ctx)
        except UserError as error:
            typer.echo(f"jaxcap: {error}", err=True)
            raise typer.Exit(2) from error


app = typer.Typer(
    cls=Commands,
    help="Image captioning in JAX and Flax. To train: python -m jaxcap.main --help",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

RunDirectory = Annotated[Path, typer.Argument(metavar="RUN", help="What training wrote.")]
Beams = Annotated[int | None, typer.Option(min=1, help="1 is greedy search. Default: the run's.")]
MaxLength = Annotated[
    int | None, typer.Option(min=1, help="Tokens after the prompt, EOS included.")
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs instead of people.")]


@app.command()
def caption(
    run: RunDirectory,
    paths: Annotated[
        list[Path] | None, typer.Argument(metavar="PATH...", help="Files or folders.")
    ] = None,
    given: Annotated[
        str | None,
        typer.Option("--input", help="Millions: a list of paths, an ArrayRecord glob, any source."),
    ] = None,
    output: Annotated[Path | None, typer.Option(help="Folder for the captions of --input.")] = None,
    part: Annotated[
        str, typer.Option(help="Of --input, for this process, of how many: 0/1, 3/16.")
    ] = "0/1",
    split: Annotated[str, typer.Option(help="Of --input, if that has more than one.")] = "all",
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Of --input, over all devices.")
    ] = None,
    workers: Annotated[int, typer.Option(min=0, help="Of --input: processes that read.")] = 0,
    beams: Beams = None,
    num: Annotated[int, typer.Option(min=1, help="Captions of an image.")] = 1,
    max_length: MaxLength = None,
    prompt: Annotated[str, typer.Option(help="What every caption begins with.")] = "",
    together: Annotated[
        bool, typer.Option("--together", help="One caption of them all: before.jpg after.jpg.")
    ] = False,
    boxes: Annotated[
        Path | None,
        typer.Option(help="JSON: {file name: [[left, top, right, bottom], ...]}, in pixels."),
    ] = None,
    explain: Annotated[
        Path | None, typer.Option(help="PNG of where the decoder looked; or a folder for them.")
    ] = None,
    explain_layer: Annotated[int | None, typer.Option(help="From 0. Default: mean of all.")] = None,
    explain_head: Annotated[int | None, typer.Option(help="From 0. Default: mean of all.")] = None,
    similarity: Annotated[
        Path | None, typer.Option(help="PNG of how alike its words are; or a folder for them.")
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Caption photographs; or, from --input to --output, millions of them.

    An unreadable one is reported, and the others go on; the exit code is then 1.
    """
    if given is not None or output is not None:
        if paths or given is None or output is None:
            raise UserError("--input and --output belong together, and take no other PATH.")
        settings = {
            "search.beams": beams,
            "search.max_len": max_length,
            "eval.batch_size": batch_size,
            "data.workers": workers,
        }
        return caption_input(run, given, output, part=part, split=split, settings=settings)
    if not paths:
        raise UserError("Name photographs or folders to caption, or --input and --output.")
    if explain is None and (explain_layer is not None or explain_head is not None):
        raise UserError("--explain-layer and --explain-head are of a drawing: add --explain PNG.")
    files = [file for path in paths for file in images_of(path)]
    records = [tuple(files)] if together else [(file,) for file in files]
    regions = None if boxes is None else boxes_of(boxes, records)
    looks, alike = drawings_of(records, explain=explain, similarity=similarity)

    from jaxcap.captioner import BATCHES, Captioner  # jax takes seconds to import
    from jaxcap.data.image import ImageError
    from jaxcap.explain_picture import draw_looks, draw_similarity

    captioner = Captioner.load(run)
    failed = False
    for start in range(0, len(records), BATCHES[-1]):
        batch = range(start, min(start + BATCHES[-1], len(records)))
        shown, errors = {}, {}
        for index in batch:
            try:
                shown[index] = captioner.shown(records[index], regions and regions[index])
            except ImageError as error:
                errors[index], failed = str(error), True
        captions = captioner.of_shown(
            shown.values(),
            beams=beams,
            num=num,
            max_length=max_length,
            prompt=prompt,
            first=start,
        )
        found = dict(zip(shown, captions, strict=True))
        for index in batch:
            name = "+".join(map(str, records[index]))
            if index in errors:
                _print_error(name, errors[index], as_json)
                continue
            if looks or alike:
                best = next(iter(found[index]), None)
                explained = captioner.explain(records[index], best, regions and regions[index])
                if looks:
                    write_drawing(draw_looks(explained, explain_layer, explain_head), looks[index])
                if alike:
                    write_drawing(draw_similarity(explained), alike[index])
            _print_captions(name, found[index], as_json)
    raise typer.Exit(1 if failed else 0)


@app.command("eval")
def evaluate(
    run: RunDirectory,
    data: Annotated[str | None, typer.Option(help="Any data source. Default: the run's.")] = None,
    split: Annotated[str | None, typer.Option(help="Default: the run's, of evaluation.")] = None,
    beams: Beams = None,
    max_length: MaxLength = None,
    length_penalty: Annotated[float | None, typer.Option(help="Default: the run's.")] = None,
    batch_size: Annotated[int | None, typer.Option(min=1, help="Over all devices.")] = None,
    region_features: Annotated[
        Path | None, typer.Option(help="Files of features of regions. Default: the run's.")
    ] = None,
    out: Annotated[Path | None, typer.Option(help="Default: the run directory.")] = None,
    as_json: AsJson = False,
) -> None:
    """Caption and score a split of any data source with the best checkpoint of a run.

    Writes predictions.json and scores.json. In the place of RUN there may also be a file of
    predictions in COCO's results format, which is only scored; files are then written to --out.
    """
    from jaxcap.data.sources import open_source
    from jaxcap.evaluate import evaluate_predictions, report, write
    from jaxcap.experiment import Experiment
    from jaxcap.modes import evaluate_run
    from jaxcap.run import Run
    from jaxcap.train import print_scores

    if run.is_file():
        if data is None or split is None:
            raise UserError(f"To score {run}, name what it is of: --data SOURCE --split NAME.")
        found, step = evaluate_predictions(run, open_source(data, split), seed=0), None
        if out is not None:
            write(found, out)
    else:
        bundle = Run(run)
        search = {"beams": beams, "max_len": max_length, "length_penalty": length_penalty}
        given = {
            "data.source": data,
            "data.eval": split,
            "data.region_features": None if region_features is None else str(region_features),
            "eval.batch_size": batch_size,
            **{f"search.{name}": value for name, value in search.items()},
        }
        experiment = Experiment.of_run(bundle, {k: v for k, v in given.items() if v is not None})
        found, step = evaluate_run(experiment, bundle, out or bundle.path)
    if as_json:
        typer.echo(json.dumps(report(found)))
    else:
        print_scores(found, step)


@app.command()
def score(
    predictions: Annotated[Path, typer.Argument(help="In COCO's results format.")],
    references: Annotated[
        Path, typer.Argument(help="COCO annotations, or {image id: [captions]}.")
    ],
    as_json: AsJson = False,
) -> None:
    """Score a file of predictions."""
    from jaxcap.metrics import report
    from jaxcap.metrics.files import read_predictions, read_references
    from jaxcap.protocol import signature

    said, expected = read_predictions(predictions), read_references(references)
    scores = report.score(said, expected).corpus
    line = signature(
        references_file=references.name,
        images=len(said),
        references=sum(map(len, expected.values())),
        words="ptb",
    )
    if as_json:
        typer.echo(json.dumps({"scores": scores, "signature": line}))
    else:
        _print_numbers(scores)
        typer.echo(line)


@app.command()
def convert(
    source: Annotated[
        Path, typer.Argument(help="A captioner in the Hugging Face layout; with --to, a run.")
    ],
    out: Annotated[Path, typer.Argument(help="A new directory.")],
    to: Annotated[
        str | None, typer.Option(help="hf: from a run to the Hugging Face layout.")
    ] = None,
) -> None:
    """Turn a published captioner into a run directory, or a run into what Transformers loads."""
    if to not in (None, "hf"):
        raise UserError(f"There is no layout {to!r} to convert to; there is hf.")
    is_run = (source / "checkpoints").is_dir()
    if is_run and to is None:
        raise UserError(f"{source} is a run directory. Add --to hf to convert it to that layout.")
    if to == "hf" and (source / "config.json").is_file() and not is_run:
        raise UserError(
            f"{source} is no run directory: it has no folder checkpoints. Leave --to out to make "
            "one of it."
        )
    if to == "hf":
        from jaxcap.interop.export import export

        export(source, out)
    else:
        from jaxcap.interop.convert import convert as read

        for line in read(source, out).lines():
            typer.echo(line)
    typer.echo(f"Written to {out}.")


@app.command()
def prepare(
    source: Annotated[str, typer.Argument(help="Any data source, such as csv:my/table.csv.")],
    out: Annotated[Path, typer.Argument(help="A new folder, or that of an interrupted run.")],
    split: Annotated[
        list[str] | None, typer.Option(help="Repeat it for several. Default: all.")
    ] = None,
    short_side: Annotated[int, typer.Option(min=1, help="Pixels.")] = 256,
    workers: Annotated[
        int | None, typer.Option(min=0, help="Processes. Default: one a core.")
    ] = None,
    max_bad_share: Annotated[
        float, typer.Option(min=0, max=1, help="Blemishes allowed for each image of a split.")
    ] = 0.01,
) -> None:
    """Turn a data source into a TFDS data set of small JPEGs, in ArrayRecord files."""
    from jaxcap.data.prepare import REPORT
    from jaxcap.data.prepare import prepare as write

    made = write(
        source,
        out,
        splits=split or None,
        short_side=short_side,
        workers=workers,
        max_bad_share=max_bad_share,
        progress=sys.stderr.isatty(),
    )
    for name, found in made.splits.items():
        left_out = len(found.blemishes)
        typer.echo(f"{name}: {found.kept:,} of {found.records:,} images, {left_out:,} blemishes")
    typer.echo(f"Written to {made.folder} (read it as tfds:{made.folder}); see its {REPORT}.")


def main() -> None:
    """The entry point."""
    app()


def _print_captions(name: str, captions: "list[Caption]", as_json: bool) -> None:
    if as_json:
        told = [
            {"text": c.text, "score": c.score, "tokens": c.tokens, "logprobs": c.logprobs}
            for c in captions
        ]
        typer.echo(json.dumps({"image": name, "captions": told}))
        return
    typer.echo(name)
    for each in captions:
        typer.echo(f"  {each.score:7.3f}  {each.text}")


def _print_error(name: str, sentence: str, as_json: bool) -> None:
    if as_json:
        typer.echo(json.dumps({"image": name, "error": sentence}))
    else:
        typer.echo(f"jaxcap: {sentence}", err=True)


def _print_numbers(numbers: Mapping[str, float]) -> None:
    for name, number in numbers.items():
        typer.echo(f"{name:<10} {number:.4f}")


if __name__ == "__main__":
    main()
