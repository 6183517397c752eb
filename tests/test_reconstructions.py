"""reconstructions.png: which image is where."""

import numpy as np
import pytest
from PIL import Image

from jaxcap.reconstructions import COLUMNS, GAP, TILE, draw_reconstructions


@pytest.mark.parametrize(
    ("count", "side", "scale"), [(3, TILE // 4, 4), (COLUMNS + 1, TILE + 1, 1)]
)
def test_each_image_stands_above_its_reconstruction(tmp_path, count, side, scale):
    rng = np.random.default_rng(0)
    pairs = rng.integers(0, 256, (2, count, side, side, 3), np.uint8)
    file = tmp_path / "reconstructions.png"
    file.write_bytes(b"of the evaluation before")
    draw_reconstructions(*pairs, file)
    assert [found.name for found in tmp_path.iterdir()] == [file.name]
    sheet = np.asarray(Image.open(file))
    tile = scale * side
    for i in range(count):
        row, column = divmod(i, COLUMNS)
        for below in (0, 1):
            top, left = (GAP + at * (tile + GAP) for at in (2 * row + below, column))
            found = sheet[top : top + tile, left : left + tile]
            np.testing.assert_array_equal(found[::scale, ::scale], pairs[below, i])
            np.testing.assert_array_equal(
                found, found[::scale, ::scale].repeat(scale, 0).repeat(scale, 1)
            )
