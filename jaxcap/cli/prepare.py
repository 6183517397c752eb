"""`jaxcap prepare`."""

import sys
from pathlib import Path
from typing import Annotated

import typer


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
