"""Batches: their order, what is in them, and what a broken photograph costs."""

import gc
import io
import json
from contextlib import closing
from dataclasses import replace
from itertools import islice
from multiprocessing.synchronize import SemLock
from pathlib import Path

import numpy as np
import pytest
from absl import flags
from PIL import Image

from jaxcap.data.frame import Frame
from jaxcap.data.pipeline import (
    EvalExample,
    TrainExample,
    check_view,
    eval_batches,
    left_out,
    token_rows,
    train_batches,
    trouble,
)
from jaxcap.data.showing import Showing
from jaxcap.data.sources import open_source
from jaxcap.data.text import build_tokenizer
from jaxcap.data.views import Pixels
from jaxcap.errors import UserError

SIZE, BATCH = 8, 4


@pytest.fixture(autouse=True)
def _parsed_flags():
    if not flags.FLAGS.is_parsed():  # the workers ask for them
        flags.FLAGS.mark_as_parsed()


@pytest.fixture(scope="module")
def table(tmp_path_factory):
    """Ten photographs, of which one is corrupt and one is missing."""
    folder = tmp_path_factory.mktemp("photos")
    rng = np.random.default_rng(0)
    for number in range(10):
        buffer = io.BytesIO()
        Image.fromarray(rng.integers(0, 256, (20, 30, 3), np.uint8)).save(buffer, "PNG")
        data = buffer.getvalue()
        if number != 7:
            (folder / f"{number}.png").write_bytes(data[:60] if number == 3 else data)
    words = ["zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine"]
    rows = [
        f"{number}.png,{word} of {count},train"
        for number, word in enumerate(words)
        for count in range(1 + number % 4)
    ]
    (folder / "table.csv").write_text("\n".join(["image,caption,split", *rows]))
    return f"csv:{folder / 'table.csv'}"


@pytest.fixture(scope="module")
def example(table):
    source = open_source(table, "train")
    captions = [text for index in range(len(source)) for text in source.told(index).captions]
    tokenizer = build_tokenizer("word", captions)
    view = Pixels(source, Showing(Frame(SIZE), crop=0.5))
    return TrainExample(source, view, tokenizer, captions=3, max_len=6)


@pytest.fixture(scope="module")
def eval_example(example):
    return EvalExample(
        example.source, Pixels(example.source, Showing(Frame(SIZE))), example.tokenizer
    )


def take(example, count, **settings):
    batches = train_batches(example, batch_size=BATCH, seed=1, **settings)
    try:
        return list(islice(batches, count))
    finally:
        batches.close()


@pytest.fixture(scope="module")
def unbroken(example):
    return take(example, 8)


def assert_equal(found, expected):
    assert len(found) == len(expected)
    for mine, others in zip(found, expected, strict=True):
        assert mine.keys() == others.keys()
        for name, leaf in mine.items():
            np.testing.assert_array_equal(leaf, others[name])


@pytest.mark.parametrize("start", [1, 3, 6])
def test_a_started_again_pipeline_goes_on_where_it_was(example, unbroken, start):
    """Batches of four of ten images: three starts within and across epochs."""
    assert_equal(take(example, 8 - start, start=start), unbroken[start:])


def test_worker_processes_change_nothing(example, unbroken):
    assert_equal(take(example, 6, start=2, workers=2), unbroken[2:])


def test_an_epoch_shows_each_image_once_in_an_order_of_its_own(example):
    order = np.concatenate([batch["index"] for batch in take(example, 10)]).reshape(-1, 10)
    for epoch in order:
        assert sorted(epoch) == list(range(10))
    assert len({tuple(epoch) for epoch in order}) == len(order)


def test_crops_and_captions_are_drawn_anew_each_epoch(example):
    seen = {}
    for batch in take(example, 10):
        for index, image, tokens in zip(
            batch["index"], batch["image"], batch["tokens"], strict=True
        ):
            seen.setdefault(int(index), []).append((image.tobytes(), tokens.tobytes()))
    views, texts = (({each[part] for each in seen[2]}) for part in (0, 1))
    assert len(views) == 4
    assert len(texts) > 1


def test_another_seed_is_another_order(example, unbroken):
    other = next(train_batches(example, batch_size=BATCH, seed=2))
    assert other["index"].tolist() != unbroken[0]["index"].tolist()


@pytest.mark.parametrize("rows", [(0, 1), (2, 3), (1, 3), (2,)])
def test_some_rows_are_those_of_the_whole_batch(example, unbroken, rows):
    mine = take(example, 8, rows=rows, start=1)
    whole = unbroken[1:]
    expected = [{name: leaf[list(rows)] for name, leaf in each.items()} for each in whole]
    assert_equal(mine[: len(whole)], expected)


def test_captions_are_drawn_without_repeating_and_rows_that_lack_one_are_masked(example, unbroken):
    for batch in unbroken:
        for index, tokens, mask in zip(batch["index"], batch["tokens"], batch["mask"], strict=True):
            told = [example.tokenizer.decode(row) for row in tokens[mask.any(axis=1)].tolist()]
            known = example.source.told(int(index)).captions
            unreadable = index in (3, 7)
            assert len(set(told)) == len(told) == (0 if unreadable else min(3, len(known)))
            assert set(told) <= set(known)
            assert (tokens[~mask] == example.tokenizer.pad).all()


def test_an_unreadable_photograph_is_a_blank_without_captions(unbroken):
    rows = {
        int(index): (image, mask)
        for batch in unbroken
        for index, image, mask in zip(batch["index"], batch["image"], batch["mask"], strict=True)
    }
    for index, (image, mask) in rows.items():
        assert image.any() == mask.any() == (index not in (3, 7))


def test_a_source_that_cannot_be_shown_at_all_is_one_mistake(table, tmp_path):
    source = open_source(table, "train")
    check_view(Pixels(source, Showing(Frame(SIZE))), source)
    rows = "".join(f"{number}.png,x,train\n" for number in range(20))
    (tmp_path / "table.csv").write_text(f"image,caption,split\n{rows}")
    lost = open_source(f"csv:{tmp_path}/table.csv", "train")
    with pytest.raises(
        UserError, match=r"None of the first 10 records .* 0.png cannot be read: No"
    ):
        check_view(Pixels(lost, Showing(Frame(SIZE))), lost)


@pytest.mark.parametrize("workers", [0, 2])
def test_a_record_without_boxes_costs_only_itself_where_regions_are_shown(table, example, workers):
    folder = Path(table.removeprefix("csv:")).parent
    boxes = ({"boxes": [[0, 0, 15, 20]]}, {"boxes": []}, {}, {"boxes": [[5, 5, 9, 9]]})
    told = zip((0, 1, 2, 4), boxes, strict=True)
    rows = [{"image": f"{n}.png", "caption": f"{n}", **each} for n, each in told]
    (folder / "boxes.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = open_source(f"jsonl:{folder}/boxes.jsonl", "all")
    view = Pixels(source, Showing(Frame(SIZE), regions=1))
    check_view(view, source)
    whole = replace(example, source=source, view=view)
    (batch,) = take(whole, 1, workers=workers)
    assert left_out(batch) == [2]
    for index, real, shown in zip(batch["index"], batch["real"], batch["present"], strict=True):
        assert shown.all() == (index != 2)
        assert real.any() == (index in (0, 3))
    evaluated = EvalExample(source, view, example.tokenizer)
    (batch,) = eval_batches(evaluated, range(4), batch_size=4, workers=workers)
    assert batch["valid"].tolist() == [True, True, False, True]
    assert trouble(view, source, 2).startswith("2.png has boxes for 0 of 1 images, and the model")
    assert [trouble(view, source, index) for index in (0, 1, 3)] == [""] * 3


def test_a_source_of_no_boxes_is_refused_where_regions_are_shown(table):
    source = open_source(table, "train")
    with pytest.raises(UserError, match=r"None of the first 10 .*0\.png has boxes for 0 of 1"):
        check_view(Pixels(source, Showing(Frame(SIZE), regions=2)), source)


@pytest.fixture
def some_pairs(table, example):
    """Two records, of which the second has two images where one is shown."""
    folder = Path(table.removeprefix("csv:")).parent
    rows = [{"images": ["0.png", "1.png"][: 1 + n // 5], "caption": f"{n}"} for n in (0, 9)]
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = open_source(f"jsonl:{folder}/t.jsonl", "all")
    return replace(example, source=source, view=Pixels(source, Showing(Frame(SIZE))))


@pytest.mark.parametrize("workers", [0, 2])
def test_a_record_of_too_many_images_stops_the_work_with_a_sentence(some_pairs, workers):
    with pytest.raises(UserError, match=r"record 0.png\+1.png of .* has 2 images.* at most 1"):
        take(some_pairs, 2, workers=workers)
    pair = Pixels(some_pairs.source, Showing(Frame(SIZE), images=2))
    (batch, *_) = take(replace(some_pairs, view=pair), 2, workers=workers)
    assert batch["image"].shape == (BATCH, 2, SIZE, SIZE, 3)
    assert sorted(batch["present"].tolist()) == [[True, False]] * 2 + [[True, True]] * 2


def test_semaphores_of_workers_that_failed_are_gone_before_others_start(example, some_pairs):
    def semaphores() -> int:
        # Not isinstance, which asks each object for its class: some of PyTorch's warn of that.
        return sum(issubclass(type(each), SemLock) for each in gc.get_objects())

    def in_use() -> int:
        with closing(train_batches(example, batch_size=BATCH, seed=0, workers=1)) as batches:
            next(batches)
            return semaphores()

    gc.disable()  # or the cycle might be collected by chance
    try:
        alone, closed = in_use(), semaphores()
        with pytest.raises(UserError):
            take(some_pairs, 2, workers=1)
        assert semaphores() > closed
        assert in_use() == alone
    finally:
        gc.enable()


def test_token_rows_close_with_eos_where_it_fits(example):
    texts = ["one of 1", "", "two of 2", "no room for this row"]
    tokens, mask = token_rows(example.tokenizer, texts, rows=3, max_len=3)
    eos, ids = example.tokenizer.eos, example.tokenizer.encode
    assert tokens.tolist() == [ids("one of 1"), [eos, 0, 0], ids("two of 2")]
    assert mask.tolist() == [[True] * 3, [True, False, False], [True] * 3]


@pytest.mark.parametrize("shares", [[(0, 1, 2, 3)], [(0, 1), (2, 3)]])
@pytest.mark.parametrize("images", [1, 7, 8, 10])
def test_evaluation_sees_each_image_once(eval_example, images, shares):
    batches = [
        list(eval_batches(eval_example, range(images), batch_size=BATCH, rows=rows))
        for rows in shares
    ]
    assert {len(share) for share in batches} == {-(-images // BATCH)}
    found = [batch for share in batches for batch in share]
    assert {len(batch["index"]) for batch in found} == {BATCH // len(shares)}
    index, valid = (np.concatenate([batch[key] for batch in found]) for key in ("index", "valid"))
    assert sorted(index[index < 10]) == list(range(images))
    assert sorted(index[valid]) == [i for i in range(images) if i not in (3, 7)]


def test_evaluation_may_begin_anywhere_and_have_workers(eval_example):
    alone, shared = (
        list(eval_batches(eval_example, range(2, 9), batch_size=BATCH, workers=workers))
        for workers in (0, 2)
    )
    assert [batch["index"].tolist() for batch in alone] == [[2, 3, 4, 5], [6, 7, 8, 10]]
    assert_equal(shared, alone)


def test_evaluation_sees_the_whole_photograph(eval_example):
    (batch,) = eval_batches(eval_example, range(1), batch_size=1)
    np.testing.assert_array_equal(batch["image"][0], eval_example.view(0)["image"])


def test_a_prompt_is_handed_to_the_search():
    source = open_source("shapes:size=32,val=2,train=2", "val")
    tokenizer = build_tokenizer("word", source.told(0).captions, prompts=source.prompts)
    example = EvalExample(source, Pixels(source, Showing(Frame(SIZE))), tokenizer)
    (batch,) = eval_batches(example, range(3), batch_size=4)
    prompts = [tokenizer.backend.token_to_id(source[index].prompt) for index in range(3)]
    assert batch["prompt"].tolist() == [[prompt] for prompt in prompts] + [[tokenizer.pad]]
    assert batch["prompt_len"].tolist() == [1, 1, 1, 0]
