"""Which captioner is meant: the run that is named, or the one in the box."""

from collections.abc import Sequence
from pathlib import Path

from jaxcap.boxed import BOXED
from jaxcap.cli.pictures import SUFFIXES, Picture, is_pattern
from jaxcap.errors import UserError


def run_and_rest(words: Sequence[str]) -> tuple[Path, list[str]]:
    """The run that the first word names, or else the one in the box; and the words after it.

    Raises:
      UserError: the first word is neither a run nor could it be a photograph.
    """
    first, rest = next(iter(words), ""), list(words[1:])
    if (Path(first) / "config.json").is_file() and first:
        return Path(first), rest
    file = Picture(first).file
    named = file is None or file.exists() or file.suffix.lower() in SUFFIXES or is_pattern(first)
    if first and not named:
        raise UserError(
            f"{first} is not a run directory (there is no config.json in it), nor is there a "
            "photograph of that name."
        )
    return BOXED, list(words)
