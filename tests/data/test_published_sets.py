"""Flickr8k, Karpathy's splits and COCO as distributed, small and real, and their refusals."""

import pytest
from folders import jpeg, read, write

from jaxcap.data.sources import open_source, source_splits
from jaxcap.errors import UserError


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
    content["annotations"].append({"image_id": 5, "caption": None})
    content["annotations"].append({"image_id": 98, "caption": "Another."})
    content["images"] += [{"id": 5, "file_name": "a.jpg"}, {"id": 3, "file_name": "again.jpg"}]
    write(tmp_path, {"captions.json": content, "a.jpg": jpeg(1), "c.jpg": jpeg(3)})
    source = open_source(f"coco:{tmp_path}/captions.json,{tmp_path}", "all")
    assert [item.image_id for item in source.items] == ["3", "1"]
    assert [(each.where, each.image_id, each.reason) for each in source.blemishes] == [
        ("captions.json, annotations[3]", "99", "captions an image that is not listed"),
        ("captions.json, annotations[5]", "98", "captions an image that is not listed"),
        ("captions.json, images[2]", "5", "caption 1 of 1 is empty"),
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
