"""What is told of photographs, and where: on the standard output, in a file, or beside them."""

import csv
import json
import os
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any, Protocol

import typer

from jaxcap.errors import UserError

if TYPE_CHECKING:
    from jaxcap.caption import Caption
    from jaxcap.confidence import Word


@dataclass(frozen=True)
class Told:
    """What is told of one photograph, or of several that belong together.

    Attributes:
      name: of them.
      files: where those lie that are files.
      captions: best first.
      words: of the best, where it was asked how sure they are.
      error: why there is no caption, as a sentence.
    """

    name: str
    files: Sequence[Path]
    captions: Sequence["Caption"] = ()
    words: Sequence["Word"] | None = None
    error: str = ""

    def as_object(self) -> dict[str, Any]:
        """As an object of JSON."""
        if self.error:
            return {"image": self.name, "error": self.error}
        captions: list[dict[str, Any]] = [
            {"text": c.text, "score": c.score, "tokens": c.tokens, "logprobs": c.logprobs}
            for c in self.captions
        ]
        if self.words is not None and captions:
            captions[0]["words"] = [
                {"text": w.text, "probability": w.probability, "image": w.image, "low": w.is_low}
                for w in self.words
            ]
        return {"image": self.name, "captions": captions}


class Output(Protocol):
    """Where it is told."""

    def tell(self, told: Told) -> None:
        """Of one more photograph."""


class Errors:
    """Only what could not be captioned, on the standard error."""

    def tell(self, told: Told) -> None:
        """A line, if there is an error."""
        if told.error:
            typer.echo(f"jaxcap: {told.error}", err=True)


class Lines(Errors):
    """For people, on the standard output."""

    def tell(self, told: Told) -> None:
        """A photograph's name, and a line for each caption; or its error."""
        super().tell(told)
        if told.error:
            return
        typer.echo(told.name)
        for place, caption in enumerate(told.captions):
            typer.echo(f"  {caption.score:7.3f}  {caption.text}")
            for word in (told.words or ()) if place == 0 else ():
                mark = "  low" if word.is_low else ""
                typer.echo(f"{word.probability:16.1%}  {word.image:+6.2f}  {word.text}{mark}")


class JsonLines:
    """For programs: an object a line."""

    def __init__(self, file: IO[str] | None = None):
        self._file = file

    def tell(self, told: Told) -> None:
        """One line."""
        typer.echo(json.dumps(told.as_object()), file=self._file)


class Table:
    """A CSV file of rows image,caption,score,error: a row a caption, or a photograph's error.

    Where each row is of one file it can be trained on, as csv:FILE: files are named as they are
    found from its folder.
    """

    def __init__(self, file: IO[str], folder: Path):
        self._rows, self._folder = csv.writer(file), folder.resolve()
        self._rows.writerow(["image", "caption", "score", "error"])

    def tell(self, told: Told) -> None:
        """The rows of a photograph."""
        places = (os.path.relpath(file.resolve(), self._folder) for file in told.files)
        name = "+".join(places) or told.name
        if told.error:
            self._rows.writerow([name, "", "", told.error])
        for each in told.captions:
            self._rows.writerow([name, each.text, f"{each.score:.6f}", ""])


@contextmanager
def outputs(
    jsonl: Path | None, table: Path | None, beside: Output | None, as_json: bool
) -> Iterator[list[Output]]:
    """Every place where it is told: the files that were asked for, or else the standard output.

    Raises:
      UserError: a file cannot be written.
    """
    with ExitStack() as stack:
        files: list[Output] = [] if beside is None else [beside]
        if jsonl is not None:
            files.append(JsonLines(stack.enter_context(whole(jsonl))))
        if table is not None:
            files.append(Table(stack.enter_context(whole(table)), table.parent))
        yield [*files, Errors()] if files else [JsonLines() if as_json else Lines()]


@contextmanager
def whole(file: Path) -> Iterator[IO[str]]:
    """A text file that has its name once it is whole; until then, or if cut short, NAME.part.

    Raises:
      UserError: it cannot be written.
    """
    part = file.with_name(f"{file.name}.part")
    try:
        with part.open("w", encoding="utf-8", errors="surrogateescape", newline="") as opened:
            yield opened
        part.replace(file)
    except OSError as error:
        raise UserError(f"{file} cannot be written: {error.strerror or error}.") from error
