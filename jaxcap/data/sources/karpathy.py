"""The Karpathy splits: `karpathy:JSON,IMAGES`, for dataset_coco.json and its like.

The JSON has `images`, each with `filename`, `split`, `sentences` (of which `raw` is used) and,
for COCO, `filepath` and `cocoid`. An image is IMAGES/filepath/filename where that folder exists,
else IMAGES/filename. COCO's "restval" belongs to "train". Published scores hold for these splits
only, so a split of a known data set that has another size is refused.
"""

from pathlib import Path
from typing import Any

from jaxcap.data.sources.files import no_split, read_json, two_paths
from jaxcap.data.sources.folder import Folder, Item
from jaxcap.errors import UserError

SIZES = {  # Karpathy & Fei-Fei, CVPR 2015, as everyone reports on them since
    "coco": {"train": 113_287, "val": 5000, "test": 5000},
    "flickr30k": {"train": 29_000, "val": 1014, "test": 1000},
    "flickr8k": {"train": 6000, "val": 1000, "test": 1000},
}


def karpathy_splits(rest: str) -> tuple[str, ...]:
    """The splits in the file, "restval" counted as "train"."""
    path, _ = _paths(rest)
    return _known(path, _images(path, read_json(path)))


def open_karpathy(rest: str, split: str) -> Folder:
    """A split; an image's id is its `cocoid`, or its file name where there is none."""
    path, images = _paths(rest)
    data = read_json(path)
    name = str(data.get("dataset", path.stem.removeprefix("dataset_")))
    listed = _images(path, data)
    chosen = [(n, each) for n, each in enumerate(listed) if _split(path, each) == split]
    if not chosen:
        raise no_split(path.name, split, _known(path, listed))
    expected = SIZES.get(name, {}).get(split, len(chosen))
    if len(chosen) != expected:
        raise UserError(
            f"{path} has {len(chosen):,} images in the split {split!r} of {name}; the Karpathy "
            f"split has {expected:,}. Take the original file, or, if yours differs on purpose, "
            'give it another name in its "dataset" field.'
        )
    return Folder(name, split, (_item(path, images, n, entry) for n, entry in chosen))


def _paths(rest: str) -> tuple[Path, Path]:
    return two_paths(rest, "karpathy", "Karpathy JSON", "folder of images")


def _images(path: Path, data: dict[str, Any]) -> list[dict[str, Any]]:
    if not isinstance(data.get("images"), list):
        raise UserError(f'{path} has no list "images"; expected dataset_coco.json or its like.')
    return data["images"]


def _known(path: Path, listed: list[dict[str, Any]]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_split(path, entry) for entry in listed))


def _split(path: Path, entry: dict[str, Any]) -> str:
    try:
        return "train" if entry["split"] == "restval" else str(entry["split"])
    except (KeyError, TypeError) as error:
        raise UserError(f'{path} has an image without a "split": {str(entry)[:80]}.') from error


def _item(path: Path, images: Path, number: int, entry: dict[str, Any]) -> Item:
    where = f"{path.name}, images[{number}]"
    try:
        filename = entry["filename"]
        captions = tuple(sentence["raw"] for sentence in entry["sentences"])
    except (KeyError, TypeError) as error:
        raise UserError(f"{where} lacks {error}; expected filename and sentences[].raw.") from error
    folder = images / entry.get("filepath", "")
    image = (folder if folder.is_dir() else images) / filename
    return Item((image,), str(entry.get("cocoid", filename)), captions, where)
