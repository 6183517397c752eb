"""A source is one string, and of whatever kind it behaves like the others."""

import pickle

import pytest

from jaxcap.data.sources import SOURCES, open_source, source_splits
from jaxcap.errors import UserError


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


def test_sources_survive_pickling(flickr8k, coco_like):
    for spec in (f"flickr8k:{flickr8k}", f"tfds:{coco_like}", "shapes:train=3"):
        source = open_source(spec, "train")
        first = source[0]
        twin = pickle.loads(pickle.dumps(source))
        assert twin[0] == first
        assert (twin.name, twin.split, len(twin)) == (source.name, source.split, len(source))
