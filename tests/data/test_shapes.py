"""The shapes: pure functions of the seed, true in every word, and held out where they say so."""

import hashlib
import math
import pickle
import re
import subprocess
import sys
from dataclasses import replace
from itertools import combinations, permutations, product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcap.data.record import Source
from jaxcap.data.shapes.scene import COLOURS, HELD_OUT_OBJECTS, HELD_OUT_RELATIONS, SHAPES
from jaxcap.data.sources.shapes import Shapes
from jaxcap.errors import UserError

VOCABULARY = """a and small large little big red green blue yellow purple pink cyan white
circle square triangle cross ring diamond left right of above below over under in the middle"""
seeds = st.integers(0, 2**63)
test_indices = st.integers(0, 2_999)

# A reader of captions that shares no code with their writer.
OBJECT = re.compile(
    r"a (?:(small|little|large|big) )?(\w+) (circle|square|triangle|cross|ring|diamond)"
)
DIRECTIONS = {
    "left of": "left",
    "right of": "right",
    "above": "above",
    "over": "above",
    "below": "below",
    "under": "below",
    "in": "middle",
}
OPPOSITE = {"left": "right", "right": "left", "above": "below", "below": "above"}


def holds(direction, x, y, from_x, from_y):
    right, down = x - from_x, y - from_y
    if direction == "middle":
        return max(abs(right), abs(down)) < 5
    along, across = (right, down) if direction in ("left", "right") else (down, right)
    sign = -1 if direction in ("left", "above") else 1
    return sign * along > 5 and sign * along > 1.49 * abs(across)


def read(caption):
    """The (size, colour, shape) of each thing, and the words between and after them."""
    *links, last = re.split("X", OBJECT.sub("X", caption))[1:]
    return OBJECT.findall(caption), [*(link.strip() for link in links), last.strip()]


def is_true(caption, scene, level):
    """Whether the caption tells of every thing of the scene once, and nothing false."""
    objects, links = read(caption)
    named = {(thing.colour, thing.shape): thing for thing in scene}
    told = [named.get((colour, shape)) for _, colour, shape in objects]
    if len(told) != len(scene) or set(told) != set(scene):
        return False
    for (size, _, _), thing in zip(objects, told, strict=True):
        right = {"large", "big"} if thing.radius > 7 else {"small", "little"}
        if size not in ({""} if level == "objects" else right):
            return False
    if level != "layout":
        return links == ["and"] * (len(scene) - 1) + [""]
    if len(scene) == 1:
        link, middle = links[0].split(" the ")
        return middle == "middle" and holds(DIRECTIONS[link], scene[0].x, scene[0].y, 32, 32)
    if len(scene) == 3:
        links[1] = links[1].removeprefix("and ")
    return links.pop() == "" and all(
        holds(DIRECTIONS[link], told[0].x, told[0].y, other.x, other.y)
        for link, other in zip(links, told[1:], strict=True)
    )


def layouts(scene):
    """How many: each order in two words for the sizes, and in two where it has above or below."""
    count = 0
    for first in scene:
        seen_from = [(thing.x, thing.y) for thing in scene if thing is not first] or [(32, 32)]
        upright = any(
            holds(direction, first.x, first.y, x, y)
            for x, y in seen_from
            for direction in ("above", "below")
        )
        count += math.factorial(len(scene) - 1) * 2 * (1 + upright)
    return count


def shown(scenes):
    """The (colour, shape) and the (shape, direction, shape), both ways round, in the scenes."""
    objects, relations = set(), set()
    for scene in scenes:
        objects |= {(thing.colour, thing.shape) for thing in scene}
        relations |= {
            (a.shape, direction, b.shape)
            for a, b in permutations(scene, 2)
            for direction in OPPOSITE
            if holds(direction, a.x, a.y, b.x, b.y)
        }
    return objects, relations


# Purity


@given(seed=seeds, split=st.sampled_from(["train", "val", "test"]), index=st.integers(0, 599))
@settings(max_examples=40, deadline=None)
def test_a_record_is_a_function_of_seed_split_and_index(seed, split, index):
    source = Shapes.open(f"seed={seed}", split)
    record = source[index]
    source[(index + 1) % 600]
    assert source[index] == record
    assert Shapes.open(f"seed={seed}", split)[index] == record
    assert pickle.loads(pickle.dumps(source))[index] == record
    assert source.told(index) == replace(record, images=(), boxes=())


def test_another_process_draws_the_same():
    program = (
        "from jaxcap.data.sources.shapes import Shapes; import hashlib;"
        "s = Shapes.open('', 'train');"
        "print(hashlib.sha256(repr([s[i] for i in range(20)]).encode()).hexdigest())"
    )
    here = Shapes.open("", "train")
    expected = hashlib.sha256(repr([here[i] for i in range(20)]).encode()).hexdigest()
    got = subprocess.run(
        [sys.executable, "-c", program], capture_output=True, text=True, check=True
    )
    assert got.stdout.strip() == expected


def test_the_published_test_split_has_not_changed():
    source = Shapes.open("", "test")
    text = "\n".join(caption for index in range(600) for caption in source.told(index).captions)
    assert (
        hashlib.sha256(text.encode()).hexdigest()
        == "5bf5f91e1c35b133da1bcce216531fe18ff0fb8af1274851d25d771317928025"
    ), "The scenes or the language changed: every score published on them must be measured anew."


def test_seeds_splits_and_scenes_differ():
    sources = [Shapes.open(rest, split) for rest in ("", "seed=1") for split in ("train", "val")]
    scenes = {source.scene(index) for source in sources for index in range(0, 600, 3)}
    assert len(scenes) == 800


# Truth


@given(seed=seeds, index=test_indices)
@settings(max_examples=200, deadline=None)
def test_captions_are_all_the_true_ones(seed, index):
    source = Shapes.open(f"seed={seed}", "test")
    scene, captions = source.scene(index), source.told(index).captions
    level = ("objects", "attributes", "layout")[index % 3]
    assert all(is_true(caption, scene, level) for caption in captions)
    assert len(set(captions)) == len(captions)
    orders = math.factorial(len(scene))
    assert len(captions) == (orders, 2 * orders, layouts(scene))[index % 3]
    for caption in captions:
        assert set(caption.split(" ")) <= set(VOCABULARY.split())
        assert len(caption.split(" ")) <= 17


@given(index=test_indices)
@settings(max_examples=50, deadline=None)
def test_captions_of_a_changed_scene_are_false(index):
    source = Shapes.open("", "test")
    scene, level = source.scene(index), ("objects", "attributes", "layout")[index % 3]
    turned = tuple(thing._replace(x=64 - thing.x, y=64 - thing.y) for thing in scene)
    resized = tuple(thing._replace(radius=16 - thing.radius) for thing in scene)
    reshaped = tuple(thing._replace(shape="star") for thing in scene)
    in_the_middle = len(scene) == 1 and math.dist((scene[0].x, scene[0].y), (32, 32)) < 7
    for caption in source.told(index).captions:
        assert is_true(caption, turned, level) == (level != "layout" or in_the_middle)
        assert is_true(caption, resized, level) == (level == "objects")
        assert not is_true(caption, reshaped, level)


@given(seed=seeds, index=st.integers(0, 99_999))
@settings(max_examples=100, deadline=None)
def test_training_captions_are_true_at_every_level_and_begin_with_its_prompt(seed, index):
    source = Shapes.open(f"seed={seed}", "train")
    record, scene = source[index], source.scene(index)
    assert (record.prompt, record.group) == ("", "")
    orders = math.factorial(len(scene))
    counts = dict.fromkeys(Shapes.prompts, 0)
    for caption in record.captions:
        prompt, _, rest = caption.partition(" ")
        counts[prompt] += 1
        assert is_true(rest, scene, prompt.strip("<>"))
    assert list(counts.values()) == [orders, 2 * orders, layouts(scene)]
    assert len(set(record.captions)) == len(record.captions)


def test_training_captions_come_in_a_different_order_each_time():
    source = Shapes.open("", "train")
    firsts = [source.told(index).captions[0].split()[0] for index in range(700)]
    share = [firsts.count(prompt) / 700 for prompt in Shapes.prompts]
    np.testing.assert_allclose(share, [1 / 7, 2 / 7, 4 / 7], atol=0.06)


@given(seed=seeds, index=test_indices)
@settings(max_examples=200, deadline=None)
def test_things_are_whole_apart_and_clearly_small_or_large(seed, index):
    scene = Shapes.open(f"seed={seed}", "test").scene(index)
    for thing in scene:
        assert min(thing.x, thing.y, 64 - thing.x, 64 - thing.y) > 1.2 * thing.radius + 1.4
        assert thing.radius <= 5.4 if thing.size == "small" else 9 <= thing.radius <= 10.5
    for a, b in combinations(scene, 2):
        assert math.dist((a.x, a.y), (b.x, b.y)) > 1.2 * (a.radius + b.radius) + 2.9
        assert (a.colour, a.shape) != (b.colour, b.shape)


# Held out


def test_training_and_seen_scenes_show_no_held_out_combination_and_all_others():
    train, test = Shapes.open("", "train"), Shapes.open("", "test")
    objects, relations = shown(
        [
            *(train.scene(index) for index in range(4000)),
            *(test.scene(index) for index in range(0, 3000, 6)),
        ]
    )
    inverses = {(b, OPPOSITE[way], a) for a, way, b in HELD_OUT_RELATIONS}
    assert objects == set(product(COLOURS, SHAPES)) - HELD_OUT_OBJECTS
    assert relations == set(product(SHAPES, OPPOSITE, SHAPES)) - HELD_OUT_RELATIONS - inverses


@given(seed=seeds, number=st.integers(0, 499))
@settings(max_examples=100, deadline=None)
def test_every_held_out_scene_shows_a_held_out_combination(seed, number):
    source = Shapes.open(f"seed={seed}", "test")
    objects, relations = shown([source.scene(6 * number + 3)])
    assert objects & HELD_OUT_OBJECTS or relations & HELD_OUT_RELATIONS


def test_held_out_scenes_show_every_held_out_combination():
    source = Shapes.open("", "test")
    objects, relations = shown(source.scene(index) for index in range(3, 3000, 6))
    assert objects >= HELD_OUT_OBJECTS
    assert relations >= HELD_OUT_RELATIONS


# The split


def test_the_splits_are_as_long_as_they_say():
    assert [len(Shapes.open("", split)) for split in ("train", "val", "test")] == [
        100_000,
        600,
        3000,
    ]
    assert len(Shapes.open("train=7,val=4", "train")) == 7
    assert len(Shapes.open("train=7,val=4", "val")) == 12


def test_validation_has_each_scene_at_each_level_half_of_them_held_out():
    source: Source = Shapes.open("val=4", "val")
    records = list(source)
    assert [record.image_id for record in records[:7]] == [
        "seen-000000-objects",
        "seen-000000-attributes",
        "seen-000000-layout",
        "held_out-000000-objects",
        "held_out-000000-attributes",
        "held_out-000000-layout",
        "seen-000001-objects",
    ]
    assert len({record.image_id for record in records}) == len(records) == 12
    assert [record.group for record in records].count("held_out") == 6
    for record in records:
        assert record.prompt == f"<{record.image_id.rpartition('-')[2]}>"
        assert record.prompt in source.prompts
        assert record.group == record.image_id.partition("-")[0]
    assert records[0].images == records[1].images == records[2].images != records[3].images


@pytest.mark.parametrize(
    ("rest", "split", "message"),
    [
        ("", "validation", "no split 'validation'.*val"),
        ("sise=64", "train", "no setting 'sise'.*'size'"),
        ("size=8", "train", "size is '8'; give a whole number from 32"),
        ("size", "train", "size is ''"),
        ("seed=-1", "train", "seed is '-1'"),
        ("train=many", "val", "train is 'many'"),
    ],
)
def test_a_wrong_address_says_what_would_be_right(rest, split, message):
    with pytest.raises(UserError, match=message):
        Shapes.open(rest, split)


@pytest.mark.parametrize("index", [-1, 600])
def test_there_is_nothing_past_the_ends(index):
    with pytest.raises(IndexError):
        Shapes.open("", "val")[index]
