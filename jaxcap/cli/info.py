"""`jaxcap info`."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import typer

from jaxcap.boxed import BOXED
from jaxcap.cli.options import AsJson


def info(
    run: Annotated[
        Path, typer.Argument(metavar="[RUN]", help="Default: the captioner in the box.")
    ] = BOXED,
    as_json: AsJson = False,
) -> None:
    """What a run is: network, parameters, data, steps, scores with their protocol, license."""
    from jaxcap.about import about
    from jaxcap.run import Run

    found = about(Run(run))
    typer.echo(json.dumps(found) if as_json else "\n".join(_told(found)))


def _told(found: Mapping[str, Any]) -> list[str]:
    scores = found["scores"]
    counts = {part: f"{count:,}" for part, count in found["parameters"].items()}
    sections = {
        found["name"]: {**found["network"], "Words": found["words"]},
        "Parameters": counts,
        "Training": found["training"],
        "Scores": {"": "none of this step"}
        if scores is None
        else {name: f"{number:.4f}" for name, number in scores["scores"].items()}
        | {"Protocol": scores["signature"]},
        "Weights": {"License": found["license"] or "not told"},
    }
    return [
        line
        for title, rows in sections.items()
        for line in (title, *(f"  {name:<12} {value}" for name, value in rows.items()))
    ]
