"""`jaxcap export`."""

from pathlib import Path
from typing import Annotated

import typer

from jaxcap.cli.options import Beams, MaxLength, RunDirectory
from jaxcap.progress import waiting


def export(
    run: RunDirectory,
    out: Annotated[Path, typer.Argument(help="A file, such as captioner.stablehlo.")],
    beams: Beams = None,
    max_length: MaxLength = None,
    prefix: Annotated[str, typer.Option(help="What every caption begins with.")] = "",
) -> None:
    """Write a captioner as one file that needs nothing but jax: programs, weights and words.

    \b
    jaxcap export runs/mine captioner.stablehlo
    python -c "from jaxcap.export import load; print(load('captioner.stablehlo').card)"

    `jaxcap.export.load` reads it; so does a script without jaxcap: python -m pydoc jaxcap.export.
    """  # noqa: D301
    from jaxcap.export.write import export as write

    search = {"beams": beams, "max_len": max_length}
    with waiting(f"Exporting {run}"):
        given = {name: value for name, value in search.items() if value is not None}
        card = write(run, out, prompt=prefix, **given)
    size = out.stat().st_size / 1e6
    typer.echo(f"Written to {out}: step {card['step']}, {card['search']}, {size:.1f} MB.")
