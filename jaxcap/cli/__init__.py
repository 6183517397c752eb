"""The `jaxcap` command; each of its commands is a file here."""

import os
import sys
from collections.abc import Callable
from io import TextIOWrapper
from typing import Any

import typer
from absl import logging
from typer.core import TyperGroup

from jaxcap.cli.caption import caption
from jaxcap.cli.convert import convert
from jaxcap.cli.evaluate import evaluate
from jaxcap.cli.export import export
from jaxcap.cli.info import info
from jaxcap.cli.prepare import prepare
from jaxcap.cli.score import score
from jaxcap.cli.serve import serve
from jaxcap.cli.train import FLAGS, train
from jaxcap.errors import UserError


class Commands(TyperGroup):
    """The commands; a user's mistake is one message and exit code 2.

    So is a place where nothing can be read or written.
    """

    def invoke(self, ctx: Any) -> Any:
        """Run the command that was asked for."""
        logging.set_verbosity(logging.ERROR)
        os.environ.setdefault("TRANSFORMERS_NO_ADVISORY_WARNINGS", "1")  # that PyTorch is not there
        try:
            return super().invoke(ctx)
        except UserError as error:
            raise _told(str(error)) from error
        except OSError as error:
            if error.filename is None:
                raise
            raise _told(f"{error.filename}: {error.strerror}.") from error


def _told(message: str) -> typer.Exit:
    typer.echo(f"jaxcap: {message}", err=True)
    return typer.Exit(2)


HELP = """Image captioning in JAX and Flax: a photograph goes in, a sentence comes out.

\b
jaxcap caption photo.jpg                        what is on it
jaxcap caption runs/mine holiday/ --csv c.csv   a run of your own, a folder
jaxcap train --list                             what there is to train
jaxcap COMMAND --help                           all there is to each of them

Exit codes: 0 all is well; 1 some photographs could not be read, and the others were captioned; 2 a
mistake, which the message says how to mend; 143 training was stopped by SIGTERM, and goes on when
the same command is given again.
"""

app = typer.Typer(
    cls=Commands,
    help=HELP,
    no_args_is_help=True,
    rich_markup_mode=None,  # plain text: paragraphs are filled, examples stand as they are
    pretty_exceptions_enable=False,
)

COMMANDS: dict[Callable[..., None], tuple[str, str]] = {
    prepare: ("prepare", "Any data source as small JPEGs, to train on."),
    caption: ("caption", "Photographs to sentences."),
    evaluate: ("eval", "The scores of a run on any split of any data."),
    score: ("score", "The scores of anybody's predictions."),
    convert: ("convert", "Weights from elsewhere, weights for elsewhere."),
    serve: ("serve", "A captioner behind a web page and an API."),
    export: ("export", "A captioner as one file, for jax alone."),
    info: ("info", "What a run is, how it scores, whose it is."),
}
app.command("train", short_help="A captioner of your own.", context_settings=FLAGS)(train)
for command, (name, short) in COMMANDS.items():
    app.command(name, short_help=short)(command)


def main() -> None:
    """The entry point."""
    if isinstance(sys.stdout, TextIOWrapper):
        sys.stdout.reconfigure(errors="surrogateescape")  # names of files are what bytes they are
    app()
