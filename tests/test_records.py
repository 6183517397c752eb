"""Runs on records that are not one photograph: pairs with boxes, and features of regions alone."""

import io
import json

import h5py
import numpy as np
import pytest
from PIL import Image
from tiny_run import get_config
from typer.testing import CliRunner

from jaxcap.captioner import Captioner
from jaxcap.cli import app
from jaxcap.data.sources import open_source
from jaxcap.errors import UserError
from jaxcap.explain import paint
from jaxcap.explain_picture import draw_looks, draw_similarity
from jaxcap.train import train

D = 6
TWO_LSTMS = {"name": "recurrent", "width": 16, "depth": 2, "looks": 1, "attention_width": 8}


def command(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


def said(run):
    written = json.loads((run / "predictions.json").read_text())
    return {each["image_id"]: each["caption"] for each in written}


@pytest.fixture(scope="module")
def pairs(tmp_path_factory):
    """A run that looks at the things in two pictures."""
    run = tmp_path_factory.mktemp("pairs") / "run"
    config = get_config()
    config.data.source = "shapes_pairs:size=32,train=16,val=4"
    config.data.images, config.data.regions, config.data.crop = 2, 3, 0.9
    config.model.encoder = {"name": "vgg16", "widths": (4, 8), "depths": (1, 1)}
    config.model.stage = {"name": "regions"}
    config.model.bridge.geometry = True
    train(config, run)
    return run


def files_of(record, folder):
    """The pictures of a record as files, and their boxes in pixels by the files' names."""
    names = [folder / f"{number}.png" for number in range(len(record.images))]
    for name, image in zip(names, record.images, strict=True):
        Image.open(io.BytesIO(image)).save(name)
    boxes = [(np.array(each) * 32).tolist() for each in record.boxes]
    return names, dict(zip([name.name for name in names], boxes, strict=True))


def test_a_run_of_pairs_captions_the_pairs_that_it_is_given(pairs, tmp_path):
    source = open_source("shapes_pairs:size=32,val=4", "val")
    assert list(said(pairs)) == [record.image_id for record in source]
    scores = json.loads((pairs / "scores.json").read_text())["scores"]
    assert {"exact_match", "exact_match_seen", "exact_match_held_out"} <= scores.keys()
    captioner = Captioner.load(pairs)
    for record in (source[0], source[3]):
        files, boxes = files_of(record, tmp_path)
        ((caption,),) = captioner([files], boxes=[list(boxes.values())])
        assert caption.text == said(pairs)[record.image_id]
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    asked = ("caption", pairs, *files, "--together", "--boxes", tmp_path / "boxes.json", "--json")
    (line,) = map(json.loads, command(*asked).stdout.splitlines())
    assert line["image"] == f"{files[0]}+{files[1]}"
    assert line["captions"][0]["text"] == caption.text
    (logp,) = captioner.logp(files, [caption.text], boxes=list(boxes.values()))
    (other,) = captioner.logp(files[::-1], [caption.text], boxes=list(boxes.values())[::-1])
    assert logp != pytest.approx(other, rel=1e-6)  # before and after are not the same


def drawn(file, picture):
    """What is in the file is the picture, but for the last digit of a number."""
    written, expected = (np.asarray(x).astype(int) for x in (Image.open(file), picture))
    assert written.shape == expected.shape
    return np.abs(written - expected).mean() < 0.1


def test_where_it_looked_in_a_pair_is_drawn_on_both_pictures(pairs, tmp_path):
    record = open_source("shapes_pairs:size=32,val=4", "val")[0]
    files, boxes = files_of(record, tmp_path)
    (tmp_path / "boxes.json").write_text(json.dumps(boxes))
    places = ("--explain", tmp_path / "looks.png", "--similarity", tmp_path / "alike.png")
    asked = (*files, "--together", "--boxes", tmp_path / "boxes.json")
    result = command("caption", pairs, *asked, *places)
    assert result.exit_code == 0, result.output
    captioner = Captioner.load(pairs)
    found = captioner.explain(files, boxes=list(boxes.values()))
    assert drawn(tmp_path / "looks.png", draw_looks(found))
    assert drawn(tmp_path / "alike.png", draw_similarity(found))
    weights = found.weights()
    for number, (file, each) in enumerate(zip(files, record.boxes, strict=True)):
        np.testing.assert_array_equal(found.pictures[number], Image.open(file))
        here = found.image == number
        real = here & np.isin(np.arange(len(here)), np.flatnonzero(here)[: len(each)])
        np.testing.assert_allclose(found.boxes[real], each, atol=1e-6)
        assert (weights[:, real] > 0).all()
        assert (weights[:, here & ~real] == 0).all()
        expected = paint(weights[:, real], np.array(each, np.float32), 32, 32)
        np.testing.assert_allclose(found.on_image(weights, 32, 32, number), expected, atol=1e-5)
    np.testing.assert_allclose(weights.sum(axis=1), 1, rtol=1e-5)
    blind = captioner.explain(files, "a red circle", boxes=[[], []])
    for number in range(2):
        assert not blind.on_image(blind.weights(), 32, 32, number).any()
    assert draw_looks(blind).width == draw_looks(found).width


def test_boxes_that_lack_are_asked_for(pairs, tmp_path):
    source = open_source("shapes_pairs:size=32,val=4", "val")
    files, boxes = files_of(source[0], tmp_path)
    result = command("caption", pairs, *files, "--together")
    assert (result.exit_code, "Give each image a list of boxes" in result.stderr) == (2, True)
    (tmp_path / "boxes.json").write_text(json.dumps({"0.png": boxes["0.png"]}))
    result = command("caption", pairs, *files, "--together", "--boxes", tmp_path / "boxes.json")
    assert (result.exit_code, "tells no boxes of" in result.stderr) == (2, True)
    captioner = Captioner.load(pairs)
    with pytest.raises(UserError, match=r"more images than boxes, of which there are 0\."):
        captioner([files], boxes=[])
    with pytest.raises(UserError, match=r"more boxes than images, of which there are 0\."):
        captioner([], boxes=[boxes])


@pytest.fixture(scope="module")
def featured(tmp_path_factory):
    """Bottom-up and top-down, in a folder without photographs; one image has no features."""
    folder = tmp_path_factory.mktemp("featured")
    rng = np.random.default_rng(0)
    for number in range(12):
        count = 1 + number % 4
        arrays = {"x": rng.normal(size=(count, D)), "bbox": rng.integers(0, 9, (count, 4))}
        if number != 9:
            np.savez(folder / f"{number}.npz", **arrays, image_w=9, image_h=9)
    rows = [f"{n}.jpg,a dog {n % 3},{'val' if n > 7 else 'train'}" for n in range(12)]
    (folder / "t.csv").write_text("\n".join(["image,caption,split", *rows]))
    config = get_config()
    config.data.source = f"csv:{folder}/t.csv"
    config.data.region_features = str(folder)
    config.data.features, config.data.regions = D, 3
    config.model.encoder = {"name": "given"}
    config.model.bridge.geometry = True
    config.model.decoder = TWO_LSTMS
    train(config, folder / "run")
    return folder


def test_features_are_trained_on_and_captioned_without_photographs(featured):
    run = featured / "run"
    assert list(said(run)) == ["8.jpg", "10.jpg", "11.jpg"]
    assert json.loads((run / "scores.json").read_text())["unreadable"] == ["9.jpg"]
    result = command("caption", run, *(featured / f"{n}.npz" for n in (8, 9, 11)), "--json")
    assert result.exit_code == 1
    first, lacking, last = map(json.loads, result.stdout.splitlines())
    assert first["captions"][0]["text"] == said(run)["8.jpg"]
    assert last["captions"][0]["text"] == said(run)["11.jpg"]
    assert "has no features that can be read" in lacking["error"]


def test_where_it_looked_among_features_is_drawn_on_grey(featured, tmp_path):
    run, file = featured / "run", featured / "10.npz"
    result = command("caption", run, file, featured / "8.npz", "--explain", tmp_path)
    assert result.exit_code == 0, result.output
    assert sorted(each.name for each in tmp_path.iterdir()) == ["10.png", "8.png"]
    found = Captioner.load(run).explain(file)
    assert drawn(tmp_path / "10.png", draw_looks(found))
    assert [np.asarray(picture).std() for picture in found.pictures] == [0]
    assert found.weights().shape == (len(found.tokens), 3)
    np.testing.assert_allclose(found.weights().sum(axis=1), 1, rtol=1e-5)
    shares = np.clip(np.load(file)["bbox"][:3] / 9, 0, 1)
    np.testing.assert_allclose(found.boxes, shares, atol=1e-6)


def test_features_in_another_place_are_evaluated_alike(featured, tmp_path):
    with h5py.File(tmp_path / "all.h5", "w") as file:
        for number in (8, 10, 11):
            for name, array in np.load(featured / f"{number}.npz").items():
                file[f"{number}/{name}"] = array
    asked = ("--region-features", tmp_path / "all.h5", "--out", tmp_path / "out")
    result = command("eval", featured / "run", *asked)
    assert result.exit_code == 0, result.output
    for name in ("predictions.json", "scores.json"):
        assert (tmp_path / "out" / name).read_text() == (featured / "run" / name).read_text()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.region_features": "/nowhere"}, "no features of regions at /nowhere"),
        ({"data.features": D + 1}, r"None of the first 4 .*shape \[1, 6\]; expected \[N, 7\]"),
    ],
)
def test_a_wrong_place_or_width_of_features_is_told(featured, tmp_path, changes, message):
    config = get_config()
    config.data.source = f"csv:{featured}/t.csv"
    config.model.encoder = {"name": "given"}
    fitting = {"data.region_features": str(featured), "data.features": D, "data.regions": 3}
    config.update_from_flattened_dict(fitting | changes)
    with pytest.raises(UserError, match=message):
        train(config, tmp_path / "run")
