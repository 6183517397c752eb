"""`jaxcap convert`."""

from pathlib import Path
from typing import Annotated

import typer

from jaxcap.errors import UserError
from jaxcap.progress import waiting


def convert(
    source: Annotated[
        Path, typer.Argument(help="A captioner in the Hugging Face layout; with --to, a run.")
    ],
    out: Annotated[Path, typer.Argument(help="A new directory.")],
    to: Annotated[
        str | None,
        typer.Option(
            help="hf: from a run to the Hugging Face layout; slim: to a run that only captions, "
            "with weights of half the size."
        ),
    ] = None,
    license: Annotated[str, typer.Option(help="Of the weights, for --to slim.")] = "",
) -> None:
    """Turn a published captioner into a run directory, or a run into what Transformers loads.

    With --to slim a run becomes one to pass on: no optimizer, weights in bfloat16, a model card.
    """
    if to not in (None, "hf", "slim"):
        raise UserError(f"There is no layout {to!r} to convert to; there are hf and slim.")
    if license and to != "slim":
        raise UserError("--license belongs to --to slim.")
    is_run = (source / "checkpoints").is_dir()
    if is_run and to is None:
        raise UserError(f"{source} is a run directory. Add --to hf to convert it to that layout.")
    if to is not None and (source / "config.json").is_file() and not is_run:
        raise UserError(
            f"{source} is no run directory: it has no folder checkpoints. Leave --to out to make "
            "one of it."
        )
    with waiting(f"Converting {source}"):
        for line in _converted(source, out, to, license):
            typer.echo(line)
    typer.echo(f"Written to {out}.")


def _converted(source: Path, out: Path, to: str | None, license: str) -> list[str]:
    """Convert, and what there is to tell of it."""
    if to == "hf":
        from jaxcap.interop.export import export

        export(source, out)
        return []
    if to == "slim":
        from jaxcap.interop.slim import slim

        slim(source, out, license)
        return []
    from jaxcap.interop.convert import convert as read

    return list(read(source, out).lines())
