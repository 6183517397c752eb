"""Tables of images and captions, and what is wrong with their lines."""

import csv
import io
import json
from dataclasses import replace

import pytest
from folders import jpeg, read, write
from PIL import Image

from jaxcap.data.image import ImageError
from jaxcap.data.sources import open_source, source_splits
from jaxcap.errors import UserError


def table(rows):
    buffer = io.StringIO()
    csv.writer(buffer).writerows(rows)
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_table_with_a_split_column(tmp_path, kind):
    rows = [
        ("p/a.jpg", 'A dog, "big".', "train"),
        ("b.jpg", "A cat.\u2028Really.", "test"),
        ("./p/a.jpg", "One dog.", "train"),
    ]
    keys = ("image", "caption", "split")
    text = (
        table([keys, *rows, ("", "", "")])
        if kind == "csv"
        else "\n".join(json.dumps(dict(zip(keys, row, strict=True))) for row in rows) + "\n\n"
    )
    file = tmp_path / f"mine.{kind}"
    write(tmp_path, {"p/a.jpg": jpeg(1), "b.jpg": jpeg(2)})
    file.write_text("\ufeff" + text, encoding="utf-8")
    spec = f"{kind}:{file}"
    first = ("p/a.jpg", ('A dog, "big".', "One dog."), jpeg(1))
    second = ("b.jpg", ("A cat.\u2028Really.",), jpeg(2))
    assert source_splits(spec) == ("train", "test")
    assert read(open_source(spec, "train")) == [first]
    assert read(open_source(spec, "test")) == [second]
    assert read(open_source(spec, "all")) == [first, second]
    assert open_source(spec, "all").name == tmp_path.name
    with pytest.raises(UserError, match="no split 'val'"):
        open_source(spec, "val")


def test_a_table_without_splits_holds_out_one_in_twenty_whatever_the_order(tmp_path):
    names = [f"{number}.jpg" for number in range(1000)]
    write(tmp_path, {"0.jpg": jpeg(1), "999.jpg": jpeg(1)})

    def held_out(names):
        (tmp_path / "t.csv").write_text(table([("image", "caption"), *((n, "x") for n in names)]))
        spec = f"csv:{tmp_path}/t.csv"
        ids = {
            split: {item.image_id for item in open_source(spec, split).items}
            for split in ("train", "val", "all")
        }
        assert ids["train"] | ids["val"] == ids["all"] == set(names)
        assert not ids["train"] & ids["val"]
        return ids["val"]

    write(tmp_path, {name: jpeg(1) for name in names})
    val = held_out(names)
    assert 25 <= len(val) <= 75
    assert held_out(names[::-1]) == val
    assert held_out(names[:800]) == val & set(names[:800])
    assert len(held_out(["0.jpg", "999.jpg"])) == 1
    assert source_splits(f"csv:{tmp_path}/t.csv") in (("train", "val"), ("val", "train"))


def test_jsonl_takes_a_list_of_captions(tmp_path):
    write(tmp_path, {"a.jpg": jpeg(1), "t.jsonl": {"image": "a.jpg", "captions": ["A.", "B."]}})
    assert open_source(f"jsonl:{tmp_path}/t.jsonl", "all").told(0).captions == ("A.", "B.")


def test_jsonl_takes_several_images_and_the_boxes_of_each(tmp_path):
    """In pixels of the upright photograph; a file of 12 x 10 that lies on its side is 10 x 12."""
    exif = Image.Exif()
    exif[0x0112] = 6
    buffer = io.BytesIO()
    Image.new("RGB", (12, 10)).save(buffer, "JPEG", exif=exif)
    rows = [
        {"images": ["a.jpg", "./p/b.jpg"], "caption": "A.", "boxes": [[[0, 0, 5, 6]], []]},
        {"images": ["a.jpg", "p/b.jpg"], "caption": "B."},
        {"image": "p/b.jpg", "caption": "C.", "boxes": [[0, 0, 6, 5], [3, 2.5, 12, 10]]},
        {"image": "a.jpg", "caption": "D."},
    ]
    text = "\n".join(map(json.dumps, rows))
    write(tmp_path, {"a.jpg": buffer.getvalue(), "p/b.jpg": jpeg(1), "t.jsonl": text})
    both, second, first = open_source(f"jsonl:{tmp_path}/t.jsonl", "all")
    assert (both.image_id, both.captions) == ("a.jpg+p/b.jpg", ("A.", "B."))
    assert both.images == (buffer.getvalue(), jpeg(1))
    assert both.boxes == (((0, 0, 0.5, 0.5),), ())
    assert second.boxes == (((0, 0, 0.5, 0.5), (0.25, 0.25, 1, 1)),)
    assert (first.image_id, first.boxes) == ("a.jpg", ())
    source = open_source(f"jsonl:{tmp_path}/t.jsonl", "all")
    assert source.told(0) == replace(both, images=(), boxes=())
    (tmp_path / "p/b.jpg").unlink()
    with pytest.raises(ImageError, match="No such file"):
        source[0]


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("t.csv", "", "has the columns .none."),
        ("t.csv", "file,text\na.jpg,x\n", "has the columns file, text"),
        ("t.csv", "image,caption\n", "has no rows"),
        ("t.csv", "image,caption\n,x\n", "line 2 names no image"),
        ("t.csv", "image,caption,split\na.jpg,x,train\na.jpg,y,val\n", "line 3 puts a.jpg into"),
        ("t.csv", b"image,caption\na.jpg,caf\xe9\n", "not UTF-8"),
        (
            "t.csv",
            "image,caption\na.jpg,A dog, running.\n",
            "line 2 has more .* quotes",
        ),
        ("t.csv", 'image,caption\na.jpg,"6 inch dog\nb.jpg,A cat.\n', "unexpected end of data"),
        ("t.jsonl", '{"image": "a.jpg", "caption": "x"}\n{"image"\n', "line 2 is"),
        ("t.jsonl", '{"image": "a.jpg"}\n', "line 1 is .*'caption'"),
        ("t.jsonl", '{"image": 3, "caption": "x"}\n', "must be strings"),
        ("t.jsonl", '["a.jpg", "x"]\n', "line 1 is"),
        ("t.jsonl", '{"image": "a.jpg", "captions": "x"}\n', "captions must be lists"),
        ("t.jsonl", '{"images": "a.jpg", "caption": "x"}\n', "images and captions must be lists"),
        ("t.jsonl", '{"images": [], "caption": "x"}\n', "line 1 names no image"),
        ("t.jsonl", '{"image": "a.jpg", "caption": "x", "boxes": [[1, 2]]}', "boxes are a list of"),
        ("t.jsonl", '{"image": "a.jpg", "caption": "x", "boxes": [1, 2, 3, 4]}', "a list of"),
        ("t.jsonl", '{"image": "a.jpg", "caption": "x", "boxes": null}', "boxes are a list of"),
        (
            "t.jsonl",
            '{"images": ["a.jpg", "b.jpg"], "caption": "x", "boxes": [[[0, 0, 1, 1]]]}',
            "boxes of 1 images beside 2",
        ),
        (
            "t.jsonl",
            '{"image": "a.jpg", "caption": "x", "boxes": [[0, 0, 1, 1]]}\n'
            '{"image": "a.jpg", "caption": "y", "boxes": [[0, 0, 2, 1]]}',
            "line 2 tells other boxes of a.jpg than line 1",
        ),
    ],
)
def test_a_table_tells_its_broken_line(tmp_path, name, text, message):
    write(tmp_path, {name: text, "a.jpg": jpeg(1)})
    with pytest.raises(UserError, match=message):
        open_source(f"{name[2:]}:{tmp_path}/{name}", "all")


def test_empty_cells_after_the_last_column_are_nothing(tmp_path):
    write(tmp_path, {"a.jpg": jpeg(1), "t.csv": "image,caption\na.jpg,A dog.,,\n"})
    assert open_source(f"csv:{tmp_path}/t.csv", "all").told(0).captions == ("A dog.",)


def test_empty_captions_are_left_out_and_listed(tmp_path):
    rows = [("image", "caption"), ("a.jpg", " "), ("a.jpg", " A dog. "), ("b.jpg", "")]
    write(tmp_path, {"a.jpg": jpeg(1), "b.jpg": jpeg(2), "t.csv": table(rows)})
    source = open_source(f"csv:{tmp_path}/t.csv", "all")
    assert read(source) == [("a.jpg", ("A dog.",), jpeg(1))]
    assert [(each.where, each.image_id, each.reason) for each in source.blemishes] == [
        ("t.csv, lines 2, 3", "a.jpg", "caption 1 of 2 is empty"),
        ("t.csv, line 4", "b.jpg", "caption 1 of 1 is empty"),
        ("t.csv, line 4", "b.jpg", "has no caption"),
    ]
    write(tmp_path, {"t.csv": table(rows[:2])})
    with pytest.raises(UserError, match=r"no images with captions. 2 were left out, such as t.csv"):
        open_source(f"csv:{tmp_path}/t.csv", "all")


def test_a_missing_image_is_told_when_it_is_read(tmp_path):
    rows = [("image", "caption"), ("a.jpg", "x"), ("gone.jpg", "y")]
    write(tmp_path, {"a.jpg": jpeg(1), "other.jpg": jpeg(1), "t.csv": table(rows)})
    source = open_source(f"csv:{tmp_path}/t.csv", "all")
    assert source.told(1).captions == ("y",)
    with pytest.raises(ImageError, match=r"No such file.*gone.jpg"):
        source[1]
