"""What the `jaxcap` command prints, writes and exits with."""

import errno
import io
import os
import subprocess
import sys

import numpy as np
import pytest
import typer
from commands import command, lines
from PIL import Image
from tiny_run import SOURCE

from jaxcap.cli import main
from jaxcap.data.sources import open_source
from jaxcap.explain_picture import draw_looks, draw_similarity


def test_help_is_there_before_jax():
    """As a program: the command is installed, and nothing heavy is imported to print its help."""
    code = (
        "import sys; from jaxcap.cli import app; app(['--help'], standalone_mode=False);"
        "print({'jax', 'numpy', 'flax', 'orbax', 'PIL'} & set(sys.modules))"
    )
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert ran.stdout.strip().endswith("set()")
    for name in ("caption", "eval", "score", "convert", "prepare"):
        assert name in ran.stdout


def test_caption_prints_each_image_with_its_captions_and_scores(tiny_run, captioner, photos):
    result = command("caption", tiny_run, photos / "b.png", "--beams", 3, "--num", 2)
    (found,) = captioner([photos / "b.png"], beams=3, num=2)
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines() == [
        str(photos / "b.png"),
        *(f"  {caption.score:7.3f}  {caption.text}" for caption in found),
    ]


def test_caption_json_has_a_line_an_image(tiny_run, captioner, photos):
    paths = (photos / "b.png", photos / "deep" / "a.PNG")
    options = ("--num", 2, "--max-length", 3, "--prefix", "<layout>", "--json")
    result = command("caption", tiny_run, *paths, *options)
    assert result.exit_code == 0, result.output
    found = lines(result)
    assert [line["image"] for line in found] == [str(path) for path in paths]
    expected = captioner(paths, num=2, max_len=3, prompt="<layout>")
    for line, captions in zip(found, expected, strict=True):
        assert [each["text"] for each in line["captions"]] == [each.text for each in captions]
        for each in line["captions"]:
            assert each.keys() == {"text", "score", "tokens", "logprobs"}
            assert len(each["tokens"]) == len(each["logprobs"]) <= 3
            assert each["score"] == pytest.approx(sum(each["logprobs"]) / len(each["logprobs"]))


def test_an_unreadable_image_costs_only_itself(tiny_run, photos):
    """A folder stands for its images, at any depth, in order; other files are no images."""
    result = command("caption", tiny_run, photos, photos / "none.jpg", "--json")
    assert result.exit_code == 1
    found = lines(result)
    names = ("b.png", "c.jpg", "deep/a.PNG", "none.jpg")
    assert [line["image"] for line in found] == [str(photos / name) for name in names]
    assert ["error" in line for line in found] == [False, True, False, True]
    assert found[1]["error"].startswith(f"{photos / 'c.jpg'} is no image of a known format")
    assert "cannot be read: No such file" in found[3]["error"]
    told = command("caption", tiny_run, photos / "c.jpg", photos / "b.png")
    assert told.exit_code == 1
    assert told.stdout.startswith(str(photos / "b.png"))
    assert told.stderr == f"jaxcap: {found[1]['error']}\n"


def test_caption_draws_where_the_decoder_looked_and_how_alike_words_are(
    tiny_run, captioner, photos, tmp_path
):
    """Of the captions that it prints; an unreadable photograph has no drawing."""
    places = {name: tmp_path / name for name in ("looks", "alike")}
    options = ("--explain", places["looks"], "--explain-head", 1, "--similarity", places["alike"])
    result = command("caption", tiny_run, photos, *options, "--num", 2)
    assert result.exit_code == 1
    plain = command("caption", tiny_run, photos, "--num", 2)
    assert (result.stdout, result.stderr) == (plain.stdout, plain.stderr)
    for file in places.values():
        assert sorted(each.name for each in file.iterdir()) == ["a.png", "b.png"]
    photo = photos / "deep" / "a.PNG"
    explained = captioner.explain(photo, captioner([photo], num=2)[0][0])
    for name, drawn in (
        ("looks", draw_looks(explained, head=1)),
        ("alike", draw_similarity(explained)),
    ):
        written = np.asarray(Image.open(places[name] / "a.png")).astype(int)
        assert (
            np.abs(written - np.asarray(drawn)).mean() < 0.1
        )  # but for the last digit of a number
    wrong = command("caption", tiny_run, photo, "--explain", tmp_path, "--explain-layer", 1)
    assert (wrong.exit_code, "no layer 1" in wrong.stderr) == (2, True)


def test_a_place_that_cannot_be_read_or_written_is_named(tiny_run, monkeypatch):
    def closed(_):
        raise PermissionError(errno.EACCES, "Permission denied", "runs/mine")

    monkeypatch.setattr("jaxcap.about.about", closed)
    result = command("info", tiny_run)
    assert (result.exit_code, result.stderr) == (2, "jaxcap: runs/mine: Permission denied.\n")


def test_names_of_files_are_printed_as_the_bytes_they_are(monkeypatch):
    """Also where Python would rather refuse what is not UTF-8."""
    out = io.BytesIO()
    monkeypatch.setattr(sys, "stdout", io.TextIOWrapper(out, "utf-8", "strict"))
    monkeypatch.setattr("jaxcap.cli.app", lambda: typer.echo(os.fsdecode(b"caf\xe9.jpg")))
    main()
    assert out.getvalue() == b"caf\xe9.jpg\n"


def test_prepare_makes_a_source_of_another(photos, tmp_path):
    rows = ["image,caption,split"]
    rows += [f"{name},A shape.,test" for name in ("b.png", "deep/a.PNG", "c.jpg")]
    table = photos / "t.csv"
    table.write_text("\n".join(rows))
    words = ("prepare", f"csv:{table}", tmp_path / "out", "--short-side", 20, "--workers", 0)
    refused = command(*words)
    assert refused.exit_code == 2
    assert "c.jpg is no image" in refused.stderr
    result = command(*words, "--split", "test", "--max-bad-share", 0.5)
    assert result.exit_code == 0, result.output
    assert "test: 2 of 3 images, 1 blemishes" in result.stdout
    prepared = open_source(f"tfds:{tmp_path / 'out'}", "test")
    assert [prepared[i].image_id for i in range(2)] == ["b.png", "deep/a.PNG"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("caption", "{empty}", "{photos}/b.png"), "is not a run directory"),
        (("caption", "{run}", "{empty}"), "holds no images"),
        (("caption", "{run}", "{photos}/b.png", "--num", "3", "--beams", "2"), "3 captions"),
        (("caption", "{run}", "{photos}/b.png", "--beams", "0"), "--beams"),
        (("caption", "{run}", "{photos}/b.png", "{photos}/b.png", "--together"), "has 2 images"),
        (("caption", "{run}", "{photos}/b.png", "--boxes", "{empty}/none.json"), "cannot be read"),
        (("caption", "{run}", "{photos}/b.png", "--boxes", "{photos}/b.json"), "at whole images"),
        (("caption", "{run}", "{photos}/c.jpg", "--boxes", "{photos}/b.json"), "no boxes of"),
        (("caption", "{run}", "{photos}", "--explain", "{empty}/out.png"), "is one file, and"),
        (("caption", "{run}", "{photos}/b.png", "--explain-head", "1"), "add --explain PNG"),
        (("eval", "{run}", "--region-features", "{empty}"), "data.features is 0 and"),
        (("caption", "{photos}/b.png", "--csv", "{photos}/c.jpg"), "c.jpg is there already"),
        (("caption", "{photos}/b.png", "--overwrite", "--csv", "{photos}/b.png"), "is one of the"),
        (("caption", "{photos}/b.png", "--csv", "{empty}/o", "--jsonl", "{empty}/o"), "of --csv"),
        (("eval", "{empty}"), "is not a run directory"),
        (("eval", "{run}", "--out", "{run}/config.json"), "config.json: File exists"),
        (("export", "{run}", "{empty}"), "is a folder; name a file"),
        (("export", "{run}", "."), "is a folder; name a file"),
        (("eval", "{run}", "--data", "shape"), "Did you mean 'shapes'"),
        (("eval", "{run}", "--split", "dev"), "no split 'dev'"),
        (("eval", "{run}", "--max-length", "99"), "at most 23"),
        (("eval", "{run}", "--batch-size", "3"), "A batch of 3 images"),
        (("score", "{empty}/none.json", "{empty}/none.json"), "cannot be read"),
        (("convert", "{run}", "{empty}/out"), "is a run directory. Add --to hf"),
        (("convert", "{run}", "{empty}/out", "--to", "onnx"), "no layout 'onnx' to convert to"),
        (("convert", "{run}", "{empty}/out", "--to", "hf"), "is none that Transformers has"),
        (("convert", "{empty}", "{empty}/out"), "holds no network in the Hugging Face layout"),
        (("convert", "{empty}", "{empty}/out", "--to", "hf"), "is not a run directory"),
        (("prepare", "csv:{empty}/none.csv", "{empty}/out"), "none.csv"),
    ],
)
def test_a_mistake_is_one_message_and_exit_code_2(words, message, tiny_run, photos, tmp_path):
    places = {"run": tiny_run, "photos": photos, "empty": tmp_path}
    result = command(*(word.format(**places) for word in words))
    assert result.exit_code == 2
    assert message in result.stderr
    assert "Traceback" not in result.output
    assert not result.stdout
    assert SOURCE in (tiny_run / "config.json").read_text()
