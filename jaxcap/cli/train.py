"""`jaxcap train`."""

import sys
from typing import Annotated

import typer

from jaxcap.errors import UserError
from jaxcap.named_config import shipped

# Words that are not known here go on to jaxcap.main as they are.
FLAGS = {"allow_extra_args": True, "ignore_unknown_options": True}
EXAMPLE = "jaxcap train --config shapes --workdir runs/shapes"


def train(
    context: typer.Context,
    config: Annotated[
        str | None,
        typer.Option(metavar="NAME[:ARG]", help="shapes, shapes:long, or a file: my/config.py."),
    ] = None,
    workdir: Annotated[
        str | None, typer.Option(metavar="RUN", help="The run directory, new or to go on with.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="The configs there are, and end.")] = False,
) -> None:
    """Train a captioner, or go on training one that was stopped: the same command does.

    \b
    jaxcap train --list
    jaxcap train --config shapes --workdir runs/shapes
    jaxcap train --config shapes:long --workdir runs/long --config.optim.lr=3e-4 --config.seed=1
    jaxcap train --config shapes --workdir runs/shapes --mode=eval

    A config is a short Python file, and any of its fields can be set behind it. What is not named
    here is a flag of python -m jaxcap.main, and is told by its --help. Folders that a config names,
    such as datasets/coco, are looked for where the command is given.
    """  # noqa: D301  (Click knows examples by a backspace)
    if listed:
        names = shipped()
        for name, about in names.items():
            typer.echo(f"{name:{max(map(len, names))}}  {about}")
        return
    if config is None:
        raise UserError(f"Both --config and --workdir are needed, for example: {EXAMPLE}")

    from jaxcap import main

    given = {"config": config, "workdir": workdir}
    named = [f"--{name}={value}" for name, value in given.items() if value is not None]
    sys.argv = ["jaxcap train", *named, *context.args]
    main.main()
