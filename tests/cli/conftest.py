"""Photographs, and a captioner for them."""

import pytest
from PIL import Image
from tiny_run import photographs

from jaxcap.captioner import Captioner


@pytest.fixture(scope="module")
def photos(tmp_path_factory):
    """Two photographs, a corrupt one, and a file that is none."""
    folder = tmp_path_factory.mktemp("photos")
    for name, array in zip(("b.png", "deep/a.PNG"), photographs(2), strict=True):
        (folder / name).parent.mkdir(exist_ok=True)
        Image.fromarray(array).save(folder / name)
    (folder / "c.jpg").write_bytes(b"\xff\xd8 and no more")
    (folder / "notes.txt").write_text("no image")
    (folder / "b.json").write_text('{"b.png": [[0, 0, 20, 20]]}')
    return folder


@pytest.fixture(scope="module")
def captioner(tiny_run):
    return Captioner.load(tiny_run)
