"""Where captions go, in what form; and what else may be asked of them."""

import csv
import json
import shutil
from xml.etree import ElementTree

import numpy as np
import pytest
from commands import command, lines

from jaxcap.boxed import BOXED
from jaxcap.confidence import blank, words_of
from jaxcap.data.sources import open_source

XMP = {
    "rdf": "http://www.w3.org/1999/02/22-rdf-syntax-ns#",
    "dc": "http://purl.org/dc/elements/1.1/",
    "iptc": "http://iptc.org/std/Iptc4xmpCore/1.0/xmlns/",
}


@pytest.fixture
def own(photos, tmp_path):
    """A folder of one's own with the photographs in it, and one that has a stem twice."""
    for name in ("b.png", "c.jpg"):
        shutil.copy(photos / name, tmp_path)
    shutil.copy(photos / "deep" / "a.PNG", tmp_path / "a.png")
    shutil.copy(photos / "b.png", tmp_path / "a.jpeg")
    return tmp_path


def test_files_of_lines_and_rows_say_what_is_printed(tiny_run, photos, tmp_path):
    printed = command("caption", tiny_run, photos, "--num", 2, "--json")
    files = ("--jsonl", tmp_path / "c.jsonl", "--csv", tmp_path / "c.csv")
    written = command("caption", tiny_run, photos, "--num", 2, *files)
    assert (written.exit_code, written.stdout) == (1, "")
    assert written.stderr.startswith(f"jaxcap: {photos / 'c.jpg'} is no image")
    assert (tmp_path / "c.jsonl").read_text() == printed.stdout
    with (tmp_path / "c.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    expected = [
        (line["image"], caption["text"])
        for line in lines(printed)
        for caption in line.get("captions", [{"text": ""}])
    ]
    named = [(str((tmp_path / row["image"]).resolve()), row["caption"]) for row in rows]
    assert named == expected
    assert "no image of a known format" in rows[2]["error"]
    assert sorted(file.name for file in tmp_path.iterdir()) == ["c.csv", "c.jsonl"]


def test_a_table_of_captions_can_be_trained_on(tiny_run, own, monkeypatch):
    """Its paths are those from its own folder, wherever the command was given."""
    (own / "out").mkdir()
    monkeypatch.chdir(own)
    command("caption", tiny_run, "b.png", "--num", 2, "--csv", "out/c.csv")
    monkeypatch.chdir(own / "out")
    source = open_source("csv:c.csv", "all")
    assert [len(source[index].captions) for index in range(len(source))] == [2]
    assert source[0].images[0] == (own / "b.png").read_bytes()


def test_no_file_is_written_over_unless_it_may(tiny_run, photos, tmp_path):
    for option in ("--csv", "--jsonl"):
        file = tmp_path / f"c{option}"
        file.write_text("a table of somebody's")
        words = ("caption", tiny_run, photos / "b.png", option, file)
        refused = command(*words)
        assert (refused.exit_code, "is there already" in refused.stderr) == (2, True)
        assert file.read_text() == "a table of somebody's"
        assert command(*words, "--overwrite").exit_code == 0
        assert "b.png" in file.read_text()


def test_a_table_never_lacks_what_has_a_sidecar(tiny_run, own):
    (own / "c.jpg").unlink()
    words = ("caption", tiny_run, own, "--write-sidecar", "txt", "--csv", own / "c.csv")
    assert command(*words).exit_code == 0
    table = (own / "c.csv").read_text()
    (own / "c.csv").rename(own / "kept")
    refused = command(*words)
    assert (refused.exit_code, "would be left out of the table" in refused.stderr) == (2, True)
    assert not (own / "c.csv").exists()
    assert command(*words, "--overwrite").exit_code == 0
    assert (own / "c.csv").read_text() == table


def test_a_file_that_was_cut_short_has_another_name(tiny_run, photos, tmp_path, monkeypatch):
    """What was captioned until then is not lost."""
    from jaxcap.cli import inference

    whole, calls = inference._told, []

    def broken(*given):
        calls.append(given)
        if len(calls) == 2:
            raise RuntimeError("the machine fell over")
        return whole(*given)

    monkeypatch.setattr(inference, "_told", broken)
    result = command("caption", tiny_run, photos, "--jsonl", tmp_path / "c.jsonl")
    assert isinstance(result.exception, RuntimeError)
    (part,) = tmp_path.iterdir()
    assert part.name == "c.jsonl.part"
    assert json.loads(part.read_text().splitlines()[0])["image"] == str(photos / "b.png")


def test_sidecars_lie_beside_their_photographs(tiny_run, captioner, own):
    result = command("caption", tiny_run, own, "--write-sidecar", "txt", "--num", 2)
    assert (result.exit_code, result.stdout) == (1, "")
    found = {file.name: file.read_text() for file in own.glob("*.txt")}
    assert found.keys() == {"a.png.txt", "a.jpeg.txt", "b.txt"}
    captions = captioner([own / "b.png"], num=2)[0]
    assert found["b.txt"] == "".join(f"{caption.text}\n" for caption in captions)


def test_sidecars_are_never_written_over_unless_they_may(tiny_run, own):
    (own / "b.txt").write_text("what somebody wrote")
    (own / "c.jpg").unlink()
    words = ("caption", tiny_run, own, "--write-sidecar", "txt")
    result = command(*words)
    assert result.exit_code == 0
    assert result.stderr.startswith("1 of 3 have a .txt beside them and are left alone")
    assert (own / "b.txt").read_text() == "what somebody wrote"
    assert (own / "a.png.txt").is_file()
    assert command(*words).stderr.startswith("3 of 3 have")
    assert command(*words, "--overwrite").exit_code == 0
    assert (own / "b.txt").read_text() != "what somebody wrote"


def test_an_xmp_sidecar_has_the_description_and_the_alternative_text(tiny_run, captioner, own):
    command("caption", tiny_run, own / "b.png", "--write-sidecar", "xmp", "--prefix", "a red")
    root = ElementTree.parse(own / "b.xmp").getroot()
    ((best,),) = captioner([own / "b.png"], prompt="a red")
    for field in ("dc:description", "iptc:AltTextAccessibility"):
        (item,) = root.findall(f".//{field}/rdf:Alt/rdf:li", XMP)
        assert item.text == best.text
        assert item.attrib == {"{http://www.w3.org/XML/1998/namespace}lang": "x-default"}


def test_confidence_is_what_the_image_adds_word_by_word(tiny_run, captioner, photos):
    photo = photos / "b.png"
    shown = captioner.shown(photo)
    (caption,) = captioner.of_shown([shown], prompt="a red", num=1)[0]
    words = words_of(captioner, shown, caption)
    said = caption.text.removeprefix("a red").split()
    assert [word.text for word in words] == said
    assert sum(word.logprob for word in words) == pytest.approx(sum(caption.logprobs), abs=1e-4)
    grey = captioner.shown(np.full((9, 9, 3), 127, np.uint8))
    np.testing.assert_equal(blank(shown), grey)
    without, whole = (captioner.logprobs(each, caption) for each in (grey, shown))
    gains = [word.image for word in words]
    assert gains == pytest.approx((whole - without).tolist(), abs=1e-4)
    assert any(abs(gain) > 1e-4 for gain in gains)
    told = command("caption", tiny_run, photo, "--prefix", "a red", "--confidence", "--json")
    (line,) = lines(told)
    assert [each["text"] for each in line["captions"][0]["words"]] == said
    assert all(each["low"] == (each["probability"] < 0.2) for each in line["captions"][0]["words"])
    printed = command("caption", tiny_run, photo, "--prefix", "a red", "--confidence").stdout
    assert [line.split()[2] for line in printed.splitlines()[2:]] == said


def test_captions_of_so_many_words_that_differ(tiny_run, photos):
    words = ("caption", tiny_run, photos / "b.png", "--json", "--num", 3, "--diverse")
    limits = ("--min-words", 2, "--max-words", 3)
    (line,) = lines(command(*words, *limits))
    texts = [caption["text"].split() for caption in line["captions"]]
    assert {len(text) for text in texts} <= {2, 3}
    assert len({text[0] for text in texts}) > 1


def test_a_photograph_from_the_standard_input(tiny_run, photos):
    named = command("caption", tiny_run, photos / "b.png", "--json")
    piped = command("caption", tiny_run, "-", "--json", input=(photos / "b.png").read_bytes())
    assert piped.stdout == named.stdout.replace(str(photos / "b.png"), "-")


def test_without_a_run_the_captioner_in_the_box_captions(photos):
    """It is a run directory like any other, and small enough to be carried along."""
    found = lines(command("caption", photos / "b.png", "--json"))
    assert found == lines(command("caption", BOXED, photos / "b.png", "--json"))
    assert len(found[0]["captions"][0]["text"].split()) > 2
    assert sum(file.stat().st_size for file in BOXED.rglob("*")) < 20e6
    assert (BOXED / "README.md").is_file()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--diverse",), "--diverse is of several captions"),
        (("--json", "--jsonl", "x.jsonl"), "--json prints, and"),
        (("--jsonl", "none/x.jsonl"), "none/x.jsonl cannot be written: No such file"),
        (("--csv", "."), ". is there already"),
        (("--overwrite",), "--overwrite is of --write-sidecar"),
        (("--min-words", "5", "--max-words", "4"), "max_words is 4; expected"),
        (("--min-words", "40"), "min_words is 40; captions have at most 6 tokens"),
        (("--prefix", "a red circle", "--max-words", "2"), "has 3 words, and max_words is 2"),
        (("--input", "list.txt", "--output", "o", "--confidence"), "--input is captioned to"),
        (("--input", "list.txt", "--output", "o", "--overwrite"), "--input is captioned to"),
    ],
)
def test_what_cannot_be_asked_is_said(tiny_run, photos, words, message):
    photo = [] if "--input" in words else [photos / "b.png"]
    result = command("caption", tiny_run, *photo, *words)
    assert (result.exit_code, message in result.stderr) == (2, True)


def test_a_sidecar_needs_a_place(tiny_run):
    result = command("caption", tiny_run, "-", "--write-sidecar", "txt", input=b"")
    assert "There is no place beside - for a sidecar" in result.stderr
