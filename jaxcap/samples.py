"""samples.png: a grid of images with their captions, to see at a glance what a run has learned."""

import textwrap
from collections.abc import Sequence
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from jaxcap.data.image import ImageError, decode_rgb, write_png
from jaxcap.data.pipeline import EvalExample
from jaxcap.evaluate import Evaluation

COLUMNS, ROWS, TILE, TEXT, GAP = 4, 3, 224, 52, 8  # pixels


def draw_samples(found: Evaluation, example: EvalExample, file: Path) -> None:
    """Draw images spread over the split, each with its caption below it."""
    source = example.source
    count = min(COLUMNS * ROWS, len(found.predictions))
    size = (COLUMNS * (TILE + GAP) + GAP, ROWS * (TILE + TEXT + GAP) + GAP)
    sheet = Image.new("RGB", size, "white")
    for place in range(count):
        try:
            record = source[place * len(source) // count]
            images = list(map(decode_rgb, record.images))
        except ImageError:
            continue
        caption = found.predictions.get(record.image_id)
        if caption is None:
            continue
        left = GAP + place % COLUMNS * (TILE + GAP)
        top = GAP + place // COLUMNS * (TILE + TEXT + GAP)
        sheet.paste(with_caption(side_by_side(images), caption), (left, top))
    write_png(sheet, file)


def side_by_side(images: Sequence[Image.Image]) -> Image.Image:
    """The images of a record in a row, in a white square."""
    square = Image.new("RGB", (TILE, TILE), "white")
    room = TILE // len(images)
    for number, image in enumerate(images):
        scale = room / max(image.size)
        size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
        square.paste(image.resize(size, Image.Resampling.BICUBIC), (number * room, 0))
    return square


def with_caption(square: Image.Image, caption: str) -> Image.Image:
    """What `side_by_side` gave, with a caption of at most three lines below."""
    tile = Image.new("RGB", (TILE + GAP, TILE + TEXT), "white")
    tile.paste(square)
    lines = textwrap.wrap(caption, 34)[:3]
    font = ImageFont.load_default(13)
    ImageDraw.Draw(tile).multiline_text((0, TILE + 2), "\n".join(lines), "black", font)
    return tile
