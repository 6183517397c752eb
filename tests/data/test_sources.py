"""Each reader on a small folder made here and on real data, and each of its refusals."""

import csv
import io
import json
import multiprocessing
import pickle
from dataclasses import replace

import numpy as np
import pytest
import tensorflow_datasets as tfds
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image

from jaxcap.data.image import ImageError
from jaxcap.data.sources import SOURCES, open_source, source_splits
from jaxcap.errors import UserError


def jpeg(grey: int) -> bytes:
    buffer = io.BytesIO()
    Image.new("RGB", (12, 10), (grey, grey, grey)).save(buffer, "JPEG")
    return buffer.getvalue()


def write(folder, files):
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content if isinstance(content, str) else json.dumps(content))
    return folder


def read(source):
    return [
        (record.image_id, record.captions, *record.images)
        for record in map(source.__getitem__, range(len(source)))
    ]


@pytest.fixture
def flickr8k(tmp_path):
    """Two training images that are the same photograph, one dev image; a ghost in the tokens."""
    tokens = [
        "a.jpg#0\tA dog .",
        "a.jpg#1\tA",
        "twin.jpg#0\tA dog again .",
        "2258277193_586949ec62.jpg.1#0\tNobody ever saw this .",
        "dev.jpg#0\tA cat .",
    ]
    return write(
        tmp_path,
        {
            "Images/a.jpg": jpeg(1),
            "Images/twin.jpg": jpeg(1),
            "Images/dev.jpg": jpeg(2),
            "Flickr8k.token.txt": "\n".join(tokens) + "\n",
            "Flickr_8k.trainImages.txt": "a.jpg\ntwin.jpg\n",
            "Flickr_8k.devImages.txt": "dev.jpg",
        },
    )


def test_flickr8k_reads_what_its_splits_list(flickr8k):
    assert source_splits(f"flickr8k:{flickr8k}") == ("train", "val")
    train = open_source(f"flickr8k:{flickr8k}", "train")
    assert read(train) == [
        ("a.jpg", ("A dog .", "A"), jpeg(1)),
        ("twin.jpg", ("A dog again .",), jpeg(1)),
    ]
    assert train.blemishes == []
    dev = open_source(f"flickr8k:{flickr8k}", "dev")
    assert (dev.name, dev.split, read(dev)) == (
        "flickr8k",
        "val",
        [("dev.jpg", ("A cat .",), jpeg(2))],
    )


def test_flickr8k_reads_the_other_folder_name(flickr8k):
    (flickr8k / "Images").rename(flickr8k / "Flicker8k_Dataset")
    assert len(open_source(f"flickr8k:{flickr8k}", "train")[0].images[0]) > 0
    (flickr8k / "Flicker8k_Dataset").rename(flickr8k / "pictures")
    with pytest.raises(UserError, match=r"Images or Flicker8k_Dataset.*holds.*pictures"):
        open_source(f"flickr8k:{flickr8k}", "train")


def test_flickr8k_misses_its_test_list_only_when_asked(flickr8k):
    with pytest.raises(UserError, match=r"no list of Flickr8k's test.*testImages.*devImages"):
        open_source(f"flickr8k:{flickr8k}", "test")
    with pytest.raises(UserError, match=r"no split 'tests'. Did you mean 'test'"):
        open_source(f"flickr8k:{flickr8k}", "tests")


def test_flickr8k_tells_a_broken_token_line(flickr8k):
    (flickr8k / "Flickr8k.token.txt").write_text("a.jpg#0\tA dog .\na.jpg A dog .\n")
    with pytest.raises(UserError, match=r"line 2 is 'a.jpg A dog .'"):
        open_source(f"flickr8k:{flickr8k}", "train")


def test_the_real_flickr8k_is_the_same_in_both_layouts(reference_data):
    folder = reference_data / "flickr8k"
    for split, size in {"train": 6000, "val": 1000}.items():
        source = open_source(f"flickr8k:{folder}", split)
        twin = open_source(f"karpathy:{folder}/dataset_flickr8k.json,{folder}/Images", split)
        assert (source.name, len(source), source.blemishes) == (twin.name, size, [])
        as_distributed = {item.image_id: item.captions for item in source.items}
        as_karpathy = {item.image_id: item.captions for item in twin.items}
        assert as_distributed.keys() == as_karpathy.keys()
        assert all(len(captions) == 5 for captions in as_distributed.values())


def karpathy_entry(name, split, **more):
    return {"filename": name, "split": split, "sentences": [{"raw": f"{name}."}], **more}


def test_karpathy_counts_restval_as_train(tmp_path):
    images = [
        karpathy_entry("a.jpg", "train", filepath="train2014", cocoid=7),
        karpathy_entry("b.jpg", "restval", filepath="val2014", cocoid=8),
        karpathy_entry("c.jpg", "val", filepath="val2014", cocoid=9),
    ]
    write(
        tmp_path,
        {
            "dataset_mine.json": {"images": images, "dataset": "mine"},
            "train2014/a.jpg": jpeg(1),
            "val2014/b.jpg": jpeg(2),
            "val2014/c.jpg": jpeg(3),
        },
    )
    spec = f"karpathy:{tmp_path}/dataset_mine.json,{tmp_path}"
    assert source_splits(spec) == ("train", "val")
    train = open_source(spec, "train")
    assert train.name == "mine"
    assert read(train) == [("7", ("a.jpg.",), jpeg(1)), ("8", ("b.jpg.",), jpeg(2))]
    with pytest.raises(UserError, match=r"no split 'test'. Known: train, val"):
        open_source(spec, "test")
    # All images in one folder is the other layout.
    assert open_source(f"karpathy:{tmp_path}/dataset_mine.json,{tmp_path}/val2014", "val")[
        0
    ].images[0]


@pytest.mark.parametrize(
    ("name", "size"), [("coco", "113,287"), ("flickr30k", "29,000"), ("flickr8k", "6,000")]
)
def test_karpathy_refuses_a_split_of_the_wrong_size(tmp_path, name, size):
    images = [karpathy_entry("a.jpg", "train")]
    write(tmp_path, {"a.jpg": jpeg(1), "d.json": {"images": images, "dataset": name}})
    with pytest.raises(UserError, match=rf"1 images in the split 'train' of {name}.*has {size}"):
        open_source(f"karpathy:{tmp_path}/d.json,{tmp_path}", "train")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not JSON"),
        ("[]", "holds a JSON list"),
        ({}, 'no list "images"'),
        ({"images": [{"filename": "a.jpg"}]}, 'without a "split"'),
        ({"images": [{"filename": "a.jpg", "split": "train"}]}, r"images\[0\] lacks 'sentences'"),
    ],
)
def test_karpathy_tells_what_is_wrong_with_the_file(tmp_path, content, message):
    write(tmp_path, {"d.json": content})
    with pytest.raises(UserError, match=message):
        open_source(f"karpathy:{tmp_path}/d.json,{tmp_path}", "train")


def coco_file(**more):
    return {
        "images": [{"id": 3, "file_name": "c.jpg"}, {"id": 1, "file_name": "a.jpg"}],
        "annotations": [
            {"image_id": 1, "caption": "A dog.\n"},
            {"image_id": 3, "caption": "A cat."},
            {"image_id": 1, "caption": "One dog."},
        ],
        **more,
    }


def test_coco_goes_by_the_name_of_its_file(tmp_path):
    write(tmp_path, {"captions_val2017.json": coco_file(), "i/a.jpg": jpeg(1), "i/c.jpg": jpeg(3)})
    spec = f"coco:{tmp_path}/captions_val2017.json,{tmp_path}/i"
    assert source_splits(spec) == ("val2017",)
    expected = [("3", ("A cat.",), jpeg(3)), ("1", ("A dog.", "One dog."), jpeg(1))]
    for split in ("val2017", "val", "all"):
        assert read(open_source(spec, split)) == expected
    with pytest.raises(UserError, match="no split 'train'"):
        open_source(spec, "train")


def test_coco_lists_captions_of_unknown_images_and_images_without_any(tmp_path):
    content = coco_file()
    content["annotations"].append({"image_id": 99, "caption": "A ghost."})
    content["images"] += [{"id": 5, "file_name": "a.jpg"}, {"id": 3, "file_name": "again.jpg"}]
    write(tmp_path, {"captions.json": content, "a.jpg": jpeg(1), "c.jpg": jpeg(3)})
    source = open_source(f"coco:{tmp_path}/captions.json,{tmp_path}", "all")
    assert [item.image_id for item in source.items] == ["3", "1"]
    assert [(each.where, each.image_id, each.reason) for each in source.blemishes] == [
        ("captions.json, annotations[3]", "99", "captions an image that is not listed"),
        ("captions.json, images[2]", "5", "has no caption"),
        ("captions.json, images[3]", "3", "repeats the id of captions.json, images[0]"),
    ]


def test_coco_refuses_the_annotations_of_objects(tmp_path):
    write(
        tmp_path, {"instances.json": coco_file(annotations=[{"image_id": 1, "bbox": [0, 0, 1, 1]}])}
    )
    with pytest.raises(UserError, match=r"lacks 'caption'.*not instances_"):
        open_source(f"coco:{tmp_path}/instances.json,{tmp_path}", "all")


def test_the_real_coco(reference_data):
    folder = reference_data / "coco_mini"
    spec = f"coco:{folder}/annotations/captions_train2017.json,{folder}/train2017"
    source = open_source(spec, "train2017")
    assert (len(source), source.blemishes) == (80, [])
    assert sum(len(source.told(index).captions) for index in range(80)) == 400
    index = [item.image_id for item in source.items].index("125870")
    assert (
        "An airport filled with large passenger jets parked next to each other."
        in source[index].captions
    )
    assert source[index].images == ((folder / "train2017/000000125870.jpg").read_bytes(),)


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


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("flicker8k:x", "no data source 'flicker8k'. Did you mean 'flickr8k'"),
        ("imagenet", "Known: array_record, .*, karpathy, list, shapes, shapes_pairs, tfds"),
        ("flickr8k", "Write flickr8k:DIR"),
        ("coco:only.json", "Write coco:JSON,IMAGES"),
        ("karpathy:,images", "Write karpathy:JSON,IMAGES"),
        ("csv:/nowhere/at/all.csv", r"no table of captions at /nowhere/at/all.csv. / holds"),
        ("tfds:/nowhere", "no TFDS folder at /nowhere"),
    ],
)
def test_a_wrong_spec_is_explained(spec, message):
    with pytest.raises(UserError, match=message):
        open_source(spec, "train")


def test_shapes_is_a_source_like_the_others():
    assert set(source_splits("shapes")) == {"train", "val", "test"}
    source = open_source("shapes:val=3", "val")
    assert source[0].captions == source.told(0).captions
    assert all(kind.needs or name in ("shapes", "shapes_pairs") for name, kind in SOURCES.items())


F = tfds.features
TEXTS = F.Sequence(F.Text())


def write_tfds(
    folder, features, examples, *, name="made", split="train", file_format="array_record"
):
    """A prepared data set as TFDS itself lays it out."""
    folder.mkdir(parents=True)
    identity = tfds.core.dataset_info.DatasetIdentity(
        name=name, version=tfds.core.Version("1.0.0"), data_dir=str(folder), module_name=""
    )
    features = F.FeaturesDict(features)
    info = tfds.core.DatasetInfo(builder=identity, features=features)
    info.set_file_format(file_format)
    template = tfds.core.ShardedFileTemplate(
        data_dir=folder, dataset_name=name, split=split, filetype_suffix=file_format
    )
    half = len(examples) // 2
    writers = [
        ArrayRecordWriter(
            str(template.sharded_filepath(shard_index=i, num_shards=2)), "group_size:1"
        )
        for i in range(2)
    ]
    for number, example in enumerate(examples):
        writers[number >= half].write(features.serialize_example(example))
    for writer in writers:
        writer.close()
    lengths = [half, len(examples) - half]
    info.set_splits(
        tfds.core.splits.SplitDict(
            [
                tfds.core.SplitInfo(
                    name=split, shard_lengths=lengths, num_bytes=9, filename_template=template
                )
            ]
        )
    )
    info.write_to_directory(folder)
    return folder


@pytest.fixture
def coco_like(tmp_path):
    """The features of TFDS' own coco_captions."""
    features = {
        "image": F.Image(encoding_format="jpeg"),
        "image/filename": F.Text(),
        "image/id": F.Scalar(np.int64),
        "captions": F.Sequence({"id": F.Scalar(np.int64), "text": F.Text()}),
        "objects": F.Sequence({"bbox": F.BBoxFeature(), "is_crowd": F.Scalar(np.bool_)}),
    }
    examples = [
        {
            "image": jpeg(number),
            "image/filename": f"{number}.jpg",
            "image/id": 100 + number,
            "captions": [{"id": k, "text": f"é {number} {k}"} for k in range(number)],
            "objects": [],
        }
        for number in range(1, 6)
    ]
    return write_tfds(tmp_path / "data" / "made" / "1.0.0", features, examples)


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


def test_sources_survive_pickling(flickr8k, coco_like):
    for spec in (f"flickr8k:{flickr8k}", f"tfds:{coco_like}", "shapes:train=3"):
        source = open_source(spec, "train")
        first = source[0]
        twin = pickle.loads(pickle.dumps(source))
        assert twin[0] == first
        assert (twin.name, twin.split, len(twin)) == (source.name, source.split, len(source))
