"""Reading what is scored: predictions in COCO's results format, references in two formats."""

import json
from collections.abc import Iterator
from pathlib import Path

from jaxcap.errors import UserError

_PREDICTIONS = 'a list of {"image_id": ..., "caption": "..."}, as COCO\'s results are'
_REFERENCES = (
    'an object with "annotations", a list of {"image_id": ..., "caption": "..."}, as COCO\'s are, '
    'or an object {"image id": ["caption", ...], ...}'
)


def read_predictions(path: str | Path) -> dict[str, str]:
    """Image id -> caption, from `[{"image_id": 42, "caption": "a dog"}, ...]`; ids become text.

    Raises:
      UserError: no such file, not JSON, another layout, or an image with two captions.
    """
    content = _read_json(path)
    if not isinstance(content, list):
        raise _layout(path, _PREDICTIONS, content)
    predictions: dict[str, str] = {}
    twice = []
    for image, caption in _entries(path, _PREDICTIONS, content):
        if image in predictions:
            twice.append(image)
        predictions[image] = caption
    if twice:
        raise UserError(
            f"{path}: {len(twice):,} predictions are for an image that has one already, such as "
            f"image id {twice[0]!r}. Expected one caption an image: keep the best of each."
        )
    return predictions


def read_references(path: str | Path) -> dict[str, list[str]]:
    """Image id -> captions, from COCO's annotations or `{"42": ["a dog", ...]}`; ids become text.

    Raises:
      UserError: no such file, not JSON, another layout, or an image id that is there twice.
    """
    content = _read_json(path)
    if not isinstance(content, dict):
        raise _layout(path, _REFERENCES, content)
    references: dict[str, list[str]] = {}
    if isinstance(annotations := content.get("annotations"), list):
        for image, caption in _entries(path, _REFERENCES, annotations):
            references.setdefault(image, []).append(caption)
        return references
    for image, captions in content.items():
        if not isinstance(captions, list) or not all(isinstance(one, str) for one in captions):
            raise _layout(path, _REFERENCES, captions, f" under {image!r}")
        references[image] = captions
    return references


def _entries(path: str | Path, expected: str, entries: list) -> Iterator[tuple[str, str]]:
    for number, entry in enumerate(entries):
        match entry:
            case {"image_id": int() | str() as image, "caption": str() as caption} if (
                not isinstance(image, bool)
            ):
                yield str(image), caption
            case _:
                raise _layout(path, expected, entry, f" as entry {number} (counted from 0)")


def _read_json(path: str | Path) -> object:
    try:
        text = Path(path).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise UserError(f"{path}: this file cannot be read ({error}). Expected JSON.") from error
    try:
        return json.loads(text, object_pairs_hook=lambda pairs: _object(path, pairs))
    except json.JSONDecodeError as error:
        raise UserError(
            f"{path}: not JSON: {error}. Expected one JSON document in the file; one object a "
            "line (JSON Lines) has to be made a list first."
        ) from error


def _object(path: str | Path, pairs: list[tuple[str, object]]) -> dict[str, object]:
    content = dict(pairs)
    if len(content) < len(pairs):
        keys = [key for key, _ in pairs]
        twice = next(key for key in keys if keys.count(key) > 1)
        raise UserError(
            f"{path}: {twice!r} stands twice in one object, and only the last would count. "
            "Expected each image id once, with all of its captions."
        )
    return content


def _layout(path: str | Path, expected: str, found: object, where: str = "") -> UserError:
    return UserError(f"{path}: expected {expected}. Found{where}: {_describe(found)}.")


def _describe(found: object) -> str:
    match found:
        case {}:
            return f"an object with the keys {list(found)[:6]}"
        case [first, *_]:
            return f"a list that begins with {json.dumps(first)[:60]}"
        case _:
            return json.dumps(found)[:60]
