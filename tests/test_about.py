"""What a run is said to be; and a slim one, which is the same captioner in half the bytes."""

import json
import shutil

import jax
import numpy as np
import pytest
from tiny_run import get_config, photographs
from typer.testing import CliRunner

from jaxcap.about import about, network
from jaxcap.captioner import Captioner
from jaxcap.cli import app
from jaxcap.errors import UserError
from jaxcap.experiment import Experiment
from jaxcap.interop.slim import slim
from jaxcap.run import Run


@pytest.fixture(scope="module")
def small(tiny_run, tmp_path_factory):
    """A run made slim, and moved: the other is gone for it."""
    folder = tmp_path_factory.mktemp("slim")
    slim(tiny_run, folder / "made", "CC0")
    (folder / "made").rename(folder / "moved")
    return folder / "moved"


def test_its_weights_are_the_runs_but_for_their_last_digits(tiny_run, small):
    ours, theirs = Captioner.load(small), Captioner.load(tiny_run)
    assert ours.step == theirs.step == 3
    for leaf, other in zip(
        jax.tree.leaves(ours.variables), jax.tree.leaves(theirs.variables), strict=True
    ):
        assert leaf.dtype == other.dtype
        np.testing.assert_allclose(leaf, other, rtol=2**-8, atol=1e-30)
    texts, (photo, *_) = ["a red circle", "two"], photographs(1)
    np.testing.assert_allclose(ours.logp(photo, texts), theirs.logp(photo, texts), rtol=1e-2)
    assert ours.tokenizer.signature == theirs.tokenizer.signature


def test_it_captions_and_no_more(small):
    """No optimizer, and no folder of who trained it."""
    parts = {file.name for file in next((small / "checkpoints").glob("3")).iterdir()}
    assert "train" not in parts
    with pytest.raises(UserError, match="has no optimizer to go on with"):
        Run(small).restore_train(3, None)
    card = (small / "README.md").read_text()
    assert "CC0" in card
    assert "Captioner.load" in card


def test_folders_of_who_trained_it_are_not_told(tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    file = tmp_path / "run" / "config.json"
    config = json.loads(file.read_text())
    config["data"] |= {"source": "flickr8k:/home/me/flickr8k", "cache": "/home/me/kept"}
    config["model"]["word_vectors"] = "/home/me/glove.txt"
    config["model"]["encoder"]["init_from"] = "/home/me/dinov2"
    config["model"]["decoder"]["init_from"] = "/home/me/distilgpt2"
    file.write_text(json.dumps(config | {"init_from": "/home/me/runs/first"}))
    slim(tmp_path / "run", tmp_path / "slim")
    told = b"".join(path.read_bytes() for path in tmp_path.glob("slim/**/*") if path.is_file())
    assert b"/home/me" not in told
    assert str(tmp_path).encode() not in told
    assert b"flickr8k:flickr8k" in told
    assert Run(tmp_path / "slim").best_step() == 3


def test_a_license_that_is_known_is_kept(small, tmp_path):
    slim(small, tmp_path / "again")
    assert about(Run(tmp_path / "again"))["license"] == "CC0"


def test_what_is_trained_further_keeps_the_license_unless_it_has_its_own(small, tiny_run, tmp_path):
    config = get_config()
    config.init_from = str(small)
    opened = Experiment.open(config, Run(tmp_path / "further"))
    Run(tmp_path / "further").save_config(opened.config)
    assert Run(tmp_path / "further").config().license == "CC0"
    config.license = "MIT"
    assert Experiment.open(config, Run(tmp_path / "other")).config.license == "MIT"

    shutil.copytree(tiny_run, tmp_path / "run")
    Run(tmp_path / "run").save_config(opened.config)
    assert about(Run(tmp_path / "run"))["license"] == "CC0"


@pytest.mark.parametrize(
    ("data", "shown"),
    [
        ({}, "32 x 32 pixels, squeeze, bicubic"),
        ({"images": 2}, "32 x 32 pixels, squeeze, bicubic; 2 images together"),
        ({"regions": 3}, "32 x 32 pixels, squeeze, bicubic, 3 regions in boxes"),
        ({"features": 8, "regions": 3}, "8 features of each of 3 regions, and no pixels"),
    ],
)
def test_it_is_told_what_the_model_is_shown(data, shown):
    config = get_config()
    config.data.update(data)
    assert network(config).keys() == {"Encoder", "Decoder", "Shown"}
    assert network(config)["Shown"] == shown
    config.model.stage = {"name": "transformer", "depth": 2}
    assert network(config)["Stage"] == "transformer, depth 2"


def test_all_there_is_to_tell(tiny_run, small):
    whole, made = about(Run(tiny_run)), about(Run(small))
    for name in ("network", "parameters", "words", "training", "step", "scores"):
        assert made[name] == whole[name]
    assert (whole["license"], made["license"]) == (None, "CC0")
    sizes = [leaf.size for leaf in jax.tree.leaves(Captioner.load(tiny_run).variables)]
    parts = whole["parameters"]
    assert parts["all"] == sum(sizes) == parts["encoder"] + parts["bridge"] + parts["decoder"]
    assert whole["scores"]["signature"] in (tiny_run / "scores.json").read_text()


def test_scores_of_another_step_are_not_told(tiny_run, tmp_path):
    shutil.copytree(tiny_run, tmp_path / "run")
    file = tmp_path / "run" / "scores.json"
    file.write_text(file.read_text().replace("|step:3|", "|step:2|"))
    assert about(Run(tmp_path / "run"))["scores"] is None


def test_info_prints_it(small, tmp_path):
    def ask(*words):
        return CliRunner().invoke(app, ["info", *map(str, words)])

    assert json.loads(ask(small, "--json").stdout) == about(Run(small))
    told = ask(small).stdout
    for line in ("License      CC0", "Protocol     data:shapes", "Steps        3 of 3, 8 images"):
        assert line in told
    assert ask().stdout.startswith("flickr8k\n")  # the one in the box
    wrong = ask(tmp_path)
    assert (wrong.exit_code, "is not a run directory" in wrong.stderr) == (2, True)
