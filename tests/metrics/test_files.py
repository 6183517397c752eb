"""Reading predictions and references: both layouts, ids as text, and every way to be wrong."""

import json

import pytest

from jaxcap.errors import UserError
from jaxcap.metrics.files import read_predictions, read_references

ENTRIES = [{"image_id": 42, "caption": "a dog"}, {"image_id": "x.jpg", "caption": "a café"}]


def written(folder, content):
    path = folder / "file.json"
    text = content if isinstance(content, str) else json.dumps(content, ensure_ascii=False)
    path.write_text(text, encoding="utf-8")
    return path


def test_reads_predictions(tmp_path):
    assert read_predictions(written(tmp_path, ENTRIES)) == {"42": "a dog", "x.jpg": "a café"}


def test_reads_the_annotations_of_coco(tmp_path):
    annotations = [*ENTRIES, {"image_id": 42, "caption": "the dog", "id": 7}]
    path = written(tmp_path, {"info": {}, "images": [], "annotations": annotations})
    assert read_references(path) == {"42": ["a dog", "the dog"], "x.jpg": ["a café"]}


def test_reads_captions_by_image(tmp_path):
    content = {"42": ["a dog", "the dog"], "x.jpg": ["a café"]}
    assert read_references(written(tmp_path, content)) == content


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("[{]", "not JSON: .*line 1 column 3"),
        ('{"image_id": 1}\n{"image_id": 2}', "not JSON: .*JSON Lines"),
        ({"42": "a dog"}, r"expected a list of .*Found: an object with the keys \['42'\]"),
        (["a dog"], 'as entry 0 .*: "a dog"'),
        ([*ENTRIES, {"image_id": 1}], r"as entry 2 .*keys \['image_id'\]"),
        ([{"image_id": 1.5, "caption": "a"}], "as entry 0"),
        ([{"image_id": True, "caption": "a"}], "as entry 0"),
        ([{"image_id": 1, "caption": ["a"]}], "as entry 0"),
        ([*ENTRIES, {"image_id": "42", "caption": "b"}], "1 predictions .* image id '42'"),
        ("null", "Found: null"),
    ],
)
def test_wrong_predictions_are_explained(tmp_path, content, message):
    path = written(tmp_path, content)
    with pytest.raises(UserError, match=message) as error:
        read_predictions(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "not JSON"),
        (ENTRIES, 'expected an object .*Found: a list that begins with {"image_id": 42'),
        ({"42": "a dog"}, "Found under '42': \"a dog\""),
        ({"42": ["a dog", 3]}, "Found under '42': a list"),
        ({"annotations": [{"image_id": 1, "bbox": []}]}, r"keys \['image_id', 'bbox'\]"),
        ('{"42": ["a dog"], "42": ["the dog"]}', "'42' stands twice"),
    ],
)
def test_wrong_references_are_explained(tmp_path, content, message):
    path = written(tmp_path, content)
    with pytest.raises(UserError, match=message) as error:
        read_references(path)
    assert str(path) in str(error.value)


@pytest.mark.parametrize("read", [read_predictions, read_references])
def test_a_file_that_cannot_be_read_is_named(tmp_path, read):
    with pytest.raises(UserError, match=r"nowhere\.json"):
        read(tmp_path / "nowhere.json")
    (tmp_path / "latin.json").write_bytes('["café"]'.encode("latin-1"))
    with pytest.raises(UserError, match=r"latin\.json"):
        read(tmp_path / "latin.json")
