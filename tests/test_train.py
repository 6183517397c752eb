"""The training step and the loop around it: parts, averages, frozen parameters, and bad luck."""

import json
import re

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from tiny_run import get_config

from jaxcap.data.text import build_tokenizer
from jaxcap.errors import UserError
from jaxcap.models import build
from jaxcap.optim import optimizer, split
from jaxcap.run import Run
from jaxcap.state import init_variables, new_state
from jaxcap.train import train
from jaxcap.train_step import make_step

TOKENIZER = build_tokenizer("word", ["a b c d e f g h i j k l m n o p"])
VOCABULARY = TOKENIZER.vocab_size


def settings(**optim):
    config = get_config()
    config.steps = 10
    config.optim.update({"warmup": 0, "eps": 1e-3, **optim})  # no noise of tiny gradients
    return config


def batch(seed=0):
    """Memories instead of images: the encoder, which has no part in it, need not be compiled."""
    rng = np.random.default_rng(seed)
    tokens = rng.integers(4, VOCABULARY, (8, 2, 6), np.int32)
    return {
        "memory": jnp.asarray(rng.standard_normal((8, 1, 4, 16), np.float32)),
        "present": jnp.ones((8, 1), bool),
        "tokens": jnp.asarray(tokens),
        "mask": jnp.asarray(np.arange(6) < rng.integers(1, 7, (8, 2, 1))),
    }


def start(config):
    """(state, step) of the tiny model."""
    model = build(config.model, VOCABULARY, config.data.max_len + 1)
    init = jax.jit(lambda key: init_variables(model, config, key))
    params, stats = init(jax.random.key(0))
    trained, _ = split(params, config.optim.parts or ())
    tx = optimizer(config.optim, config.steps, trained)
    return new_state(params, stats, config, tx), jax.jit(make_step(model, config, tx, TOKENIZER))


def assert_close(mine, others, **tolerance):
    assert mine.keys() == others.keys()
    for name, leaf in mine.items():
        np.testing.assert_allclose(leaf, others[name], err_msg=name, **tolerance)


def test_a_batch_in_parts_is_the_same_step():
    found = []
    for parts in (1, 4):
        config = settings()
        config.accumulate = parts
        state, step = start(config)
        found.append(step(state, batch()))
    (whole, whole_metrics), (parted, metrics) = found
    assert_close(metrics, whole_metrics, rtol=1e-4)
    assert_close(parted.trained, whole.trained, rtol=1e-4, atol=1e-6)


@pytest.mark.parametrize("parts", [1, 2])
def test_the_baseline_follows_the_likelihood(parts):
    config = settings()
    config.accumulate = parts
    state, step = start(config)
    expected = 0.0
    for seed in range(3):
        state, metrics = step(state, batch(seed))
        expected = 0.9 * expected - 0.1 * float(metrics["nll"])
        assert float(state.baseline) == pytest.approx(expected, rel=1e-5)
    assert expected < -0.1


def test_padding_and_rows_without_captions_have_no_part_in_a_step():
    state, step = start(settings())
    given = batch()
    mask = given["mask"].at[3].set(False)
    given["present"] = given["present"].at[3].set(False)
    other = {
        **given,
        "memory": given["memory"].at[3].set(1e3),
        "tokens": jnp.where(mask, given["tokens"], 0),
        "mask": mask,
    }
    (mine, metrics), (others, _) = (step(state, {**given, "mask": mask}), step(state, other))
    assert metrics["unreadable"] == 1
    assert metrics["tokens"] == mask.sum().astype(jnp.float32)
    assert_close(mine.trained, others.trained, rtol=1e-5, atol=1e-7)


def test_frozen_parameters_stay_and_all_others_move():
    parts = (
        ("^decoder/words/positions$", 1.0),
        ("^(decoder/words/(positions|embedding)|encoder/)", 0.0),
    )
    state, step = start(settings(parts=parts))
    frozen = {name for name in state.frozen if name.startswith("decoder/")}
    assert frozen == {"decoder/words/embedding"}
    new = state
    for seed in range(2):
        new, _ = step(new, batch(seed))
    assert new.frozen.keys() == state.frozen.keys()
    for name, leaf in state.frozen.items():
        np.testing.assert_array_equal(new.frozen[name], leaf)
    still = [name for name, leaf in state.trained.items() if (leaf == new.trained[name]).all()]
    assert still == []
    variables = new.variables()["params"]
    np.testing.assert_array_equal(
        variables["decoder"]["words"]["embedding"], state.frozen["decoder/words/embedding"]
    )


@pytest.mark.parametrize("ema", [0.0, 0.15])
def test_the_average_follows_its_formula(ema):
    """A decay that grows with the steps, (1 + n) / (10 + n), up to that of the config."""
    state, step = start(settings(ema=ema))
    name = "decoder/words/embedding"
    expected = np.asarray(state.average[name])
    for done in range(3):
        state, _ = step(state, batch(done))
        decay = min(ema, (1 + done) / (10 + done))
        expected = decay * expected + (1 - decay) * np.asarray(state.trained[name])
        np.testing.assert_allclose(state.average[name], expected, rtol=1e-5, atol=1e-7)
    assert int(state.step) == 3
    assert (ema == 0) == bool((state.average[name] == state.trained[name]).all())


def test_dropout_is_a_function_of_the_step_and_the_seed():
    config = settings()
    config.model.decoder.dropout = 0.5
    state, step = start(config)
    config.seed = 1
    _, other = start(config)

    def loss(step, state):
        return float(step(state, batch())[1]["loss"])

    assert loss(step, state) == loss(step, state)
    later = state.replace(step=state.step + 1)
    assert len({loss(step, state), loss(step, later), loss(other, state)}) == 3


@pytest.fixture
def photographs(tmp_path):
    """A table of eight photographs to train on, two of them unreadable, and as many to score."""
    rows = ["image,caption,split"]
    for part in ("train", "val"):
        for number in range(8):
            file = tmp_path / f"{part}{number}.png"
            rows += [f"{file.name},a photograph of number {number},{part}"] * 2
            if number == 3:
                file.write_bytes(b"\x89PNG and no more")
            elif number != 5:  # which is missing
                Image.new("RGB", (40, 30), (number, 9, 9)).save(file)
    (tmp_path / "table.csv").write_text("\n".join(rows))
    return f"csv:{tmp_path / 'table.csv'}"


def test_bad_luck(photographs, tmp_path, capsys):
    """A rate too great stops the run; put right, it goes on, past images that cannot be read."""
    config = get_config()
    config.data.source = photographs
    config.log_every = config.checkpoint_every = 2
    config.optim.update({"lr": 1e30, "warmup": 0})
    run = tmp_path / "run"
    with pytest.raises(UserError, match=r"not finite at step 1 .*steps 1 to 2\).* of step 0 in"):
        train(config, run)
    assert Run(run).steps() == [0]

    config.optim.lr, config.profile = 1e-3, 1
    train(config, run)
    assert list((run / "profile").rglob("perfetto_trace.json.gz"))
    assert Run(run).latest_step() == config.steps
    lines = [json.loads(line) for line in (run / "metrics.jsonl").read_text().splitlines()]
    assert [line["unreadable"] for line in lines if "loss" in line] == [
        4,
        2,
    ]  # of two steps, of one
    assert all(np.isfinite(list(line.values())).all() for line in lines)
    scores = json.loads((run / "scores.json").read_text())
    assert scores["unreadable"] == ["val3.png", "val5.png"]
    assert len(json.loads((run / "predictions.json").read_text())) == 6
    assert (run / "samples.png").stat().st_size > 0
    told = capsys.readouterr().out
    assert re.search(r"  4 unreadable images; the first: train[35]\.png (is no|cannot be)", told)
    assert "2 unreadable images, in no score; the first: val3.png is no image" in told

    before = {file: (run / file).read_bytes() for file in ("config.json", "metrics.jsonl")}
    train(config, run)
    assert "Nothing to train" in capsys.readouterr().out
    config.model.decoder.width = 32
    with pytest.raises(UserError, match="of another model"):
        train(config, run)
    config.model.decoder.width = 16
    config.optim.parts = (("^encoder/", 0.0),)
    with pytest.raises(UserError, match="another set of trained parameters"):
        train(config, run)
    assert {file: (run / file).read_bytes() for file in before} == before


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"batch_size": 12}, r"12 images cannot be shared out evenly over 8 devices"),
        ({"accumulate": 2}, r"in 2 parts"),
        ({"eval.batch_size": 3}, r"3 images cannot be shared out"),
        ({"mesh.data": 3}, r"does not fit the 8 devices"),
        ({"data.source": "shape"}, r"Did you mean 'shapes'"),
        ({"data.train": "trian"}, r"Did you mean 'train'"),
    ],
)
def test_a_mistake_is_told_before_anything_is_made(changes, message, tmp_path):
    config = get_config()
    config.update_from_flattened_dict(changes)
    with pytest.raises(UserError, match=message):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run" / "config.json").exists()
    assert not (tmp_path / "run" / "checkpoints").exists()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"data.eval": "vla"}, r"Did you mean 'val'"),
        ({"search.max_len": 99}, r"search.max_len is 99, but the model knows"),
        ({"search.forced_bos": 1}, r"search.forced_bos is 1; expected an id that may be chosen"),
    ],
)
def test_a_mistake_about_evaluation_is_told_before_the_first_step(changes, message, tmp_path):
    config = get_config()
    config.update_from_flattened_dict(changes)
    with pytest.raises(UserError, match=message):
        train(config, tmp_path / "run")
    assert not (tmp_path / "run" / "metrics.jsonl").exists()
