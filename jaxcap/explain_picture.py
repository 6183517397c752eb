"""An explanation as a picture: the photograph once a word, or how alike the words are."""

import textwrap
from collections.abc import Sequence

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image, ImageDraw, ImageFont

from jaxcap.data.image import resize
from jaxcap.explain import Explanation

SHEET, GAP = 1040, 8  # pixels: the sheet's width, and what lies between tiles
HEIGHT, NARROW, TEXT, SEAM = 144, 128, 56, 2  # pixels of a tile: picture, least width, lines, seam
DARK, GLOW = 0.15, 0.25  # what is left of the picture where nobody looked; haze where one did
CELL = 44  # pixels a side, of the matrix
ALIKE, OPPOSITE = (240, 150, 60), (94, 145, 207)  # orange and blue: no eye takes them for another
WORD, NUMBER = ImageFont.load_default(15), ImageFont.load_default(11)

Pixels = UInt8[np.ndarray, "h w 3"]


def draw_looks(
    explanation: Explanation, layer: int | None = None, head: int | None = None
) -> Image.Image:
    """The photograph, and then once a word: bright where the decoder looked for that word.

    Below it are the word, its probability, and numbers that the picture cannot show: the weight of
    the brightest place, which is as bright for every word, and what went to tokens of no place or
    to words.

    Args:
      explanation: of the caption.
      layer, head: see `Explanation.weights`.

    Raises:
      UserError: as `Explanation.weights`.
    """
    weights = explanation.weights(layer, head)
    pictures = [_small(picture) for picture in explanation.pictures]
    maps = [
        explanation.on_image(weights, len(picture), picture.shape[1], image)
        for image, picture in enumerate(pictures)
    ]
    peaks = np.max([each.max(axis=(1, 2)) for each in maps], axis=0)
    shares = {
        "peak": peaks,
        "whole": weights[:, ~explanation.placed].sum(axis=1),
        "words": 1 - weights.sum(axis=1),
    }
    told = {name: share for name, share in shares.items() if share.max() > 0.005}
    tiles = [_tile(pictures)]
    for t, token in enumerate(explanation.tokens):
        lit = [
            _lit(picture, each[t] / max(peaks[t], 1e-9))
            for picture, each in zip(pictures, maps, strict=True)
        ]
        numbers = ", ".join(f"{name} {share[t]:.0%}" for name, share in told.items())
        chance = f"p {explanation.probabilities[t]:.3f}"
        tiles.append(_tile(lit, _plain(token), chance, numbers))
    notes = {
        "peak": "peak: the weight of the brightest place",
        "whole": "whole: of what belongs to the image as a whole",
        "words": "words: of the caption's own words",
    }
    legend = "; ".join(["Bright is where the decoder looked", *(notes[name] for name in told)])
    return _sheet(explanation.text, tiles, f"{legend}.")


def draw_similarity(explanation: Explanation) -> Image.Image:
    """How alike the vectors are that the decoder put out for every two words: their cosines."""
    words, cosines = list(map(_plain, explanation.tokens)), explanation.similarity()
    room, side = round(max(map(WORD.getlength, words))) + 2 * GAP, len(words) * CELL
    title = _wrapped(explanation.text, room + side)
    top = title.height + room
    sheet = Image.new("RGB", (room + side + GAP, top + side + GAP), "white")
    sheet.paste(title)
    draw = ImageDraw.Draw(sheet)
    for i, word in enumerate(words):
        label = Image.new("RGB", (room, CELL), "white")
        ImageDraw.Draw(label).text((GAP, CELL // 2), word, "black", WORD, anchor="lm")
        sheet.paste(label, (0, top + i * CELL))
        sheet.paste(label.transpose(Image.Transpose.ROTATE_90), (room + i * CELL, title.height))
        for j, cosine in enumerate(cosines[i].tolist()):
            x, y = room + j * CELL, top + i * CELL
            draw.rectangle((x, y, x + CELL - 2, y + CELL - 2), fill=_colour(cosine))
            centre = (x + CELL // 2, y + CELL // 2)
            draw.text(centre, f"{cosine:.2f}", "black", NUMBER, anchor="mm")
    return sheet


def _small(picture: Image.Image) -> Pixels:
    """A picture as large as it is in a tile."""
    scale = min(HEIGHT / picture.height, SHEET / picture.width)
    width, height = (max(1, round(side * scale)) for side in picture.size)
    return np.asarray(resize(picture, height, width))


def _lit(picture: Pixels, light: Float[np.ndarray, "h w"]) -> Pixels:
    """The picture under a light of 0 to 1, with a haze that shows it on what is black, too."""
    shade, haze = DARK + (1 - DARK - GLOW) * light, 255 * GLOW * light
    return np.rint(picture * shade[..., None] + haze[..., None]).astype(np.uint8)


def _tile(pictures: Sequence[Pixels], word: str = "", chance: str = "", note: str = "") -> Pixels:
    """The pictures side by side, and three lines below them."""
    width = sum(picture.shape[1] + SEAM for picture in pictures) - SEAM
    tile = Image.new("RGB", (max(width, NARROW), HEIGHT + TEXT), "white")
    left = 0
    for picture in pictures:
        tile.paste(Image.fromarray(picture), (left, 0))
        left += picture.shape[1] + SEAM
    draw = ImageDraw.Draw(tile)
    for top, text, font in ((2, word, WORD), (20, chance, WORD), (39, note, NUMBER)):
        draw.text((0, HEIGHT + top), text, "black", font)
    return np.asarray(tile)


def _sheet(text: str, tiles: Sequence[Pixels], legend: str) -> Image.Image:
    """The tiles in rows, the caption above them and what their numbers mean below."""
    height, width = (side + GAP for side in tiles[0].shape[:2])
    columns = min(len(tiles), max(1, SHEET // width))
    title, foot = (_wrapped(each, columns * width) for each in (text, legend))
    rows = -(-len(tiles) // columns)
    size = (columns * width + GAP, title.height + rows * height + foot.height)
    sheet = Image.new("RGB", size, "white")
    sheet.paste(title)
    for place, tile in enumerate(tiles):
        down, across = divmod(place, columns)
        sheet.paste(Image.fromarray(tile), (GAP + across * width, title.height + down * height))
    sheet.paste(foot, (0, title.height + rows * height))
    return sheet


def _wrapped(text: str, width: int) -> Image.Image:
    """Lines of text with room around them."""
    lines = textwrap.wrap(text, max(1, width // 8)) or [""]
    image = Image.new("RGB", (width, 20 * len(lines) + 2 * GAP), "white")
    ImageDraw.Draw(image).multiline_text((GAP, GAP), "\n".join(lines), "black", WORD)
    return image


def _plain(token: str) -> str:
    """A token as a label: without the spaces of a tokenizer of parts of words, and not endless."""
    return textwrap.shorten(token, 16, placeholder="...") or repr(token)


def _colour(cosine: float) -> tuple[int, int, int]:
    """White for vectors that have nothing in common, and from there to one end or the other."""
    end = ALIKE if cosine > 0 else OPPOSITE
    red, green, blue = (round(255 + abs(cosine) * (side - 255)) for side in end)
    return red, green, blue
