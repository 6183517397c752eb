"""`jaxcap eval`."""

import json
from pathlib import Path
from typing import Annotated

import typer

from jaxcap.cli.options import AsJson, Beams, MaxLength, RunDirectory
from jaxcap.errors import UserError


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

    if out is not None:
        out.mkdir(parents=True, exist_ok=True)  # what cannot be written shows before the work
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
