"""What is drawn of an explanation, read back from the pixels."""

from dataclasses import replace
from itertools import chain

import numpy as np
import pytest
from PIL import Image

from jaxcap.errors import UserError
from jaxcap.explain import Explanation
from jaxcap.explain_picture import ALIKE, CELL, HEIGHT, OPPOSITE, draw_looks, draw_similarity
from jaxcap.models.memory import cells

ROWS, COLUMNS = 3, 4
RED = (200, 0, 0)  # text and what is under the light's haze are told from it: they are grey


def explanation(words=7, images=1, size=(80, 60)):
    """Of one layer of two heads over red pictures of a grid, after a token of the whole image."""
    rng = np.random.default_rng(0)
    boxes = np.concatenate([np.float32([[0, 0, 1, 1]]), cells(ROWS, COLUMNS)])
    S = images * len(boxes)
    return Explanation(
        text="a caption",
        tokens=tuple("abcdefgh"[:words]),
        probabilities=rng.random(words).astype(np.float32),
        maps=rng.dirichlet(np.ones(S), (1, 2, words)).astype(np.float32),
        boxes=np.tile(boxes, (images, 1)),
        image=np.arange(S) // len(boxes),
        vectors=rng.normal(size=(words, 5)).astype(np.float32),
        pictures=[Image.new("RGB", size, RED) for _ in range(images)],
    )


def runs(line):
    """(first, behind the last) of each run of True."""
    edges = np.flatnonzero(np.diff(np.concatenate([[0], line.astype(int), [0]])))
    return edges.reshape(-1, 2).tolist()


def pictures_in(sheet):
    """The pictures of a sheet, row by row: blocks that are red."""
    pixels = np.asarray(sheet).astype(int)
    red = pixels[..., 0] - pixels[..., 1] > 15
    return [
        [pixels[top:bottom, left:right] for left, right in runs(red[top:bottom].any(axis=0))]
        for top, bottom in runs(red.any(axis=1))
    ]


@pytest.mark.parametrize("head", [None, 1])
def test_there_is_a_picture_a_word_and_it_is_bright_where_the_word_looked(head):
    found = explanation()
    rows = pictures_in(draw_looks(found, head=head))
    assert [len(row) for row in rows] == [5, 3]  # the photograph, and seven words
    plain, *looks = chain(*rows)
    assert (plain == RED).all()
    assert plain.shape == (HEIGHT, HEIGHT * 80 // 60, 3)
    weights = found.weights(head=head)[:, 1:].reshape(-1, ROWS, COLUMNS)
    for look, cell in zip(looks, weights, strict=True):
        light = look.reshape(ROWS, HEIGHT // ROWS, COLUMNS, -1, 3).mean(axis=(1, 3, 4))
        assert look.reshape(ROWS, HEIGHT // ROWS, COLUMNS, -1, 3).std(axis=(1, 3)).max() < 1
        share = (light - light.min()) / (light.max() - light.min())
        expected = (cell - cell.min()) / (cell.max() - cell.min())
        np.testing.assert_allclose(share, expected, atol=0.02)
    brightest = [look.max() for look in looks]
    assert len(set(brightest)) == 1


def test_images_of_a_record_stand_side_by_side_under_one_light():
    found = explanation(words=2, images=2, size=(60, 60))
    maps = np.zeros_like(found.maps)
    maps[..., 1 + ROWS * COLUMNS + 1] = 1  # the first cell of the second image
    (row,) = pictures_in(draw_looks(replace(found, maps=maps)))
    assert len(row) == 6
    for dark, lit in (row[2:4], row[4:6]):
        assert dark.max() < 40
        assert lit[: HEIGHT // ROWS, : HEIGHT // COLUMNS].max() > 150
        assert lit[HEIGHT // ROWS :].max() < 40


def test_where_no_token_has_a_place_every_word_is_dark():
    found = explanation(words=2)
    (row,) = pictures_in(draw_looks(replace(found, boxes=found.boxes * 0 + (0, 0, 1, 1))))
    assert [picture.max() for picture in row] == [200, 30, 30]


def test_a_decoder_that_does_not_look_is_told_so_but_its_words_are_compared():
    found = explanation()
    blind = replace(found, maps=found.maps[:0])
    with pytest.raises(UserError, match="looks at no parts of the image"):
        draw_looks(blind)
    assert draw_similarity(blind).size == draw_similarity(found).size


def test_tokens_of_any_kind_have_labels():
    odd = ("", "\n", " red", "ü" * 99, "two\nlines", "W" * 16, "<eos>")
    plain = draw_looks(explanation())
    found = replace(explanation(), tokens=odd, text="word " * 99)
    assert draw_looks(found).width == plain.width
    assert draw_looks(found).height > plain.height  # the caption has more lines
    assert draw_similarity(found).width < 16 * 20 + 7 * CELL


def test_the_matrix_is_orange_for_alike_white_for_unlike_and_blue_for_opposite():
    vectors = np.float32([[1, 0], [0, 2], [-3, 0]])
    sheet = np.asarray(draw_similarity(replace(explanation(words=3), vectors=vectors)))
    matrix = sheet[-3 * CELL - 8 : -8, -3 * CELL - 8 : -8].reshape(3, CELL, 3, CELL, 3)
    corners = matrix[:, 3, :, 3]
    white = (255, 255, 255)
    expected = [[ALIKE, white, OPPOSITE], [white, ALIKE, white], [OPPOSITE, white, ALIKE]]
    np.testing.assert_array_equal(corners, expected)
