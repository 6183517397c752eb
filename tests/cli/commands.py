"""The command line, called from tests."""

import json

from typer.testing import CliRunner

from jaxcap.cli import app


def command(*words, **given):
    return CliRunner().invoke(app, [str(word) for word in words], **given)


def lines(result):
    return [json.loads(line) for line in result.stdout.splitlines()]
