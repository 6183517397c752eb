"""reconstructions.png: images, and below them what an encoder's codes have kept of them."""

from pathlib import Path

import numpy as np
from jaxtyping import UInt8
from PIL import Image

from jaxcap.data.image import write_png

COLUMNS, TILE, GAP = 8, 128, 4  # images in a row; pixels


def draw_reconstructions(
    images: UInt8[np.ndarray, "N h w 3"], reconstructions: UInt8[np.ndarray, "N h w 3"], file: Path
) -> None:
    """Draw rows of images, each with a row of their reconstructions below it, as a PNG.

    Small images are enlarged by a whole number, to about `TILE` pixels: each pixel can be seen.
    """
    height, width = images.shape[1:3]
    scale = max(1, TILE // max(height, width))
    across, down = scale * width + GAP, scale * height + GAP
    columns, rows = min(COLUMNS, len(images)), -(-len(images) // COLUMNS)
    sheet = Image.new("RGB", (columns * across + GAP, 2 * rows * down + GAP), "white")
    for i, pair in enumerate(zip(images, reconstructions, strict=True)):
        row, column = divmod(i, COLUMNS)
        for below, pixels in enumerate(pair):
            tile = Image.fromarray(pixels).resize(
                (scale * width, scale * height), Image.Resampling.NEAREST
            )
            sheet.paste(tile, (GAP + column * across, GAP + (2 * row + below) * down))
    write_png(sheet, file)
