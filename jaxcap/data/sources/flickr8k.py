"""Flickr8k as it is distributed: `flickr8k:DIR`.

DIR has the photographs in Images/ or Flicker8k_Dataset/, the captions in Flickr8k.token.txt
(`NAME.jpg#0<TAB>caption`) and the official splits in Flickr_8k.trainImages.txt, .devImages.txt
and .testImages.txt, which are "train", "val" (or "dev") and "test". Only what a split names is
read: the token file of the full set names an image that was never there.
"""

from collections import defaultdict
from pathlib import Path

from jaxcap.data.sources.files import entries, existing, no_split, read_text
from jaxcap.data.sources.folder import Folder, Item
from jaxcap.errors import UserError

LISTS = {
    "train": "Flickr_8k.trainImages.txt",
    "val": "Flickr_8k.devImages.txt",
    "test": "Flickr_8k.testImages.txt",
}
IMAGE_FOLDERS = ("Images", "Flicker8k_Dataset")
TOKENS = "Flickr8k.token.txt"


def flickr8k_splits(rest: str) -> tuple[str, ...]:
    """The splits whose lists are there."""
    folder = existing(rest, "Flickr8k folder")
    return tuple(split for split, name in LISTS.items() if (folder / name).exists())


def open_flickr8k(rest: str, split: str) -> Folder:
    """A split of Flickr8k; an image's id is its file name."""
    folder = existing(rest, "Flickr8k folder")
    split = "val" if split == "dev" else split
    if split not in LISTS:
        raise no_split("flickr8k", split, tuple(LISTS))
    names = read_text(existing(folder / LISTS[split], f"list of Flickr8k's {split} images"))
    images = next((folder / name for name in IMAGE_FOLDERS if (folder / name).is_dir()), None)
    if images is None:
        raise UserError(
            f"There is no folder {' or '.join(IMAGE_FOLDERS)} in {folder}. {entries(folder)}"
        )
    captions, lines = _read_tokens(existing(folder / TOKENS, "file of Flickr8k's captions"))
    items = (
        Item(
            (images / name,), name, tuple(captions[name]), _where(LISTS[split], number, lines[name])
        )
        for number, name in enumerate(map(str.strip, names.split("\n")), start=1)
        if name
    )
    return Folder("flickr8k", split, items)


def _read_tokens(path: Path) -> tuple[dict[str, list[str]], dict[str, list[int]]]:
    """Captions and line numbers by image."""
    captions: dict[str, list[str]] = defaultdict(list)
    lines: dict[str, list[int]] = defaultdict(list)
    for number, line in enumerate(read_text(path).split("\n"), start=1):
        key, tab, caption = line.partition("\t")
        name, mark, _ = key.rpartition("#")
        if not line.strip():
            continue
        if not tab or not mark:
            raise UserError(
                f"{path}, line {number} is {line[:60]!r}; expected NAME.jpg#0, a tab, a caption."
            )
        captions[name].append(caption)
        lines[name].append(number)
    return captions, lines


def _where(listed: str, number: int, lines: list[int]) -> str:
    told = f"; {TOKENS}, line {', '.join(map(str, lines))}" if lines else ""
    return f"{listed}, line {number}{told}"
