"""The `jaxcap` command: caption, eval, score, convert, prepare; for training see `jaxcap.main`."""

import json
import sys
from pathlib import Path
from typing import Annotated, Any

import typer
from absl import logging
from typer.core import TyperGroup

from jaxcap.cli_caption import caption
from jaxcap.cli_options import AsJson, Beams, MaxLength, RunDirectory
from jaxcap.cli_score import score
from jaxcap.errors import UserError


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

app.command()(caption)
app.command()(score)


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


if __name__ == "__main__":
    main()
