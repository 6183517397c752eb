"""Words of the command line that several commands share."""

from pathlib import Path
from typing import Annotated

import typer

RunDirectory = Annotated[Path, typer.Argument(metavar="RUN", help="What training wrote.")]
Beams = Annotated[int | None, typer.Option(min=1, help="1 is greedy search. Default: the run's.")]
MaxLength = Annotated[
    int | None, typer.Option(min=1, help="Tokens after the prompt, EOS included.")
]
AsJson = Annotated[bool, typer.Option("--json", help="For programs instead of people.")]


def named(context: typer.Context) -> set[str]:
    """The parameters that the command line names, whatever their values."""
    sources = {name: context.get_parameter_source(name) for name in context.params}
    return {name for name, source in sources.items() if source and source.name == "COMMANDLINE"}
