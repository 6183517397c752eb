"""What a run directory keeps, what it never reads, and what it refuses."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import optax
import pytest

from jaxcap.atomic import write_text
from jaxcap.config import base
from jaxcap.errors import UserError
from jaxcap.optim import KINDS, optimizer
from jaxcap.run import Run
from jaxcap.state import TrainState

TX = optax.adam(0.1)


def state(step, width=3, frozen=("encoder/kernel",)):
    params = {
        name: jnp.full((2, width), float(step) + place)
        for place, name in enumerate(("decoder/kernel", "decoder/more", "encoder/kernel"))
    }
    trained = {name: leaf for name, leaf in params.items() if name not in frozen}
    return TrainState(
        step=jnp.asarray(step, jnp.int32),
        trained=trained,
        average={name: leaf / 2 for name, leaf in trained.items()},
        frozen={name: params[name] for name in frozen},
        stats={"encoder/mean": jnp.full((width,), 7.0)},
        opt_state=TX.init(trained),
        baseline=jnp.float32(-step),
    )


def shapes(like):
    here = jax.sharding.SingleDeviceSharding(jax.devices()[0])
    return jax.tree.map(lambda x: jax.ShapeDtypeStruct(x.shape, x.dtype, sharding=here), like)


@pytest.fixture
def run(tmp_path):
    """Steps 1 and 2 are saved."""
    run = Run(tmp_path / "run")
    for step in (1, 2):
        run.save(state(step))
    run.wait()
    return run


def assert_reads(run, step):
    restored = Run(run.path).restore_train(step, shapes(state(0)))
    jax.tree.map(np.testing.assert_array_equal, restored, state(step))


def test_what_was_saved_is_read(run):
    assert run.latest_step() == 2
    assert_reads(run, 1)
    assert_reads(run, 2)
    params, stats = run.restore_model(
        2, *shapes(({**state(0).trained, **state(0).frozen}, {"encoder/mean": jnp.zeros(3)}))
    )
    np.testing.assert_array_equal(params["decoder/kernel"], state(2).average["decoder/kernel"])
    np.testing.assert_array_equal(params["encoder/kernel"], state(2).frozen["encoder/kernel"])
    np.testing.assert_array_equal(stats["encoder/mean"], state(2).stats["encoder/mean"])


@pytest.mark.parametrize("kind", KINDS)
def test_the_state_of_every_optimizer_is_read(kind, tmp_path):
    config = base().optim
    config.kind, config.weight_decay = kind, 0.0
    trained = state(1).trained
    tx = optimizer(config, 10, trained)
    _, moved = tx.update(trained, tx.init(trained), trained)
    saved = state(1).replace(opt_state=moved)
    run = Run(tmp_path / "run")
    run.save(saved)
    run.wait()
    restored = Run(run.path).restore_train(1, shapes(saved.replace(opt_state=tx.init(trained))))
    jax.tree.map(np.testing.assert_array_equal, restored, saved)


def test_a_run_that_lacks_what_training_needs_today_is_not_gone_on_with(run):
    """As of an earlier version, or without the first model, which the settings now ask for."""
    anchored = state(2).replace(anchor=state(2).trained)
    with pytest.raises(UserError, match=r"earlier version.*no anchor.*--config.init_from="):
        run.restore_train(2, shapes(anchored))


def test_the_first_model_is_saved_where_there_is_one(tmp_path):
    first = state(1).replace(anchor={name: leaf + 1 for name, leaf in state(1).trained.items()})
    run = Run(tmp_path / "run")
    run.save(first)
    run.wait()
    restored = Run(run.path).restore_train(1, shapes(first))
    jax.tree.map(np.testing.assert_array_equal, restored, first)
    without = first.replace(anchor={})  # by settings that no longer ask for it
    restored = Run(run.path).restore_train(1, shapes(without))
    jax.tree.map(np.testing.assert_array_equal, restored, without)


def test_another_optimizer_cannot_go_on(run):
    other = state(2)
    other = other.replace(opt_state=optax.sgd(0.1, momentum=0.9).init(other.trained))
    with pytest.raises(UserError, match=r"another optimizer \(optim.kind\)(.|\n)*trace.*absent"):
        run.restore_train(2, shapes(other))


def test_a_step_is_saved_once(run):
    run.save(state(2), {"CIDEr": 1.0})
    run.wait()
    assert_reads(run, 2)


def test_the_best_and_the_last_two_are_kept(tmp_path):
    run = Run(tmp_path)
    for step, score in ((1, 0.2), (2, 0.9), (3, None), (4, 0.4), (5, None), (6, 0.1)):
        run.save(state(step), None if score is None else {"CIDEr": score})
    run.wait()
    again = Run(tmp_path)
    assert sorted(again.manager.all_steps()) == [2, 5, 6]
    assert (again.latest_step(), again.best_step()) == (6, 2)
    assert (again.checkpoint(), again.checkpoint(5)) == (2, 5)
    with pytest.raises(UserError, match=r"no checkpoint of step 3. It has those of 2, 5, 6"):
        again.checkpoint(3)


def test_without_scores_the_latest_is_the_best(run):
    assert run.best_step() == 2


@pytest.mark.parametrize("name", ["3.orbax-checkpoint-tmp", "3.orbax-checkpoint-tmp-17"])
def test_a_half_written_checkpoint_is_never_read(run, name):
    """What a kill in the middle of a save leaves: the step's folder by another name."""
    folder = run.path / "checkpoints"
    shutil.copytree(folder / "2", folder / name)
    (folder / name / "_CHECKPOINT_METADATA").unlink()
    shutil.rmtree(folder / name / "train")
    again = Run(run.path)
    assert again.latest_step() == 2
    assert_reads(again, 2)
    again.save(state(3))
    again.wait()
    assert Run(run.path).latest_step() == 3
    assert_reads(again, 3)


@pytest.mark.parametrize("part", ["_CHECKPOINT_METADATA", "train"])
def test_a_checkpoint_that_lacks_a_part_is_never_read(run, part):
    """A copy of a run that was cut short: the step's folder has its name, but not all of it."""
    folder = run.path / "checkpoints" / "3"
    shutil.copytree(run.path / "checkpoints" / "2", folder)
    (folder / part).rename(run.path / "aside")
    again = Run(run.path)
    assert (again.latest_step(), again.best_step(), again.steps()) == (2, 2, [1, 2])
    again.save(state(3))
    again.wait()
    assert Run(run.path).latest_step() == 3
    assert_reads(run, 3)


def test_steps_before_one_that_lacks_a_part_are_saved(run):
    """orbax saves no step before the last that it knows."""
    folder = run.path / "checkpoints" / "9"
    shutil.copytree(run.path / "checkpoints" / "2", folder)
    shutil.rmtree(folder / "train")
    again = Run(run.path)
    again.save(state(3), {"CIDEr": 0.5})
    again.wait()
    assert Run(run.path).latest_step() == 3
    assert Run(run.path).best_step() == 3


def test_a_best_checkpoint_that_lacks_a_part_is_never_read(tmp_path):
    run = Run(tmp_path)
    run.save(state(1), {"CIDEr": 0.9})
    run.save(state(2), {"CIDEr": 0.1})
    run.wait()
    shutil.rmtree(tmp_path / "checkpoints" / "1" / "model")
    assert Run(tmp_path).best_step() == 2


def test_a_run_that_has_not_begun(tmp_path):
    run = Run(tmp_path / "new")
    assert run.latest_step() is None
    with pytest.raises(UserError, match="no finished checkpoint"):
        run.best_step()
    with pytest.raises(UserError, match=r"not a run directory.*is empty or does not exist"):
        run.config()
    assert not run.path.exists()


def test_a_config_older_than_a_field_has_its_default(tmp_path):
    run, config = Run(tmp_path), base()
    config.data.captions = 2
    config.model.encoder = {"name": "vit", "size": "S", "of_old": 1}
    run.save_config(config)
    saved = json.loads((tmp_path / "config.json").read_text())
    assert json.loads(run.config().to_json()) == saved
    old = json.loads(json.dumps(saved))
    del old["accumulate"], old["data"]["fit"], old["optim"], old["model"]["encoder"]["of_old"]
    (tmp_path / "config.json").write_text(json.dumps(old))
    del saved["model"]["encoder"]["of_old"]
    assert json.loads(run.config().to_json()) == saved


@pytest.mark.parametrize("text", ['{"data": 3}', "", '{"steps": 3', "[1, 2]", "[]", "{}", '"text"'])
def test_a_damaged_config_is_one_sentence(text, tmp_path):
    (tmp_path / "config.json").write_text(text)
    with pytest.raises(UserError, match=r"config.json is damaged.*Restore it from a copy"):
        Run(tmp_path).config()


def test_another_model_is_refused_with_the_leaves_that_differ(run):
    with pytest.raises(UserError, match=r"of another model") as told:
        run.restore_train(2, shapes(state(0, width=4)))
    assert "decoder/kernel: (2, 3) in the run, (2, 4) here" in str(told.value)
    with pytest.raises(UserError, match=r"decoder/other: absent in the run, \(5,\) here"):
        run.restore_model(2, {"decoder/other": jnp.zeros(5)}, {})


def test_other_trained_parameters_are_refused_with_their_names(run):
    with pytest.raises(UserError, match="another set of trained parameters") as told:
        run.restore_train(2, shapes(state(0, frozen=())))
    assert "encoder/kernel: absent in the run, (2, 3) here" in str(told.value)


def test_a_file_is_written_whole_or_not_at_all(tmp_path):
    file = tmp_path / "scores.json"
    write_text(file, "old")
    with pytest.raises(UnicodeEncodeError):
        write_text(file, "new \ud800")
    assert file.read_text() == "old"
