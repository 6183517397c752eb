"""What `prepare` writes, what it leaves out, and that a kill changes nothing of it."""

import io
import json
import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from jaxcap.data import prepare as prepare_module
from jaxcap.data.image import decode_rgb, shrink_jpeg
from jaxcap.data.prepare import prepare
from jaxcap.data.prepared import dataset_name
from jaxcap.data.record import Record
from jaxcap.data.shard import Shard
from jaxcap.data.shard_pool import write_shards
from jaxcap.data.sources import open_source
from jaxcap.errors import UserError

PATIENCE = 60


def picture(number, width=20, height=16, kind="JPEG"):
    buffer = io.BytesIO()
    noise = np.random.default_rng(number).integers(0, 256, (height, width, 3), np.uint8)
    Image.fromarray(noise).save(buffer, kind)
    return buffer.getvalue()


@pytest.fixture
def table(tmp_path):
    """Twelve images, some to be shrunk, in two splits; three records a shard."""
    folder = tmp_path / "My Birds"
    folder.mkdir()
    rows = ["image,caption,split"]
    for number in range(12):
        side = (10, 40)[number % 2]
        (folder / f"{number}.jpg").write_bytes(picture(number, side, side + 5))
        split = "test" if number >= 10 else "train"
        rows += [f"{number}.jpg,Bird {number}.,{split}", f"{number}.jpg,Ünother bird.,{split}"]
    (folder / "t.csv").write_text("\n".join(rows) + "\n")
    return folder / "t.csv"


@pytest.fixture(autouse=True)
def small_shards(monkeypatch):
    monkeypatch.setattr(prepare_module, "SHARD_RECORDS", 3)


def run(spec, out, **options):
    return prepare(str(spec), out, **{"short_side": 20, "workers": 0, "progress": False} | options)


def contents(folder):
    return {each.name: each.read_bytes() for each in folder.iterdir()}


def test_anyone_who_knows_tfds_can_read_it(table, tmp_path):
    summary = run(f"csv:{table}", tmp_path / "out")
    assert summary.name == "my_birds"
    assert {split: (each.records, each.kept) for split, each in summary.splits.items()} == {
        "train": (10, 10),
        "test": (2, 2),
    }
    builder = tfds.builder_from_directory(tmp_path / "out")
    assert builder.info.splits["train"].num_examples == 10
    assert builder.info.splits["train"].num_shards == 4
    examples = list(builder.as_data_source("train"))
    assert [example["image/id"].decode() for example in examples] == [f"{n}.jpg" for n in range(10)]
    assert [text.decode() for text in examples[7]["captions"]] == ["Bird 7.", "Ünother bird."]
    assert examples[7]["image"].shape == (22, 20, 3)
    raw = builder.as_data_source("train", decoders={"image": tfds.decode.SkipDecoding()})
    assert raw[4]["image"] == (table.parent / "4.jpg").read_bytes()
    assert "tensorflow" not in sys.modules


def test_it_comes_back_as_a_source_as_it_was(table, tmp_path):
    run(f"csv:{table}", tmp_path / "out", short_side=1000)
    for split in ("train", "test"):
        source, again = (
            open_source(f"csv:{table}", split),
            open_source(f"tfds:{tmp_path}/out", split),
        )
        assert len(source) == len(again)
        assert [source[index] for index in range(len(source))] == [
            again[index] for index in range(len(source))
        ]


def test_prompts_and_groups_come_back(tmp_path):
    run("shapes:val=2,train=4", tmp_path / "out", splits=["val"], short_side=64)
    source = open_source("shapes:val=2,train=4", "val")
    again = open_source(f"tfds:{tmp_path}/out", "val")
    assert again.prompts == source.prompts != ()
    for index in range(len(source)):
        before, after = source[index], again[index]
        assert (after.prompt, after.group, after.image_id, after.captions) == (
            before.prompt,
            before.group,
            before.image_id,
            before.captions,
        )
        assert decode_rgb(after.images[0]).size == decode_rgb(before.images[0]).size


def test_several_images_and_boxes_come_back(table, tmp_path):
    """Boxes are shares, and so stay what they are when the images shrink."""
    rows = [
        {"images": ["0.jpg", "1.jpg", "2.jpg"], "boxes": [[[1, 2, 3, 4], [0, 0, 9, 9]], [], []]},
        {"image": "1.jpg", "boxes": [[10, 9, 20, 45]]},
        {"image": "3.jpg"},
        {"images": ["3.jpg", "4.jpg"]},
    ]
    told = [{"caption": "Birds.", "split": "train", **row} for row in rows]
    (table.parent / "t.jsonl").write_text("\n".join(map(json.dumps, told)))
    run(f"jsonl:{table.parent}/t.jsonl", tmp_path / "out")
    source = open_source(f"jsonl:{table.parent}/t.jsonl", "train")
    again = open_source(f"tfds:{tmp_path}/out", "train")
    for before, after in zip(source, again, strict=False):
        assert after.image_id == before.image_id
        sizes = [decode_rgb(image).size for image in after.images]
        expected = [decode_rgb(shrink_jpeg(image, 20)).size for image in before.images]
        assert sizes == expected
        assert [len(boxes) for boxes in after.boxes] == [len(boxes) for boxes in before.boxes]
        for some, others in zip(after.boxes, before.boxes, strict=True):
            np.testing.assert_allclose(some, others, rtol=1e-6)
    assert [len(record.boxes) for record in map(again.__getitem__, range(4))] == [3, 1, 0, 0]
    examples = list(tfds.builder_from_directory(tmp_path / "out").as_data_source("train"))
    assert [image.shape for image in examples[0]["image/more"]] == [(22, 20, 3), (15, 10, 3)]
    box = tfds.features.BBox(ymin=2 / 15, xmin=0.1, ymax=4 / 15, xmax=0.3)
    np.testing.assert_allclose(examples[0]["boxes"][0], box, rtol=1e-6)


def test_worker_processes_write_the_same_bytes(table, tmp_path):
    run(f"csv:{table}", tmp_path / "alone")
    run(f"csv:{table}", tmp_path / "many", workers=2)
    assert contents(tmp_path / "alone") == contents(tmp_path / "many")


@pytest.fixture
def spoilt(table):
    """The table with a corrupt image, a missing one, an empty caption, and a whole bad shard."""
    folder = table.parent
    (folder / "0.jpg").write_bytes(picture(0)[:-80])
    (folder / "4.jpg").unlink()
    table.write_text(table.read_text().replace("Bird 1.", " "))
    for number in (6, 7, 8):
        (folder / f"{number}.jpg").write_bytes(b"")
    return table


def test_what_is_bad_is_left_out_and_listed(spoilt, tmp_path):
    summary = run(f"csv:{spoilt}", tmp_path / "out", max_bad_share=0.6)
    train = open_source(f"tfds:{tmp_path}/out", "train")
    assert [train[index].image_id for index in range(len(train))] == [
        f"{number}.jpg" for number in (1, 2, 3, 5, 9)
    ]
    assert train.told(0).captions == ("Ünother bird.",)
    assert (summary.splits["train"].records, summary.splits["train"].kept) == (10, 5)
    report = json.loads((tmp_path / "out" / "report.json").read_text(encoding="utf-8"))
    listed = report["splits"]["train"]["blemishes"]
    assert listed == [vars(blemish) for blemish in summary.splits["train"].blemishes]
    assert [(each["where"], each["image_id"]) for each in listed] == [
        ("t.csv, lines 4, 5", "1.jpg"),
        ("t.csv, lines 2, 3", "0.jpg"),
        ("t.csv, lines 10, 11", "4.jpg"),
        ("t.csv, lines 14, 15", "6.jpg"),
        ("t.csv, lines 16, 17", "7.jpg"),
        ("t.csv, lines 18, 19", "8.jpg"),
    ]
    for each, reason in zip(listed, ["caption 1", "truncated", "No such file"], strict=False):
        assert reason in each["reason"]
    assert report["splits"]["test"] == {"records": 2, "kept": 2, "blemishes": []}


def test_too_much_that_is_bad_stops_it_and_allowing_more_takes_it_up(spoilt, tmp_path):
    out = tmp_path / "out"
    with pytest.raises(UserError, match=r"3 blemishes so far in the 10 images of train.*20\.0%"):
        run(f"csv:{spoilt}", out, max_bad_share=0.2)
    report = json.loads((out / "report.json").read_text(encoding="utf-8"))
    assert len(report["splits"]["train"]["blemishes"]) == 3
    with pytest.raises(UserError, match=r"no dataset_info.json"):
        open_source(f"tfds:{out}", "train")
    done = {path: path.stat().st_ino for path in out.glob("*.array_record*")}
    assert len(done) == 2
    run(f"csv:{spoilt}", out, max_bad_share=0.6)
    assert all(path.stat().st_ino == inode for path, inode in done.items())
    run(f"csv:{spoilt}", tmp_path / "at once", max_bad_share=0.6)
    assert contents(out) == contents(tmp_path / "at once")


KILLED = """
import sys
from jaxcap.data import prepare as module
module.SHARD_RECORDS = 3
if __name__ == "__main__":
    module.prepare(sys.argv[1], sys.argv[2], short_side=20, workers=1, progress=False)
"""


def test_a_killed_run_is_taken_up_and_gives_the_same_bytes(table, tmp_path):
    """The eighth image is a pipe without a writer: the worker hangs in its third shard."""
    out = tmp_path / "out"
    script = tmp_path / "killed.py"
    script.write_text(KILLED)
    pipe = table.parent / "7.jpg"
    image = pipe.read_bytes()
    pipe.unlink()
    os.mkfifo(pipe)
    command = [sys.executable, script, f"csv:{table}", out]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    deadline = time.monotonic() + PATIENCE
    while not list(out.glob("*-00002-of-00004.*.unfinished")) and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    # The pipe to here ends when its last holder has gone: the orphaned worker dies as well.
    process.communicate(timeout=PATIENCE)
    pipe.unlink()
    pipe.write_bytes(image)
    done = {path: path.stat().st_ino for path in out.glob("*-of-00004")}
    assert len(done) == 2

    run(f"csv:{table}", out)
    assert all(path.stat().st_ino == inode for path, inode in done.items())
    run(f"csv:{table}", tmp_path / "unbroken")
    assert contents(out) == contents(tmp_path / "unbroken")


class Deadly:
    """A source whose reader is killed, as by a machine that runs out of memory."""

    name, split, prompts = "deadly", "train", ()

    def __len__(self):
        return 1

    def __getitem__(self, index):
        os._exit(9)

    def told(self, index):
        return Record((), "", ())


def test_a_dead_worker_is_told(tmp_path):
    shard = Shard("train", 0, 1, tmp_path / "shard", tmp_path / "note")
    with pytest.raises(UserError, match="worker process died"):
        list(write_shards({"train": Deadly()}, [shard], 20, 1))


@pytest.mark.parametrize("step", ["write_json", "write_metadata", "end"])
def test_a_death_at_the_end_is_made_good(table, tmp_path, monkeypatch, step):
    class Death(BaseException):
        pass

    def die(*_):
        if step == "write_metadata":
            (tmp_path / "out" / "dataset_info.json").write_text("{")
        raise Death

    with monkeypatch.context() as patch:
        patch.setattr(prepare_module, step, die)
        with pytest.raises(Death):
            run(f"csv:{table}", tmp_path / "out")
    run(f"csv:{table}", tmp_path / "out")
    run(f"csv:{table}", tmp_path / "unbroken")
    assert contents(tmp_path / "out") == contents(tmp_path / "unbroken")


def test_finished_work_is_not_done_again(table, tmp_path):
    out = tmp_path / "out"
    first = run(f"csv:{table}", out)
    times = {path: path.stat().st_mtime_ns for path in out.iterdir()}
    assert run(f"csv:{table}", out) == first
    assert {path: path.stat().st_mtime_ns for path in out.iterdir()} == times


def test_only_its_like_takes_up_a_run(table, tmp_path, monkeypatch):
    out = tmp_path / "out"
    run(f"csv:{table}", out)
    with pytest.raises(UserError, match=r"short_side is 20, not 21"):
        run(f"csv:{table}", out, short_side=21)
    table.write_text(table.read_text().replace("Bird 3.", "Ostrich."))
    with pytest.raises(UserError, match=r"its splits is"):
        run(f"csv:{table}", out)
    other = tmp_path / "other"
    other.mkdir()
    (other / "thesis.tex").write_text("")
    with pytest.raises(UserError, match=r"new or empty folder.*thesis.tex"):
        run(f"csv:{table}", other)
    assert [each.name for each in other.iterdir()] == ["thesis.tex"]
    monkeypatch.setattr(prepare_module, "write_metadata", lambda *_: None)
    monkeypatch.setattr(prepare_module, "end", lambda *_: None)
    run(f"csv:{table}", tmp_path / "partial")
    with pytest.raises(UserError, match=r"short_side is 20, not 21"):
        run(f"csv:{table}", tmp_path / "partial", short_side=21)


@pytest.mark.parametrize("split", ["all", "my split"])
def test_a_split_that_tfds_could_not_name_is_refused(table, tmp_path, split):
    table.write_text(table.read_text().replace(",test", ",my split"))
    with pytest.raises(UserError, match=rf"cannot have a split '{split}'"):
        run(f"csv:{table}", tmp_path / "out", splits=[split])
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("given", "name"), [("My Birds", "my_birds"), ("2024-set", "data_2024_set"), ("", "data_")]
)
def test_names_are_made_fit_for_tfds(given, name):
    assert dataset_name(given) == name


def test_real_photographs(reference_data, tmp_path, monkeypatch):
    monkeypatch.setattr(prepare_module, "SHARD_RECORDS", 32)
    folder = reference_data / "coco_mini"
    spec = f"coco:{folder}/annotations/captions_train2017.json,{folder}/train2017"
    run(spec, tmp_path / "out", short_side=64)
    source, small = open_source(spec, "all"), open_source(f"tfds:{tmp_path}/out", "train2017")
    assert len(small) == 80
    for index in range(0, 80, 16):
        before, after = source[index], small[index]
        assert after.captions == before.captions
        shrunk = decode_rgb(after.images[0])
        full = decode_rgb(before.images[0])
        assert min(shrunk.size) == 64
        # An independent reduction of the same photograph looks the same.
        reference = full.resize(shrunk.size, Image.Resampling.BOX)
        difference = np.asarray(shrunk, np.float32) - np.asarray(reference, np.float32)
        assert np.abs(difference).mean() < 8


def test_a_relative_folder_is_written_where_it_says(table, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    run(f"csv:{table}", Path("here"))
    assert (tmp_path / "here" / "dataset_info.json").exists()
    assert len(open_source("tfds:here", "train")) == 10
