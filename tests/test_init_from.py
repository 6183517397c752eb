"""A run that starts from another: it has its model and its words, and needs it no longer."""

import dataclasses
import json
import shutil

import jax
import numpy as np
import pytest
from tiny_run import SOURCE, get_config, photographs

from jaxcap.captioner import Captioner
from jaxcap.errors import UserError
from jaxcap.experiment import Experiment
from jaxcap.run import Run
from jaxcap.train import train


def starting(parent):
    """The config of a run that starts from another, on other data: its shapes are others."""
    config = get_config()
    config.init_from = str(parent)
    config.data.source = SOURCE.replace("train=64", "train=24")
    config.steps, config.seed, config.optim.warmup = 2, 5, 0
    return config


@pytest.fixture(scope="module")
def child(tiny_run, tmp_path_factory):
    """Trained from a copy of the tiny run that is gone; not to be written to."""
    folder = tmp_path_factory.mktemp("child")
    shutil.copytree(tiny_run, folder / "parent")
    shutil.copytree(folder / "parent" / "tokenizer", folder / "parent" / "origin")
    train(starting(folder / "parent"), folder / "run")
    shutil.rmtree(folder / "parent")
    return folder / "run"


def test_its_first_step_is_the_best_of_the_other(child, tiny_run):
    assert Run(child).steps() == [0, 2]
    first, last, other = (
        Captioner.load(run, step) for run, step in ((child, 0), (child, 2), (tiny_run, None))
    )
    image, texts = photographs(1)[0], ["a red circle", "a small blue square"]
    np.testing.assert_array_equal(first.logp(image, texts), other.logp(image, texts))
    assert (last.logp(image, texts) != other.logp(image, texts)).all()


@pytest.mark.parametrize(("later", "best"), [(0.4, 0), (0.5, 2), (0.6, 2)])
def test_what_it_starts_from_is_its_best_until_something_is_as_good(
    tiny_run, tmp_path, monkeypatch, later, best
):
    scores, evaluate = iter((0.5, later)), Experiment.evaluate

    def scored(*args, **how):
        found = evaluate(*args, **how)
        return dataclasses.replace(found, scores=found.scores | {"CIDEr": next(scores)})

    monkeypatch.setattr(Experiment, "evaluate", scored)
    train(starting(tiny_run), tmp_path)
    assert Run(tmp_path).steps() == [0, 2]
    assert Run(tmp_path).best_step() == best
    first, *_ = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    assert (first["step"], first["eval/CIDEr"]) == (0, 0.5)


def test_checkpoints_compete_on_the_same_images(tiny_run, tmp_path, monkeypatch):
    """The last evaluation is of the whole split, whose CIDEr is another than that of a part."""
    evaluate = Experiment.evaluate

    def scored(self, variables, step, images=0, also=()):
        found = evaluate(self, variables, step, images=images, also=also)
        return dataclasses.replace(found, scores=found.scores | {"CIDEr": step + 0.1 * images})

    monkeypatch.setattr(Experiment, "evaluate", scored)
    config = starting(tiny_run)
    config.eval.images = 3
    train(config, tmp_path)
    manager = Run(tmp_path).manager
    assert [manager.metrics(step)["CIDEr"] for step in (0, 2)] == pytest.approx([0.3, 2.3])
    assert json.loads((tmp_path / "scores.json").read_text())["scores"]["CIDEr"] == 2


def test_it_speaks_with_the_words_of_the_other_and_keeps_what_an_import_kept(child, tiny_run):
    for folder in ("tokenizer", "origin"):
        theirs = {file.name: file.read_bytes() for file in (tiny_run / "tokenizer").iterdir()}
        assert {file.name: file.read_bytes() for file in (child / folder).iterdir()} == theirs


def test_it_goes_on_without_the_other(child, tmp_path):
    shutil.copytree(child, tmp_path / "run")
    config = starting(tmp_path / "gone")
    config.steps = 3
    train(config, tmp_path / "run")
    assert Run(tmp_path / "run").latest_step() == 3


def test_a_run_of_another_model_is_refused_with_what_differs(tiny_run, tmp_path):
    config = starting(tiny_run)
    config.model.decoder.mlp_width = 48
    message = r"another model than the config:\s+decoder/layers_0/mlp/down/kernel: \(32, 16\) in"
    with pytest.raises(UserError, match=message):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()


def test_nothing_starts_from_itself(tiny_run, tmp_path):
    (tmp_path / "link").symlink_to(tiny_run)
    with pytest.raises(UserError, match="cannot start from itself: init_from and --workdir"):
        train(starting(tmp_path / "link"), tiny_run)


@pytest.mark.parametrize(
    ("holds", "message"),
    [
        (None, "is not a run directory: .* It is empty or does not exist"),
        ({"model_type": "blip"}, "is no run directory but a blip in .* jaxcap convert .* RUN"),
        ({"seed": 1}, "has no finished checkpoint"),
    ],
)
def test_what_is_no_trained_run_is_refused(holds, message, tmp_path):
    if holds:
        (tmp_path / "config.json").write_text(json.dumps(holds))
    with pytest.raises(UserError, match=message):
        Experiment.open(starting(tmp_path), Run(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_captions_may_be_of_another_length(tiny_run, tmp_path):
    """What the other run may not: a table of places that is longer than its captions."""
    config = get_config()
    config.steps, config.model.decoder.positions = 0, 40
    train(config, tmp_path / "parent")
    config = starting(tmp_path / "parent")
    config.model.decoder.positions, config.data.max_len = 40, 12
    experiment = Experiment.open(config, Run(tmp_path / "run"))
    assert "decoder/words/positions" in experiment.fresh_state()[1].loaded


def test_a_start_that_failed_leaves_nothing_that_a_later_one_uses(child, tiny_run, tmp_path):
    run = Run(tmp_path / "run")
    config = starting(child)
    config.search = {"beam": 2}
    with pytest.raises(UserError, match="'beam'"):
        train(config, run.path)
    assert {path.name for path in run.path.iterdir()} == {"tokenizer", "origin"}
    Experiment.open(starting(tiny_run), run)
    assert {path.name for path in run.path.iterdir()} == {"tokenizer"}


def test_an_import_is_not_gone_on_with(tmp_path):
    """It has no optimizer: it is started from."""
    config = get_config()
    run = Run(tmp_path / "imported")
    experiment = Experiment.open(config, run)
    state = jax.tree.map(np.asarray, experiment.fresh_state()[0])
    run.save_imported({**state.frozen, **state.trained}, state.stats, {"source": "elsewhere"})
    run.save_config(config)
    with pytest.raises(UserError, match=r"was imported: .* --config.init_from=.*imported and anot"):
        train(config, run.path)
    config.init_from = str(run.path)
    train(config, tmp_path / "run")
    assert Run(tmp_path / "run").steps()[0] == 0
