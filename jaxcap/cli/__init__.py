"""The `jaxcap` command; each of its commands is a file here."""

from collections.abc import Callable
from typing import Any

import typer
from absl import logging
from typer.core import TyperGroup

from jaxcap.cli.caption import caption
from jaxcap.cli.convert import convert
from jaxcap.cli.evaluate import evaluate
from jaxcap.cli.info import info
from jaxcap.cli.prepare import prepare
from jaxcap.cli.score import score
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

COMMANDS: dict[str, Callable[..., None]] = {
    "prepare": prepare,
    "caption": caption,
    "eval": evaluate,
    "score": score,
    "convert": convert,
    "info": info,
}
for name, command in COMMANDS.items():
    app.command(name)(command)


def main() -> None:
    """The entry point."""
    app()
