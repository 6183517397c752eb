"""Data sets that TFDS has prepared, read without TensorFlow."""

import multiprocessing

import numpy as np
import pytest
from folders import TEXTS, F, jpeg, read, write_tfds

from jaxcap.data.sources import open_source
from jaxcap.errors import UserError

EXPECTED = [
    (str(100 + number), tuple(f"é {number} {k}" for k in range(number)), jpeg(number))
    for number in range(1, 6)
]


def test_tfds_reads_captions_inside_dicts(coco_like):
    for folder in (coco_like, coco_like.parent, coco_like.parents[1]):
        source = open_source(f"tfds:{folder}", "train")
        assert (source.name, source.split, source.prompts) == ("made", "train", ())
        assert read(source) == EXPECTED
        assert [source.told(index).captions for index in range(5)] == [each[1] for each in EXPECTED]
    assert read(open_source(f"tfds:{coco_like}", "train[1:3]")) == EXPECTED[1:3]
    with pytest.raises(IndexError):
        source[5]


@pytest.mark.parametrize(
    ("features", "example", "expected"),
    [
        ({"caption": F.Text(), "id": F.Text()}, {"caption": "A.", "id": "x"}, ("x", ("A.",))),
        (
            {"captions": TEXTS, "image_id": F.Scalar(np.int64)},
            {"captions": ["A.", "B."], "image_id": 4},
            ("4", ("A.", "B.")),
        ),
        ({"text": TEXTS}, {"text": []}, ("0", ())),
    ],
    ids=["one-text", "texts", "no-id"],
)
def test_tfds_finds_the_features(tmp_path, features, example, expected):
    features = {"photo": F.Image(), **features}
    folder = write_tfds(tmp_path / "d", features, [{"photo": jpeg(1), **example}])
    assert read(open_source(f"tfds:{folder}", "train")) == [(*expected, jpeg(1))]


def test_tfds_tells_what_it_cannot_read(tmp_path, coco_like):
    with pytest.raises(UserError, match=r"no split 'val'. Known: train"):
        open_source(f"tfds:{coco_like}", "val")
    labels = write_tfds(tmp_path / "l", {"image": F.Image(), "label": F.Text()}, [])
    with pytest.raises(UserError, match=r"has the features image, label; expected"):
        open_source(f"tfds:{labels}", "train")
    records = {"image": F.Image(), "caption": F.Text()}
    example = {"image": jpeg(0), "caption": "a dog"}
    records = write_tfds(tmp_path / "r", records, [example], file_format="tfrecord")
    with pytest.raises(UserError, match=r"(?s)cannot be read by index.*array_record"):
        open_source(f"tfds:{records}", "train")
    empty = write_tfds(tmp_path / "e", {"image": F.Image(), "caption": F.Text()}, [])
    with pytest.raises(UserError, match=r"split 'train' of .* has no records"):
        open_source(f"tfds:{empty}", "train")
    with pytest.raises(UserError, match=r"several data sets.*tfds:.*e, tfds:.*l, tfds:.*r\."):
        open_source(f"tfds:{tmp_path}", "train")
    (coco_like / "dataset_info.json").unlink()
    with pytest.raises(UserError, match=r"no dataset_info.json.*features.json"):
        open_source(f"tfds:{coco_like}", "train")


def _read_in_child(source, pipe):
    pipe.send(read(source))


def test_tfds_reads_on_in_another_process(coco_like):
    source = open_source(f"tfds:{coco_like}", "train")
    assert read(source) == EXPECTED  # opens the files here
    context = multiprocessing.get_context("spawn")
    receiver, sender = context.Pipe(duplex=False)
    child = context.Process(target=_read_in_child, args=(source, sender))
    child.start()
    assert receiver.poll(60)
    assert receiver.recv() == EXPECTED
    child.join()
