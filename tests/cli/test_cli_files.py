"""Where drawings go, and where they do not."""

from pathlib import Path

import pytest
from PIL import Image

from jaxcap.cli.files import drawings_of, write_drawing
from jaxcap.cli.pictures import Picture
from jaxcap.errors import UserError

NAMES = [("a/photo.jpg",), ("b/photo.png", "after.png"), ("photo_2.jpg",)]
PHOTOS = [tuple(map(Picture, names)) for names in NAMES]


def test_a_folder_has_a_file_of_each_record_and_none_twice(tmp_path):
    dotted = tmp_path / "v1.2"  # no suffix of an image
    looks, alike, nothing = drawings_of(PHOTOS, explain=tmp_path, similarity=dotted, other=None)
    names = ["photo.png", "photo_2.png", "photo_2_2.png"]
    assert [file.relative_to(tmp_path).as_posix() for file in looks] == names
    assert [file.relative_to(dotted).as_posix() for file in alike] == names
    assert nothing == []


def test_one_record_has_the_file_that_is_named(tmp_path):
    for place in (tmp_path / "out.png", tmp_path / "new" / "out.PNG"):
        assert drawings_of(PHOTOS[1:2], explain=place) == [[place]]
    folder = tmp_path / "folder.png"
    folder.mkdir()
    assert drawings_of(PHOTOS[:1], explain=folder) == [[folder / "photo.png"]]


@pytest.mark.parametrize(
    ("records", "asked", "message"),
    [
        (PHOTOS, {"explain": "out.png"}, r"--explain out\.png is one file, .* 3 photographs"),
        (PHOTOS[:1], {"explain": "out.jpg"}, r"--explain out\.jpg: it is drawn as PNG"),
        (PHOTOS[:1], {"similarity": "out.pdf"}, r"--similarity out\.pdf: it is drawn as PNG"),
        (PHOTOS[1:2], {"similarity": "b"}, "--similarity b: b/photo.png is one of the photographs"),
        (PHOTOS[1:2], {"similarity": "after.png"}, "is one of the photographs"),
        (PHOTOS, {"explain": "out", "similarity": "out"}, "photo.png is already that of --explain"),
        (PHOTOS[:1], {"explain": "o.png", "similarity": "./o.png"}, "already that of --explain"),
    ],
)
def test_a_place_that_is_none_is_refused(records, asked, message):
    with pytest.raises(UserError, match=message):
        drawings_of(records, **{option: Path(out) for option, out in asked.items()})


def test_a_drawing_is_written_whole_and_into_a_new_folder(tmp_path):
    file = tmp_path / "new" / "out.png"
    write_drawing(Image.new("RGB", (3, 2)), file)
    with Image.open(file) as written:
        assert written.size == (3, 2)
    assert list(file.parent.iterdir()) == [file]
    with pytest.raises(UserError, match=r"out\.png/a\.png cannot be written"):
        write_drawing(Image.new("RGB", (3, 2)), file / "a.png")
