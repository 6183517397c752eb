"""What the `jaxcap` command prints, writes and exits with."""

import errno
import io
import json
import os
import re
import shutil
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
from jaxcap.metrics import report
from jaxcap.metrics.meteor import lacking
from jaxcap.metrics.spice import lacking as spice_lacks


@pytest.fixture(scope="module")
def evaluated(tiny_run, tmp_path_factory):
    """(what `eval` said, the folder that it wrote to)."""
    out = tmp_path_factory.mktemp("out") / "new"
    asked = ("--data", "shapes:size=32,test=3,seed=5", "--split", "test", "--beams", 2)
    limits = ("--max-length", 4, "--length-penalty", 0.5, "--batch-size", 8)
    before = (tiny_run / "config.json").read_bytes()
    result = command("eval", tiny_run, *asked, *limits, "--out", out, "--json")
    assert result.exit_code == 0, result.output
    assert (tiny_run / "config.json").read_bytes() == before
    return json.loads(result.stdout), out


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


def test_eval_writes_what_it_says(evaluated):
    said, out = evaluated
    assert json.loads((out / "scores.json").read_text()) == said
    assert (out / "samples.png").is_file()
    assert said["signature"].startswith("data:shapes(size=32,seed=5)|split:test|images:9|")
    assert "beams=2,max_len=4,length_penalty=0.5" in said["signature"]
    predictions = json.loads((out / "predictions.json").read_text())
    source = open_source("shapes:size=32,test=3,seed=5", "test")
    assert [each["image_id"] for each in predictions] == [source[i].image_id for i in range(9)]
    assert all(len(each["caption"].split()) <= 4 for each in predictions)


def test_eval_scores_are_those_of_the_report_and_of_jaxcap_score(evaluated, tmp_path):
    said, out = evaluated
    source = open_source("shapes:size=32,test=3,seed=5", "test")
    records = [source[index] for index in range(len(source))]
    references = {record.image_id: record.captions for record in records}
    predictions = {
        each["image_id"]: each["caption"]
        for each in json.loads((out / "predictions.json").read_text())
    }
    expected = report.score(predictions, references, also=["METEOR"]).corpus
    assert {name: said["scores"][name] for name in expected} == expected
    (tmp_path / "refs.json").write_text(json.dumps(references))
    annotations = [
        {"image_id": image, "caption": caption}
        for image, captions in references.items()
        for caption in captions
    ]
    (tmp_path / "coco.json").write_text(json.dumps({"annotations": annotations}))
    for file in ("refs.json", "coco.json"):
        rescored = command(
            "score", out / "predictions.json", tmp_path / file, "--json", "--no-spice"
        )
        assert json.loads(rescored.stdout)["scores"] == expected
        assert f"images:9|references:{len(annotations)}|words:ptb" in rescored.stdout
    printed = command("score", out / "predictions.json", tmp_path / "refs.json").stdout
    assert f"CIDEr    {expected['CIDEr']:.4f}  " in printed
    for name, needs in (("METEOR", lacking()), ("SPICE", spice_lacks())):
        assert (f"{name:<8} not computed ({needs})" in printed) == bool(needs)
    unwritten = command(
        "score",
        out / "predictions.json",
        tmp_path / "refs.json",
        "--csv",
        tmp_path / "none" / "each.csv",
    )
    assert (unwritten.exit_code, "There is no folder" in unwritten.stderr) == (2, True)


def test_score_tells_how_sure_scores_are_and_compares_two_systems(tmp_path):
    references = {f"{n}": [f"a dog runs after {n} cats", "dogs run"] for n in range(12)}
    systems = {
        "mine": {n: f"a dog runs after {n} cats" for n in references},
        "other": dict.fromkeys(references, "a dog runs"),
    }
    for name, said in systems.items():
        (tmp_path / f"{name}.json").write_text(json.dumps(rows_of(said)))
    (tmp_path / "refs.json").write_text(json.dumps(references))
    files = ("score", tmp_path / "mine.json", tmp_path / "refs.json", "--resamples", "100")
    more = ("--against", tmp_path / "other.json", "--csv", tmp_path / "each.csv", "--seed", "3")
    found = json.loads(command(*files, *more, "--json").stdout)
    low, high = found["intervals"]["Bleu_4"]
    assert low <= found["scores"]["Bleu_4"] <= high
    assert found["against"]["Bleu_4"]["difference"] > 0.1
    assert found["against"]["Bleu_4"]["p"] == pytest.approx(1 / 101)
    assert "resamples:100|seed:3" in found["signature"]
    assert command(*files, *more, "--json").stdout == json.dumps(found) + "\n"
    head, *rows = (tmp_path / "each.csv").read_text().splitlines()
    assert head.startswith("image_id,Bleu_1,")
    assert len(rows) == 12
    assert re.search(r"Bleu_4 .* \+0\.\d{4} \(p 0\.010\)", command(*files, *more).stdout)
    alone = command(*files, "--no-meteor", "--no-spice")
    assert not re.search("METEOR|SPICE", alone.stdout)
    assert "(p " not in alone.stdout

    (tmp_path / "less.json").write_text(json.dumps(rows_of(systems["mine"])[1:]))
    refused = command(*files, "--against", tmp_path / "less.json")
    assert (refused.exit_code, refused.stdout) == (2, "")
    assert f"{tmp_path / 'less.json'}: 1 of 12 images of the references" in refused.stderr
    refused = command(*files, "--csv", tmp_path)
    assert (refused.exit_code, "is a folder; expected a file" in refused.stderr) == (2, True)


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


def rows_of(said):
    return [{"image_id": image, "caption": caption} for image, caption in said.items()]


def test_scores_are_told_though_their_table_cannot_be_written(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("No space left on device")

    (tmp_path / "said.json").write_text(json.dumps(rows_of({"1": "a dog"})))
    (tmp_path / "refs.json").write_text(json.dumps({"1": ["a dog"]}))
    monkeypatch.setattr("jaxcap.atomic.write_text", full)
    files = (tmp_path / "said.json", tmp_path / "refs.json", "--csv", tmp_path / "each.csv")
    told = command("score", *files, "--no-meteor", "--no-spice")
    assert told.exit_code == 2
    assert "Bleu_1   1.0000" in told.stdout
    assert "each.csv cannot be written: No space left on device" in told.stderr


def test_eval_of_a_file_of_predictions_scores_it_alike(evaluated, tmp_path):
    said, out = evaluated
    data = ("--data", "shapes:size=32,test=3,seed=5", "--split", "test")
    write = ("--out", tmp_path / "again")
    again = json.loads(command("eval", out / "predictions.json", *data, *write, "--json").stdout)
    assert json.loads((tmp_path / "again" / "scores.json").read_text()) == again
    assert {**again, "signature": ""} == {**said, "signature": ""}
    assert "images:9" in again["signature"]
    some = json.loads((out / "predictions.json").read_text())[1:]
    (tmp_path / "some.json").write_text(json.dumps(some))
    partial = command("eval", tmp_path / "some.json", *data)
    assert partial.exit_code == 2
    assert "1 of 9 images of the references have no prediction" in partial.stderr
    unnamed = command("eval", out / "predictions.json")
    assert (unnamed.exit_code, "--data SOURCE" in unnamed.stderr) == (2, True)


def test_eval_without_options_repeats_the_evaluation_of_the_training(tiny_run, tmp_path):
    result = command("eval", tiny_run, "--out", tmp_path)
    assert result.exit_code == 0, result.output
    for name in ("predictions.json", "scores.json"):
        again, first = (json.loads((at / name).read_text()) for at in (tmp_path, tiny_run))
        assert again == first


def test_eval_on_other_data_without_prompts(tiny_run, photos, tmp_path):
    """Whose corrupt and missing images are in no score."""
    for name in ("b.png", "c.jpg"):
        shutil.copy(photos / name, tmp_path)
    rows = ["image,caption,split"]
    rows += [f"{name},A red circle.,test" for name in ("b.png", "c.jpg", "none.jpg")]
    (tmp_path / "t.csv").write_text("\n".join(rows))
    data = ("--data", f"csv:{tmp_path / 't.csv'}", "--split", "test")
    result = command("eval", tiny_run, *data, "--out", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    said = json.loads(result.stdout)
    assert said["unreadable"] == ["c.jpg", "none.jpg"]
    assert "images:1|references:1" in said["signature"]
    again = command("eval", tmp_path / "predictions.json", *data, "--json")
    assert json.loads(again.stdout) == said | {"signature": json.loads(again.stdout)["signature"]}


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
