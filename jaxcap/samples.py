"""samples.png: a grid of images with their captions, to see at a glance what a run has learned."""

import textwrap
from pathlib import Path

from PIL import Image, ImageDraw, ImageFont

from jaxcap.data.image import ImageError, decode_rgb, write_png
from jaxcap.data.pipeline import EvalExample
from jaxcap.evaluate import Evaluation

COLUMNS, ROWS, TILE, TEXT = 4, 3, 224, 52  # pixels


def draw_samples(found: Evaluation, example: EvalExample, file: Path) -> None:
    """Draw images spread over the split, each with its caption below it."""
    source = example.source
    count = min(COLUMNS * ROWS, len(found.predictions))
    sheet = Image.new("RGB", (COLUMNS * (TILE + 8) + 8, ROWS * (TILE + TEXT + 8) + 8), "white")
    draw, font = ImageDraw.Draw(sheet), ImageFont.load_default(13)
    for place in range(count):
        try:
            record = source[place * len(source) // count]
            images = list(map(decode_rgb, record.images))
        except ImageError:
            continue
        left = 8 + place % COLUMNS * (TILE + 8)
        top = 8 + place // COLUMNS * (TILE + TEXT + 8)
        caption = found.predictions.get(record.image_id)
        if caption is None:
            continue
        room = TILE // len(images)  # several images of a record stand side by side
        for number, image in enumerate(images):
            scale = room / max(image.size)
            size = (max(1, round(image.width * scale)), max(1, round(image.height * scale)))
            tile = image.resize(size, Image.Resampling.BICUBIC)
            sheet.paste(tile, (left + number * room, top))
        lines = textwrap.wrap(caption, 34)[:3]
        draw.multiline_text((left, top + TILE + 2), "\n".join(lines), fill="black", font=font)
    write_png(sheet, file)
