"""`jaxcap eval` and `jaxcap score`: what they say, and that they say the same."""

import json
import re
import shutil

import pytest
from commands import command

from jaxcap.data.sources import open_source
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
