"""Finding and reading the files of a data set; what is missing is told with what was there."""

import json
from pathlib import Path
from typing import Any

from jaxcap.errors import UserError, did_you_mean

LISTED = 8


def existing(path: str | Path, what: str) -> Path:
    """The path, its ~ expanded; UserError where nothing is there, with what lies nearby."""
    path = Path(path).expanduser()
    if path.exists():
        return path
    near = next(parent for parent in path.absolute().parents if parent.exists())
    raise UserError(f"There is no {what} at {path}. {entries(near)}")


def entries(folder: Path) -> str:
    """A sentence that names the first few entries of a folder."""
    if not folder.is_dir():
        return f"{folder} is a file, not a folder."
    names = sorted(entry.name for entry in folder.iterdir())
    more = f" and {len(names) - LISTED} more" if len(names) > LISTED else ""
    return f"{folder} holds {', '.join(names[:LISTED]) or 'nothing'}{more}."


def read_text(path: Path) -> str:
    """The text of a UTF-8 file, without a byte-order mark."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise UserError(
            f"{path} is not UTF-8 text (byte {error.start}). Save it as UTF-8."
        ) from error
    except OSError as error:
        raise UserError(f"{path} cannot be read: {error.strerror}.") from error


def read_json(path: Path) -> dict[str, Any]:
    """The object in a JSON file."""
    try:
        data = json.loads(read_text(path))
    except json.JSONDecodeError as error:
        raise UserError(f"{path} is not JSON: {error}. Was it copied whole?") from error
    if not isinstance(data, dict):
        raise UserError(f"{path} holds a JSON {type(data).__name__}; expected an object.")
    return data


def two_paths(rest: str, kind: str, json_file: str, folder: str) -> tuple[Path, Path]:
    """The file and the folder in "JSON,IMAGES", both there."""
    first, comma, second = rest.partition(",")
    if not comma or not first or not second:
        raise UserError(f"{kind}:{rest} lacks a part. Write {kind}:JSON,IMAGES.")
    return existing(first, json_file), existing(second, folder)


def no_split(source: str, split: str, known: tuple[str, ...]) -> UserError:
    """The error for a split that a source does not have."""
    return UserError(f"{source} has no split {split!r}. {did_you_mean(split, known)}")
