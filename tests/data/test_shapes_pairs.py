"""The pairs of shapes: one change or none, true in every word, and held out where they say so."""

import hashlib
import io
import pickle
import re
from collections import Counter
from dataclasses import replace
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from scipy import ndimage

from jaxcap.data.shapes.change import CHANGES, HELD_OUT_CHANGES
from jaxcap.data.shapes.scene import COLOURS, HELD_OUT_OBJECTS, SHAPES
from jaxcap.data.sources import open_source
from jaxcap.errors import UserError

VOCABULARY = """a the there is new nothing changed different moved went left right up down appeared
disappeared gone grew shrank became small large little big red green blue yellow purple pink cyan
white circle square triangle cross ring diamond"""
seeds = st.integers(0, 2**63)

# A reader of captions that shares no code with their writer.
CAPTION = re.compile(
    r"(?P<article>the|a|there is a new) (?:(?P<size>small|little|large|big) )?(?P<colour>\w+) "
    r"(?P<shape>circle|square|triangle|cross|ring|diamond)(?: (?P<verb>.*))?"
)
WAYS = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}


def moves(verb, before, after):
    right, down = after.x - before.x, after.y - before.y
    towards = WAYS[verb.split(" ")[1]]
    along = right * towards[0] + down * towards[1]
    across = abs(right * towards[1]) + abs(down * towards[0])
    return along > 15 and along > 1.49 * across


def is_true(caption, before, after):
    """Whether the caption tells what happened between two scenes."""
    if caption in ("nothing changed", "nothing is different"):
        return before == after
    told = CAPTION.fullmatch(caption)
    old, new = (
        {(thing.colour, thing.shape): thing for thing in scene} for scene in (before, after)
    )
    name = (told["colour"], told["shape"])
    was, now = old.pop(name, None), new.pop(name, None)
    if old != new or was == now:  # something else changed, or this one did not
        return False
    seen = was or now
    right = {"large", "big"} if seen.radius > 7 else {"small", "little"}
    if told["size"] not in {None, *right}:
        return False
    match told["article"], told["verb"]:
        case ("a", "appeared") | ("there is a new", None):
            return was is None
        case ("the", "disappeared" | "is gone"):
            return now is None
    if was is None or now is None or told["article"] != "the":
        return False
    match told["verb"]:
        case "grew" | "became large":
            return was.radius < 7 < now.radius
        case "shrank" | "became small":
            return now.radius < 7 < was.radius
        case verb:
            return moves(verb, was, now) and was.radius == now.radius


@given(seed=seeds, split=st.sampled_from(["train", "val", "test"]), index=st.integers(0, 599))
@settings(max_examples=40, deadline=None)
def test_a_record_is_a_function_of_seed_split_and_index(seed, split, index):
    source = open_source(f"shapes_pairs:seed={seed}", split)
    record = source[index]
    source[(index + 1) % 600]
    assert source[index] == record
    assert open_source(f"shapes_pairs:seed={seed}", split)[index] == record
    assert pickle.loads(pickle.dumps(source))[index] == record
    assert source.told(index) == replace(record, images=(), boxes=())


def test_the_published_test_split_has_not_changed():
    source = open_source("shapes_pairs", "test")
    text = "\n".join(caption for index in range(600) for caption in source.told(index).captions)
    assert (
        hashlib.sha256(text.encode()).hexdigest()
        == "6d1c2680e65aedb2a7fde47f069e8dcf587d9abf44c5ed305f6fe345a36957b1"
    ), "The changes or the language changed: every score published on them must be measured anew."


@given(seed=seeds, some=st.integers(0, 2999), other=st.integers(0, 2999))
@settings(max_examples=300, deadline=None)
def test_captions_are_all_the_true_ones_and_those_of_another_change_are_false(seed, some, other):
    source = open_source(f"shapes_pairs:seed={seed}", "test")
    captions, others = (source.told(index).captions for index in (some, other))
    change = source.change(some)
    assert len(set(captions)) == len(captions) == (2 if change.before == change.after else 6)
    assert all(set(caption.split(" ")) <= set(VOCABULARY.split()) for caption in captions)
    for caption in {*captions, *others}:
        assert is_true(caption, change.before, change.after) == (caption in captions)
    for caption in captions:
        backwards = is_true(caption, change.after, change.before)
        assert backwards == (change.before == change.after)


@given(seed=seeds, index=st.integers(0, 2999))
@settings(max_examples=200, deadline=None)
def test_things_are_whole_and_apart_in_both_pictures(seed, index):
    change = open_source(f"shapes_pairs:seed={seed}", "test").change(index)
    for scene in (change.before, change.after):
        assert 1 <= len(scene) <= 3
        for number, thing in enumerate(scene):
            edge = min(thing.x, thing.y, 64 - thing.x, 64 - thing.y)
            assert edge > 1.2 * thing.radius + 1.4
            for other in scene[:number]:
                distance = np.hypot(thing.x - other.x, thing.y - other.y)
                assert distance > 1.2 * (thing.radius + other.radius) + 2.9


@given(seed=seeds, index=st.integers(0, 99_999))
@settings(max_examples=50, deadline=None)
def test_each_picture_shows_its_scene_with_a_box_around_each_thing(seed, index):
    source = open_source(f"shapes_pairs:seed={seed}", "train")
    record, change = source[index], source.change(index)
    assert len(record.images) == len(record.boxes) == 2
    scenes = (change.before, change.after)
    for image, boxes, scene in zip(record.images, record.boxes, scenes, strict=True):
        pixels = np.asarray(Image.open(io.BytesIO(image))).astype(float)
        islands, count = ndimage.label(pixels.max(axis=-1) > 110, structure=np.ones((3, 3)))
        seen = [[x.start, y.start, x.stop, y.stop] for y, x in ndimage.find_objects(islands)]
        assert count == len(scene) == len(boxes)
        for box, thing in zip(np.array(boxes) * 64, scene, strict=True):
            assert np.abs(np.array(seen) - box).max(axis=1).min() <= 1
            assert box[0] < thing.x < box[2]
            assert box[1] < thing.y < box[3]
    grounds = [np.asarray(Image.open(io.BytesIO(image)))[0, 0] for image in record.images]
    assert (grounds[0] != grounds[1]).any()


def test_all_changes_are_equally_frequent_and_the_order_of_things_does_not_tell():
    source = open_source("shapes_pairs", "train")
    changes = [source.change(index) for index in range(1800)]
    for what, count in Counter(change.what for change in changes).items():
        assert what in CHANGES
        assert 150 <= count <= 250
    for change in changes:
        names = [[thing[:2] for thing in scene] for scene in (change.before, change.after)]
        fewer, more = sorted(names, key=len)
        assert [name for name in more if name in fewer] == fewer
    places = Counter(
        [thing[:2] for thing in change.after].index(change.thing[:2])
        for change in changes
        if change.thing and len(change.after) == 3
    )
    np.testing.assert_allclose(np.array(list(places.values())) / places.total(), 1 / 3, atol=0.06)


def combinations(changes):
    """The (colour, shape) of all things, and the (shape, change) of what changed."""
    objects = {thing[:2] for change in changes for thing in change.before + change.after}
    happened = {(change.thing.shape, change.what) for change in changes if change.thing}
    return objects, happened


def test_training_and_seen_pairs_show_no_held_out_combination_and_all_others():
    train, test = (open_source("shapes_pairs", split) for split in ("train", "test"))
    objects, happened = combinations(
        [train.change(index) for index in range(3000)]
        + [test.change(index) for index in range(0, 3000, 2)]
    )
    assert objects == set(product(COLOURS, SHAPES)) - HELD_OUT_OBJECTS
    assert happened == set(product(SHAPES, CHANGES[1:])) - HELD_OUT_CHANGES


def test_what_changes_in_a_held_out_pair_is_held_out():
    source = open_source("shapes_pairs", "test")
    shown = [source.change(index) for index in range(1, 3000, 2)]
    for change in shown:
        name, happened = change.thing[:2], (change.thing.shape, change.what)
        assert name in HELD_OUT_OBJECTS or happened in HELD_OUT_CHANGES
    objects, happened = combinations(shown)
    assert objects >= HELD_OUT_OBJECTS
    assert happened >= HELD_OUT_CHANGES


def test_the_splits_and_their_groups():
    lengths = [len(open_source("shapes_pairs", split)) for split in ("train", "val", "test")]
    assert lengths == [100_000, 600, 3000]
    source = open_source("shapes_pairs:val=4,size=32", "val")
    assert (source.name, source.prompts, len(source)) == ("shapes_pairs(size=32)", (), 4)
    assert [source.told(index).image_id for index in range(4)] == [
        "seen-000000",
        "held_out-000000",
        "seen-000001",
        "held_out-000001",
    ]
    assert [record.group for record in source] == ["seen", "held_out"] * 2
    assert open_source("shapes_pairs", "train").told(7).image_id == "train-000007"


@pytest.mark.parametrize(
    ("rest", "split", "message"),
    [
        ("", "validation", "shapes_pairs has no split 'validation'"),
        ("sise=64", "train", "shapes_pairs has no setting 'sise'.*'size'"),
        ("size=8", "train", "whole number from 32 .*shapes_pairs:size=64"),
        ("val=0", "train", "whole number from 1 .*shapes_pairs:val=600"),
    ],
)
def test_a_wrong_address_says_what_would_be_right(rest, split, message):
    with pytest.raises(UserError, match=message):
        open_source(f"shapes_pairs:{rest}", split)
