"""Samples of a run while it trains: the captions of its evaluation, explained as anywhere else."""

import json

import numpy as np
import pytest
from events import events, images, scalars, texts
from tiny_run import get_config

from jaxcap.captioner import Captioner
from jaxcap.data.image import decode_rgb
from jaxcap.data.sources import open_source
from jaxcap.explain_picture import draw_looks
from jaxcap.samples import side_by_side, with_caption
from jaxcap.train import train
from jaxcap.writers.tensorboard import TensorBoard

PLACES = [0, 1, 3, 4, 6, 7, 9, 10]  # of twelve records


def trained(folder, **changes):
    config = get_config()
    config.writers = ("tensorboard",)
    config.update_from_flattened_dict(changes)
    train(config, folder)
    return folder


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run on a mesh that every parameter is shared out over."""
    sizes = {"mesh.data": 2, "mesh.fsdp": 4, "eval.every": 2, "eval.images": 8}
    return trained(tmp_path_factory.mktemp("sampled") / "run", **sizes)


@pytest.fixture(scope="module")
def records():
    source = open_source(get_config().data.source, "val")
    return [source[place] for place in PLACES]


def close(found, drawn):
    """Of two pictures, one of them a JPEG."""
    difference = np.abs(found - np.asarray(drawn, float))
    return difference.mean() < 2 and (difference > 40).mean() < 0.01


def test_they_are_captions_of_the_evaluation_and_its_records(run, records):
    said = {
        each["image_id"]: each["caption"]
        for each in json.loads((run / "predictions.json").read_text())
    }
    expected = [said[record.image_id] for record in records]
    assert [caption for _, caption in texts(run, 3)] == expected
    drawn = images(run, 3)
    for number, (record, caption) in enumerate(zip(records, expected, strict=True)):
        square = side_by_side([decode_rgb(image) for image in record.images])
        assert close(drawn[f"samples/{number}/image"], with_caption(square, caption))


def test_each_evaluation_has_them_of_the_same_records(run):
    assert [len(texts(run, step)) for step in (1, 2, 3)] == [0, 8, 8]
    early, late = images(run, 2), images(run, 3)
    assert early.keys() == late.keys()


def test_where_the_decoder_looked_is_what_the_captioner_tells(run, records):
    """On one device, of the checkpoint that was saved then."""
    captioner, drawn = Captioner.load(run, step=3), images(run, 3)
    for number, record in enumerate(records):
        (found,) = captioner([record.images[0]], prompt=record.prompt)
        explained = captioner.explain(record.images[0], found[0])
        assert close(drawn[f"samples/{number}/looks"], draw_looks(explained))


def test_all_numbers_of_metrics_jsonl_are_curves(run):
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    numbers = [
        (row["step"], name, number)
        for row in rows
        for name, number in row.items()
        if name != "step"
    ]
    assert len(numbers) > 20
    assert [row[:2] for row in scalars(run)] == [row[:2] for row in numbers]
    values = [number for *_, number in numbers]
    np.testing.assert_allclose([number for *_, number in scalars(run)], values, rtol=1e-6)


def test_a_decoder_that_does_not_look_has_captions_alone(tmp_path):
    decoder = {"name": "recurrent", "width": 16, "depth": 1, "fusion": "merge"}
    run = trained(tmp_path / "run", **{"model.decoder": decoder})
    assert set(images(run, 3)) == {f"samples/{number}/image" for number in range(8)}
    assert len(texts(run, 3)) == 8


def test_training_ends_whatever_becomes_of_a_writer(tmp_path, monkeypatch, capsys):
    def fail(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(TensorBoard, "samples", fail)
    run = trained(tmp_path / "run", **{"eval.every": 2})
    assert capsys.readouterr().out.count("tensorboard cannot be written") == 1
    rows = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [row["step"] for row in rows] == [2, 2, 3, 3]
    assert {event.step for event in events(run) if event.summary.value} == {2}
    assert (run / "scores.json").exists()
