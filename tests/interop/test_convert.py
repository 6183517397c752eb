"""A run that was imported is a run like any other: whole, movable, scored, trained further."""

import json
import shutil

import numpy as np
import pytest
import transformers as hf
from published import photo_table, publish
from sources import SIDE, photographs
from typer.testing import CliRunner

from configs.finetune import get_config
from jaxcap import Captioner
from jaxcap.cli import app
from jaxcap.config import base
from jaxcap.interop.convert import convert
from jaxcap.run import Run
from jaxcap.state import flat
from jaxcap.train import train

PHOTOS = photographs(8)
NAMES = ("vit+gpt2", "git")


def command(*words):
    return CliRunner().invoke(app, [str(word) for word in words])


@pytest.fixture(scope="module")
def imported(tmp_path_factory):
    """Runs that were moved, without their sources; what they said before. Not to be written to."""
    folder = tmp_path_factory.mktemp("imported")
    said = {}
    for name in NAMES:
        publish(name, folder / "source")
        convert(folder / "source", folder / "here" / name)
        said[name] = Captioner.load(folder / "here" / name)(PHOTOS, num=2)
        shutil.rmtree(folder / "source")
    (folder / "here").rename(folder / "moved")
    return folder / "moved", said


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return photo_table(tmp_path_factory.mktemp("data") / "table")


@pytest.mark.parametrize("name", NAMES)
def test_a_run_needs_no_other_file(name, imported):
    folder, said = imported
    ours = Captioner.load(folder / name)
    assert ours(PHOTOS, num=2) == said[name]
    assert len({caption.text for captions in said[name] for caption in captions}) > 3
    assert all(np.isfinite(caption.score) for captions in said[name] for caption in captions)


@pytest.mark.parametrize("name", NAMES)
def test_the_config_is_complete(name, imported):
    config = json.loads((imported[0] / name / "config.json").read_text())
    assert sorted(config) == sorted(base())
    for part in ("data", "tokenizer", "optim", "eval", "model"):
        assert sorted(config[part]) == sorted(base()[part])
    assert (config["data"]["image_size"], config["data"]["fit"]) == (SIDE, "squeeze")
    assert (config["search"]["beams"], config["search"]["max_len"]) == (3, 8)
    assert config["search"]["suppress"] == []  # a network there may say any word
    assert (config["data"]["max_len"], config["model"]["vocab_size"]) == (23, 40)
    assert config["tokenizer"]["kind"] == "hf"
    said = {path.name for path in (imported[0] / name).iterdir()}
    assert said == {"config.json", "tokenizer", "checkpoints", "origin"}


def test_eval_scores_it(imported, data, tmp_path):
    folder, said = imported
    result = command("eval", folder / "git", "--data", data, "--out", tmp_path, "--json")
    assert result.exit_code == 0, result.output
    predictions = json.loads((tmp_path / "predictions.json").read_text())
    assert [each["image_id"] for each in predictions] == ["6.png", "7.png"]
    assert [each["caption"] for each in predictions] == [said["git"][i][0].text for i in (6, 7)]
    scores = json.loads((tmp_path / "scores.json").read_text())
    assert "beams=3,max_len=8" in scores["signature"]


def test_training_starts_from_it(imported, data, tmp_path):
    """What is frozen stays as it was published; the rest moves from there."""
    place = tmp_path / "run"
    config = get_config(str(imported[0] / "vit+gpt2"))
    config.steps, config.batch_size, config.eval.batch_size = 2, 8, 8
    config.data.source = data
    config.optim.parts = (("^encoder/", 0.0), ("", 1.0))
    train(config, place)
    assert Run(place).steps() == [0, 2]
    before, after = (flat(Captioner.load(place, step).variables["params"]) for step in (0, 2))
    for path, leaf in before.items():
        moved = np.abs(np.asarray(after[path]) - np.asarray(leaf)).max()
        assert (moved == 0) == path.startswith("encoder/"), path
        assert moved < 5 * config.optim.lr, path


def test_settings_of_generate_in_a_config_of_old(tmp_path):
    """There was no generation_config.json; the decoder's own fields count where no other does."""
    publish("vit+bert", tmp_path / "source")
    (tmp_path / "source" / "generation_config.json").unlink()
    file = tmp_path / "source" / "config.json"
    config = json.loads(file.read_text())
    config |= {"decoder_start_token_id": 5, "eos_token_id": 6, "num_beams": 4, "max_length": None}
    config["decoder"] |= {"num_beams": 2, "max_length": 7, "eos_token_id": 3, "pad_token_id": 0}
    file.write_text(json.dumps(config))
    theirs = hf.GenerationConfig.from_pretrained(  # as `from_pretrained` of a model reads it
        file.parent, config_file_name=file.name, _from_model_config=True
    )
    convert(tmp_path / "source", tmp_path / "run")
    run = Run(tmp_path / "run")
    search = run.config().search.to_dict()
    assert (search["beams"], search["max_len"]) == (theirs.num_beams, theirs.max_length - 1)
    assert (theirs.num_beams, theirs.max_length) == (4, 7)
    tokenizer = run.tokenizer()
    assert (tokenizer.bos, tokenizer.eos, tokenizer.pad) == (5, 6, 0)
    assert (theirs.decoder_start_token_id, theirs.eos_token_id, theirs.pad_token_id) == (5, 6, 0)


def test_the_command(tmp_path):
    publish("vit+gpt2", tmp_path / "source")
    result = command("convert", tmp_path / "source", tmp_path / "run")
    assert result.exit_code == 0, result.output
    assert result.stdout.splitlines()[0] == "94 parameters loaded"
    assert Run(tmp_path / "run").steps() == [0]


@pytest.mark.parametrize("said", ["apache-2.0", None])
def test_the_license_is_that_of_the_model_card(tmp_path, said):
    """What its head says, and not what stands below it."""
    publish("git", tmp_path / "source")
    line = f"license: {said}\n" if said else ""
    text = f"---\ntags:\n- images\n{line}language: en\n---\n\n# A captioner\n\nlicense: none\n---\n"
    (tmp_path / "source" / "README.md").write_text(text)
    convert(tmp_path / "source", tmp_path / "run")
    assert Run(tmp_path / "run").license(0) == said
