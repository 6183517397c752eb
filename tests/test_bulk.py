"""The bulk job: every image once, in order, whoever makes the shards and whatever was killed."""

import io
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from array_record.python.array_record_module import ArrayRecordWriter
from PIL import Image
from tiny_run import photographs
from typer.testing import CliRunner

from jaxcap.bulk import caption_all
from jaxcap.captioner import Captioner
from jaxcap.cli import app
from jaxcap.data.sources import open_source
from jaxcap.errors import UserError
from jaxcap.experiment import Experiment
from jaxcap.run import Run

COUNT, SHARD = 23, 5


@pytest.fixture(scope="module")
def listed(tmp_path_factory):
    """A list of images, of which one is cut short and one is not there."""
    folder = tmp_path_factory.mktemp("listed")
    names = []
    for number, photo in enumerate(photographs(COUNT)):
        names.append(f"photo {number}.png")
        Image.fromarray(photo).save(folder / names[-1])
    whole = (folder / names[3]).read_bytes()
    (folder / names[3]).write_bytes(whole[: len(whole) // 2])
    (folder / names[20]).unlink()
    (folder / "list.txt").write_text("\n".join([*names[:9], "", *names[9:]]) + "\n")
    return folder / "list.txt"


def experiment(tiny_run, source, **changes):
    given = {"data.source": source, "data.eval": "all", "eval.batch_size": 8, **changes}
    return Experiment.of_run(Run(tiny_run), given)


def lines(out):
    files = sorted(out.glob("captions-*.jsonl"))
    return [json.loads(line) for file in files for line in file.read_text().splitlines()]


@pytest.fixture(scope="module")
def whole(tiny_run, listed, tmp_path_factory):
    """What one process makes of it."""
    out = tmp_path_factory.mktemp("whole")
    done = caption_all(experiment(tiny_run, f"list:{listed}"), Run(tiny_run), out, shard=SHARD)
    assert done == COUNT
    return out


def test_each_image_has_a_line_in_its_place(tiny_run, listed, whole):
    found = lines(whole)
    assert [line["image"] for line in found] == [f"photo {n}.png" for n in range(COUNT)]
    assert {n for n, line in enumerate(found) if "error" in line} == {3, 20}
    assert "cannot be decoded" in found[3]["error"]
    assert "No such file" in found[20]["error"]
    (expected,), (other,) = Captioner.load(tiny_run)(
        [listed.parent / f"photo {n}.png" for n in (0, 22)]
    )
    for line, caption in ((found[0], expected), (found[22], other)):
        assert line["caption"] == caption.text
        assert line["score"] == pytest.approx(caption.score, rel=1e-4)


def test_parts_make_the_same_shards_and_what_is_there_is_kept(tiny_run, listed, whole, tmp_path):
    ours = experiment(tiny_run, f"list:{listed}")
    assert caption_all(ours, Run(tiny_run), tmp_path, part=(1, 3), shard=SHARD) == SHARD + 3
    made = {file: file.stat().st_mtime_ns for file in tmp_path.glob("captions-*")}
    assert [file.name[:14] for file in sorted(made)] == ["captions-00001", "captions-00004"]
    left = caption_all(ours, Run(tiny_run), tmp_path, shard=SHARD)
    assert left == COUNT - sum(len(file.read_text().splitlines()) for file in made)
    assert lines(tmp_path) == lines(whole)
    assert {file: file.stat().st_mtime_ns for file in made} == made
    assert caption_all(ours, Run(tiny_run), tmp_path, shard=SHARD) == 0


def test_another_job_is_not_mixed_in(tiny_run, listed, whole):
    other = experiment(tiny_run, f"list:{listed}", **{"search.beams": 2})
    with pytest.raises(UserError, match=r"another job: search was 'beams=1"):
        caption_all(other, Run(tiny_run), whole, shard=SHARD)


@pytest.mark.parametrize(("part", "shard"), [((2, 2), 5), ((-1, 2), 5), ((0, 1), 0)])
def test_a_part_that_is_none_is_refused(tiny_run, listed, tmp_path, part, shard):
    with pytest.raises(UserError, match="parts count from 0"):
        caption_all(
            experiment(tiny_run, f"list:{listed}"), Run(tiny_run), tmp_path, part=part, shard=shard
        )


KILLED = """
import os, signal, sys
import tiny_run
from jaxcap import bulk
from jaxcap.cli import app
bulk.SHARD = bulk.caption_all.__kwdefaults__["shard"] = 5
write = bulk.write_text
def write_and_die(path, text):
    if "00002" in path.name:
        path.with_name("." + path.name).write_text(text[:40])
        os.kill(os.getpid(), signal.SIGKILL)
    write(path, text)
bulk.write_text = write_and_die
app()
"""


def test_killed_in_a_shard_and_started_again_it_is_the_same(tiny_run, listed, whole, tmp_path):
    words = ["caption", tiny_run, "--input", listed, "--output", tmp_path, "--batch-size", "8"]
    ran = subprocess.run(
        [sys.executable, "-c", KILLED, *map(str, words)],
        env={
            **os.environ,
            "PYTHONPATH": str(Path(__file__).parent),
            "JAX_PLATFORMS": "cpu",
            "JAX_DISABLE_MOST_OPTIMIZATIONS": "1",
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert ran.returncode == -signal.SIGKILL, ran.stderr
    assert len(lines(tmp_path)) == 2 * SHARD
    ours = experiment(tiny_run, f"list:{listed}")
    caption_all(ours, Run(tiny_run), tmp_path, shard=SHARD)
    assert [line["image"] for line in lines(tmp_path)] == [line["image"] for line in lines(whole)]


def test_the_command_reads_array_records(tiny_run, tmp_path):
    photos = photographs(6)
    for file, some in (("a", photos[:4]), ("b", photos[4:])):
        writer = ArrayRecordWriter(str(tmp_path / f"{file}.array_record"), "group_size:1")
        for photo in some:
            data = io.BytesIO()
            Image.fromarray(photo).save(data, "PNG")
            writer.write(data.getvalue())
        writer.close()
    words = ["--input", tmp_path / "*.array_record", "--output", tmp_path / "out"]
    words += ["--batch-size", 8]
    result = CliRunner().invoke(app, ["caption", str(tiny_run), *map(str, words)])
    assert result.exit_code == 0, result.output
    found = lines(tmp_path / "out")
    names = [*(f"a.array_record:{n}" for n in range(4)), *(f"b.array_record:{n}" for n in range(2))]
    assert [line["image"] for line in found] == names
    expected = Captioner.load(tiny_run)(photos)
    assert [line["caption"] for line in found] == [each[0].text for each in expected]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "Name photographs or folders"),
        (["a.jpg", "--output", "x"], "--input and --output, to which"),
        (["a.jpg", "--part", "1/2"], "--input and --output, to which"),
        (["--input", "x"], "is captioned to --output"),
        (["a.jpg", "--input", "x", "--output", "y"], "and no PHOTO"),
        (["--input", "x", "--output", "y", "--num", "2"], "knows no other options"),
        (["--input", "x", "--output", "y", "--explain", "z.png"], "knows no other options"),
        (["--input", "nowhere*", "--output", "y"], "no file at nowhere"),
        (["--input", "x", "--output", "y", "--part", "3"], "which of how many"),
    ],
)
def test_words_that_do_not_fit_are_told(tiny_run, words, message):
    result = CliRunner().invoke(app, ["caption", str(tiny_run), *words])
    assert (result.exit_code, message in result.stderr) == (2, True), result.stderr


def test_a_pattern_of_photographs_is_no_pattern_of_records(listed):
    with pytest.raises(UserError, match=r"photo 0.png is no ArrayRecord file.* in a list"):
        open_source(f"array_record:{listed.parent}/*.png", "all")


def test_a_list_is_a_source_like_the_others(listed, tmp_path):
    source = open_source(f"list:{listed}", "all")
    assert len(source) == COUNT
    assert source.told(9).image_id == "photo 9.png"
    assert Path(listed.parent / "photo 9.png").read_bytes() == source[9].images[0]
    with pytest.raises(UserError, match="has no split 'val'"):
        open_source(f"list:{listed}", "val")
    (tmp_path / "windows.txt").write_bytes(b"\xef\xbb\xbfa.jpg\r\n\r\nb c.jpg\r\n\nd.jpg\r")
    source = open_source(f"list:{tmp_path / 'windows.txt'}", "all")
    names = [source.told(index).image_id for index in range(len(source))]
    assert names == ["a.jpg", "b c.jpg", "d.jpg"]
    with pytest.raises(UserError, match=r"is a folder\. Expected a file with a path in each line"):
        open_source(f"list:{tmp_path}", "all")
    (tmp_path / "nothing.txt").touch()
    with pytest.raises(UserError, match="names no images"):
        open_source(f"list:{tmp_path / 'nothing.txt'}", "all")
    (tmp_path / "empty.txt").write_text("\n\n")
    with pytest.raises(UserError, match="names no images"):
        open_source(f"list:{tmp_path / 'empty.txt'}", "all")
