"""Evaluation: each image once on any number of devices, and the files that it leaves."""

import json
from typing import NamedTuple

import jax
import jax.numpy as jnp
import pytest

from jaxcap.data.frame import Frame
from jaxcap.data.pipeline import EvalExample
from jaxcap.data.showing import Showing
from jaxcap.data.sources import open_source
from jaxcap.data.text import build_tokenizer
from jaxcap.data.views import Pixels
from jaxcap.decode import Search
from jaxcap.errors import UserError
from jaxcap.evaluate import Evaluation, evaluate, write
from jaxcap.partition import make_mesh, over_batch
from jaxcap.train import print_scores

BATCH = 8


class Found(NamedTuple):
    tokens: jax.Array
    logps: jax.Array
    scores: jax.Array


def made(source):
    captions = [text for index in range(len(source)) for text in source.told(index).captions]
    tokenizer = build_tokenizer("word", captions, prompts=source.prompts)
    return EvalExample(source, Pixels(source, Showing(Frame(8))), tokenizer)


@pytest.fixture(scope="module")
def shapes():
    """Twelve images: not a multiple of the batch."""
    return made(open_source("shapes:size=32,val=4,train=1", "val"))


@pytest.fixture
def table(tmp_path):
    """Nine photographs, the first and the last of which are not there."""
    from PIL import Image

    for number in range(1, 8):
        Image.new("RGB", (9, 9), (number, 0, 0)).save(tmp_path / f"{number}.png")
    rows = [f"{number}.png,number {number},val" for number in range(9)]
    (tmp_path / "table.csv").write_text("\n".join(["image,caption,split", *rows]))
    return made(open_source(f"csv:{tmp_path / 'table.csv'}", "val"))


def run(example, devices, texts, images=0, workers=0):
    """An evaluation whose model says the text of the image's index, twice."""
    tokenizer = example.tokenizer
    rows = [[*tokenizer.encode(text), tokenizer.eos] for text in texts]
    length = max(map(len, rows))
    table = jnp.asarray([row + [tokenizer.pad] * (length - len(row)) for row in rows], jnp.int32)

    def say(variables, batch):
        tokens = variables[jnp.minimum(batch["index"], len(rows) - 1)]
        both = jnp.stack([tokens, jnp.zeros_like(tokens)], axis=1)
        return Found(both, jnp.zeros(both.shape), jnp.zeros(both.shape[:2]))

    mesh = make_mesh({"data": devices}, jax.devices()[:devices])
    with jax.set_mesh(mesh):
        return evaluate(
            over_batch(say, mesh),
            table,
            example,
            mesh,
            batch_size=BATCH,
            search=Search(beams=2),
            step=17,
            seed=5,
            images=images,
            workers=workers,
        )


@pytest.mark.parametrize("devices", [1, 8])
def test_each_image_is_seen_once(shapes, devices):
    source = shapes.source
    texts = [source.told(index).captions[index % 2] for index in range(len(source))]
    found = run(shapes, devices, texts)
    assert list(found.predictions) == [source[index].image_id for index in range(len(source))]
    assert list(found.predictions.values()) == texts
    assert found.scores["exact_match"] == 1
    assert found.scores["Bleu_4"] == pytest.approx(1)
    assert found.unreadable == {}


def test_the_first_images_alone(shapes):
    texts = [shapes.source.told(index).captions[0] for index in range(12)]
    found = run(shapes, 8, texts, images=5)
    assert list(found.predictions.values()) == texts[:5]
    assert "|images:5|" in found.signature
    assert len(run(shapes, 1, texts, images=99).predictions) == 12


def test_exact_match_is_also_given_for_each_group_and_level(shapes):
    source = shapes.source
    right = [index for index in range(12) if source[index].group == "seen"]
    texts = [source.told(i).captions[0] if i in right else "a circle" for i in range(12)]
    scores = run(shapes, 1, texts).scores
    assert scores["exact_match_seen"] == 1
    assert scores["exact_match_held_out"] == 0
    assert scores["exact_match_seen_layout"] == 1
    assert scores["exact_match_held_out_objects"] == 0
    assert scores["exact_match"] == scores["exact_match_layout"] == len(right) / 12


@pytest.mark.parametrize("devices", [1, 8])
def test_unreadable_images_are_listed_and_in_no_score(table, devices):
    found = run(table, devices, [f"number {index}" for index in range(9)])
    assert found.predictions == {f"{i}.png": f"number {i}" for i in range(1, 8)}
    assert sorted(found.unreadable) == ["0.png", "8.png"]
    for image, why in found.unreadable.items():
        assert why.startswith(f"{image} cannot be read: No such file")
    assert "|images:7|references:7|" in found.signature


def test_nothing_readable_at_all(table, tmp_path):
    for file in tmp_path.glob("*.png"):
        file.write_bytes(b"")
    with pytest.raises(
        UserError, match=r"None of the 9 images of .* could be read; .*: 0.png cannot be read"
    ):
        run(table, 1, ["number 1"])


def test_the_files_that_it_leaves(table, tmp_path):
    found = run(table, 1, ["number 1 \N{LATIN SMALL LETTER E WITH ACUTE}"])
    write(found, tmp_path)
    predictions = json.loads((tmp_path / "predictions.json").read_text())
    assert predictions == [{"image_id": f"{i}.png", "caption": "number 1"} for i in range(1, 8)]
    told = json.loads((tmp_path / "scores.json").read_text())
    assert {"scores", "signature", "checks", "unreadable", "lacking"} == set(told)
    bleu = {f"Bleu_{n}" for n in range(1, 5)}
    computed = {*bleu, "ROUGE_L", "CIDEr", "exact_match"}
    assert set(told["scores"]) | set(told["lacking"]) == computed | {"METEOR"}
    assert not set(told["scores"]) & set(told["lacking"])
    assert told["scores"]["exact_match"] == pytest.approx(1 / 7)
    assert told["checks"]["distinct"] < 0.2
    for part in ("split:val", "step:17", "seed:5", "beams=2", "words:ptb", "jaxcap:"):
        assert part in told["signature"]


def test_captions_are_told_as_they_are(capsys):
    """Brackets are no markup, and colons no pictures."""
    said = {"a [b].jpg": "a dog [/INST] :dog:"}
    print_scores(Evaluation(said, {"CIDEr": 1.0}, {}, "data:x", {}, {}))
    assert "  a [b].jpg: a dog [/INST] :dog:\n" in capsys.readouterr().out
