"""COCO's caption annotations: `coco:JSON,IMAGES`, for captions_train2017.json and its like.

The file is one split. It goes by the name in the file ("train2017"), by that without the year
("train") and by "all".
"""

from collections import defaultdict
from pathlib import Path
from typing import Any

from jaxcap.data.sources.files import no_split, read_json, two_paths
from jaxcap.data.sources.folder import Blemish, Folder, Item
from jaxcap.errors import UserError


def coco_splits(rest: str) -> tuple[str, ...]:
    """The one split, as the file names it."""
    path, _ = _paths(rest)
    return (_name(path),)


def open_coco(rest: str, split: str) -> Folder:
    """The images of the file; an image's id is COCO's number of it."""
    path, images = _paths(rest)
    name = _name(path)
    known = tuple(dict.fromkeys((name, name.rstrip("0123456789"), "all")))
    if split not in known:
        raise no_split(path.name, split, known)
    data = read_json(path)
    try:
        files = [(str(image["id"]), image["file_name"]) for image in data["images"]]
        captions, numbers = _captions(data["annotations"])
    except (KeyError, TypeError) as error:
        raise UserError(
            f"{path} lacks {error}; expected COCO's caption annotations: images[] with id and "
            "file_name, annotations[] with image_id and caption (captions_*.json, "
            "not instances_*.json)."
        ) from error
    known_ids = {image_id for image_id, _ in files}
    orphans = [
        Blemish(f"{path.name}, annotations[{n}]", image_id, "captions an image that is not listed")
        for image_id in captions
        if image_id not in known_ids
        for n in numbers[image_id]
    ]
    items = (
        Item((images / file,), image_id, tuple(captions[image_id]), f"{path.name}, images[{n}]")
        for n, (image_id, file) in enumerate(files)
    )
    return Folder("coco", split, items, orphans)


def _paths(rest: str) -> tuple[Path, Path]:
    return two_paths(rest, "coco", "COCO annotation file", "folder of images")


def _name(path: Path) -> str:
    return path.stem.removeprefix("captions_")


def _captions(
    annotations: list[dict[str, Any]],
) -> tuple[dict[str, list[str]], dict[str, list[int]]]:
    """Captions, and the positions of their annotations, by image."""
    captions: dict[str, list[str]] = defaultdict(list)
    numbers: dict[str, list[int]] = defaultdict(list)
    for number, annotation in enumerate(annotations):
        captions[str(annotation["image_id"])].append(annotation["caption"])
        numbers[str(annotation["image_id"])].append(number)
    return captions, numbers
