"""SPICE's program, asked as the COCO scorer asks it; a script stands in for Java."""

import json
import stat
import sys

import pytest

from jaxcap.errors import UserError
from jaxcap.metrics.report import protocol_of, score
from jaxcap.metrics.spice import lacking, spice

PARSER = ["stanford-corenlp-3.6.0.jar", "stanford-corenlp-3.6.0-models.jar"]
PREDICTIONS = {"b": ["a", "dog", "café", "ball"], "a": ["cats"]}
REFERENCES = {"a": [["two", "cats"], ["cats"]], "b": [["a", "dog"]]}

# What stands in for Java: it keeps how it was called, and gives images scores in another order.
PROGRAM = f"""#!{sys.executable}
import json, os, sys
given = sys.argv[sys.argv.index("-jar") + 2]
items = json.load(open(given, encoding="utf-8"))
here = os.path.dirname(os.path.abspath(__file__))
with open(os.path.join(here, "asked.json"), "w") as file:
    json.dump({{"arguments": sys.argv[1:], "items": items, "folder": os.getcwd()}}, file)
rows = [{{"image_id": item["image_id"], "scores": {{"All": {{"f": 1 / len(item["refs"])}}}}}}
        for item in items]
with open(sys.argv[sys.argv.index("-out") + 1], "w") as file:
    json.dump(rows[::-1], file)
"""


def write_java(folder, text):
    (folder / "bin").mkdir(exist_ok=True)
    program = folder / "bin" / "java"
    program.write_text(text)
    program.chmod(program.stat().st_mode | stat.S_IXUSR)


@pytest.fixture
def package(tmp_path, monkeypatch):
    """All that SPICE needs, by its names: the package, the parser in it, and a Java."""
    folder = tmp_path / "pycocoevalcap" / "spice"
    (folder / "lib").mkdir(parents=True)
    (folder.parent / "__init__.py").touch()
    for name in ("spice-1.0.jar", *(f"lib/{name}" for name in PARSER)):
        (folder / name).touch()
    write_java(tmp_path, PROGRAM)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setenv("JAVA_HOME", str(tmp_path))
    return folder


def test_each_image_has_its_own_score(package, tmp_path):
    assert spice(PREDICTIONS, REFERENCES) == {"a": 0.5, "b": 1.0}
    asked = json.loads((tmp_path / "bin" / "asked.json").read_text())
    assert asked["items"] == [
        {"image_id": 0, "test": "cats", "refs": ["two cats", "cats"]},
        {"image_id": 1, "test": "a dog café ball", "refs": ["a dog"]},
    ]
    assert asked["folder"] == str(package)
    assert asked["arguments"][2:4] == ["-jar", "spice-1.0.jar"]


def test_it_is_a_score_of_the_report_where_it_is_asked_for(package):
    said = {image: " ".join(words) for image, words in PREDICTIONS.items()}
    references = {image: [" ".join(words) for words in each] for image, each in REFERENCES.items()}
    report = score(said, references, also=["SPICE"])
    assert list(report.corpus)[-2:] == ["CIDEr", "SPICE"]
    assert report.corpus["SPICE"] == pytest.approx(0.75)
    assert report.per_image["b"]["SPICE"] == pytest.approx(1)
    assert protocol_of(report) == {"spice": "1.0,java"}
    assert "SPICE" not in score(said, references).corpus


def test_what_is_lacking_is_named(package, monkeypatch, tmp_path):
    assert lacking() is None
    monkeypatch.setenv("JAVA_HOME", str(tmp_path / "nowhere"))
    assert lacking() == "needs Java 8 or 11"
    (package / "lib" / PARSER[1]).unlink()
    assert lacking() == f"needs {PARSER[1]} of Stanford CoreNLP in {package / 'lib'}"
    (package / "spice-1.0.jar").unlink()
    assert lacking() == "needs pip install --force-reinstall pycocoevalcap"
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    assert lacking() == "needs pip install pycocoevalcap"
    with pytest.raises(UserError, match="needs pip install pycocoevalcap"):
        spice(PREDICTIONS, REFERENCES)
    report = score({"1": "a dog"}, {"1": ["a dog"]}, also=["SPICE"])
    assert report.lacking == {"SPICE": "needs pip install pycocoevalcap"}


def test_a_program_that_fails_costs_spice_alone(package, tmp_path):
    write_java(tmp_path, "#!/bin/sh\necho no such class >&2\nexit 1\n")
    report = score({"1": "a dog"}, {"1": ["a dog"]}, also=["SPICE"])
    assert report.corpus == score({"1": "a dog"}, {"1": ["a dog"]}).corpus
    assert "failed (exit status 1): no such class" in report.lacking["SPICE"]


def test_scores_that_cannot_be_read_cost_spice_alone(package, tmp_path):
    write_java(tmp_path, PROGRAM.replace("rows[::-1]", "rows[1:]"))
    with pytest.raises(UserError, match=r"scores that cannot be read \(KeyError"):
        spice(PREDICTIONS, REFERENCES)


def test_a_program_without_an_end_is_ended(package, tmp_path):
    write_java(tmp_path, "#!/bin/sh\nexec sleep 600\n")
    with pytest.raises(UserError, match="was ended"):
        spice(PREDICTIONS, REFERENCES, hours=0.3 / 3600)
