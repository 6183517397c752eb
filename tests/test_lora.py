"""Adapters: what they add, what they leave alone, and that a run with them is a run like others."""

import json
import shutil

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from rich.console import Console
from tiny_run import get_config, photographs

from jaxcap import summary
from jaxcap.captioner import Captioner
from jaxcap.data.sources import open_source
from jaxcap.errors import UserError
from jaxcap.experiment import Experiment
from jaxcap.lora import fresh_adapters, merged
from jaxcap.models import build
from jaxcap.optim import split
from jaxcap.run import Run
from jaxcap.state import init_variables, linen_variables, nested
from jaxcap.train import train

KEY = jax.random.key(0)
LORA = (
    ("^decoder/.*self_attention/(query|out)/kernel$", 2),
    ("mlp/up", 3),
    ("self_attention/query", 5),  # the first line has it already
)
RANKS = {
    "decoder/layers_0/self_attention/query/kernel": (2, (16, 2, 8)),
    "decoder/layers_0/self_attention/out/kernel": (2, (2, 8, 16)),
    "decoder/layers_0/mlp/up/kernel": (3, (16, 32)),
    "encoder/layer_0/mlp/up/kernel": (3, (16, 64)),
}
STEPS = 4


def settings():
    """Adapters and norms are trained, and nothing else."""
    config = get_config()
    config.steps = STEPS
    config.checkpoint_every = 2
    config.optim.warmup = 0
    config.optim.parts = (("^lora/|/scale$", 1.0), ("", 0.0))
    config.model.lora = LORA
    return config


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Trained; not to be written to."""
    folder = tmp_path_factory.mktemp("lora") / "run"
    train(settings(), folder)
    return Run(folder)


def state(run, step):
    return jax.tree.map(np.asarray, Experiment.of_run(run, {}).restore(run, step))


def written_out(params):
    """The kernels with their adapters added, in NumPy."""
    plain = {name: leaf for name, leaf in params.items() if not name.startswith("lora/")}
    for name, (_, shape) in RANKS.items():
        a, b = (params[f"lora/{name}/{which}"] for which in "ab")
        plain[name] = plain[name] + 2.0 * np.dot(a, b).reshape(shape)
    return plain


@pytest.mark.parametrize(
    ("name", "shape", "layer"),
    [
        ("query/kernel", (6, 2, 3), "i,ihc->hc"),
        ("attention/out/kernel", (2, 3, 6), "hc,hco->o"),
        ("mlp/up/kernel", (6, 8), "i,io->o"),
        ("patches/kernel", (2, 2, 3, 8), "xyc,xyco->o"),
    ],
)
def test_a_layer_gives_what_its_kernel_gives_and_what_its_adapters_give(name, shape, layer):
    rng = np.random.default_rng(0)
    params = {name: jnp.asarray(rng.standard_normal(shape, np.float32))}
    adapters = {
        which: jnp.asarray(rng.standard_normal(leaf.shape, np.float32))
        for which, leaf in fresh_adapters(params, ((".", 2),), KEY).items()
    }
    a, b = adapters[f"lora/{name}/a"], adapters[f"lora/{name}/b"]
    assert (a.shape[1], b.shape[0]) == (2, 2)
    x = rng.standard_normal(shape[: layer.index(",")], np.float32)
    whole = merged({**params, **adapters})
    assert whole.keys() == params.keys()
    expected = np.einsum(layer, x, params[name]).ravel() + 2.0 * ((x.ravel() @ a) @ b)
    np.testing.assert_allclose(np.einsum(layer, x, whole[name]).ravel(), expected, rtol=1e-4)


def test_fresh_adapters_change_nothing():
    config = settings()
    model = build(config.model, 20, config.data.max_len + 1)
    params, stats = jax.jit(lambda key: init_variables(model, config, key))(KEY)
    config.model.lora = None
    plain, _ = jax.jit(lambda key: init_variables(model, config, key))(KEY)
    found, expected = linen_variables(params, stats), linen_variables(plain, stats)
    jax.tree.map(np.testing.assert_array_equal, found, expected)
    shapes = {name: leaf.shape for name, leaf in params.items() if name not in plain}
    for name, (rank, shape) in RANKS.items():
        inputs, outputs = shapes.pop(f"lora/{name}/a"), shapes.pop(f"lora/{name}/b")
        assert (inputs[1], outputs[0], inputs[0] * outputs[1]) == (rank, rank, np.prod(shape))
    assert shapes == {}


def test_each_kernel_and_each_key_draws_its_own():
    kernels = {f"{name}/kernel": jnp.zeros((400, 30)) for name in "xy"}
    drawn = [fresh_adapters(kernels, ((".", 50),), jax.random.key(seed)) for seed in (0, 0, 1)]
    (x, y), again, (other, _) = ([a[f"lora/{n}/kernel/a"] for n in "xy"] for a in drawn)
    assert float(x.std()) == pytest.approx(400**-0.5, rel=0.05)
    assert (x == again[0]).all()
    assert (x != y).mean() > 0.99
    assert (x != other).mean() > 0.99
    assert not drawn[0]["lora/x/kernel/b"].any()


def test_training_moves_the_adapters_and_no_kernel(run):
    before, after = state(run, 2), state(run, STEPS)
    norms = {name for name in {**before.trained, **before.frozen} if name.endswith("/scale")}
    adapters = {f"lora/{name}/{which}" for name in RANKS for which in "ab"}
    assert set(before.trained) == norms | adapters
    for name, leaf in before.trained.items():
        assert (leaf != after.trained[name]).any(), name
    jax.tree.map(np.testing.assert_array_equal, after.frozen, before.frozen)
    assert set(RANKS) < set(after.frozen)


def test_kernels_with_adapters_stay_whatever_their_rate():
    params = dict.fromkeys(("x/kernel", "y/kernel", "lora/x/kernel/a", "lora/x/kernel/b"))
    trained, frozen = split(params, (("kernel", 3.0),))
    assert set(frozen) == {"x/kernel"}
    assert set(trained) == set(params) - set(frozen)


def test_the_run_captions_with_its_adapters(run):
    """The log-probabilities of a model of no adapters, with kernels added up in NumPy."""
    captioner = Captioner.load(run.path, step=STEPS)
    kept = state(run, STEPS)
    params = {**kept.frozen, **kept.average}
    image, texts = photographs(1)[0], ["a red circle", "a small blue square"]
    said = captioner.logp(image, texts)
    apart = Captioner(
        captioner.config, captioner.tokenizer, captioner.model, {}, STEPS, captioner._settings
    )
    apart.variables = {"params": nested(written_out(params)), "batch_stats": {}}
    np.testing.assert_allclose(said, apart.logp(image, texts), rtol=1e-5)
    apart.variables = {"params": nested(params), "batch_stats": {}}
    assert (np.abs(said - apart.logp(image, texts)) > 1e-3).all()  # so they do something


def test_the_captioner_says_what_evaluation_wrote(run):
    written = json.loads((run.path / "predictions.json").read_text())
    source = open_source(run.config().data.source, "val")
    said = {each["image_id"]: each["caption"] for each in written}
    captioner = Captioner.load(run.path, step=STEPS)
    for record in (source[0], source[5]):
        ((caption,),) = captioner(record.images, prompt=record.prompt)
        assert caption.text == said[record.image_id]


def test_a_run_that_went_on_is_the_one_that_was_not_cut(run, tmp_path):
    shutil.copytree(run.path, tmp_path / "cut")
    cut = Run(tmp_path / "cut")
    shutil.rmtree(cut.path / "checkpoints" / str(STEPS))
    assert cut.latest_step() == 2
    train(settings(), cut.path)
    jax.tree.map(np.testing.assert_array_equal, state(cut, STEPS), state(run, STEPS))
    a = "lora/decoder/layers_0/mlp/up/kernel/a"
    assert (state(run, 2).trained[a] != state(run, STEPS).trained[a]).any()


def test_who_starts_from_a_run_merges_its_adapters_and_is_given_fresh_ones(run, tmp_path):
    config = settings()
    config.init_from, config.model.lora = str(run.path), LORA[1:]
    begun, report = Experiment.open(config, Run(tmp_path / "run")).fresh_state()
    others = {f"lora/{name}/{which}" for name in RANKS if "up" in name for which in "ab"}
    assert {name for name in begun.trained if name.startswith("lora/")} > others
    assert set(report.fresh) == {name for name in begun.trained if name.startswith("lora/")}
    kept = state(run, run.best_step())
    expected = linen_variables({**kept.frozen, **kept.average}, kept.stats)
    jax.tree.map(np.testing.assert_array_equal, begun.variables(), expected)


def test_other_adapters_are_another_model(run):
    config = settings()
    config.model.lora = LORA[1:]
    message = r"of another model than the config:\s+lora/decoder/.*/out/kernel/a: .* absent here"
    with pytest.raises(UserError, match=message):
        train(config, run.path)


def test_memories_of_an_encoder_with_adapters_are_not_kept(run, tmp_path):
    changes = {"optim.parts": (("^encoder/", 0.0),), "data.cache": str(tmp_path / "memories")}
    with pytest.raises(UserError, match="lora/encoder/layer_0/mlp/up/kernel/a is trained"):
        Experiment.of_run(run, changes).keep_memories({})


def test_the_summary_counts_adapters_and_what_is_trained(run, monkeypatch):
    console = Console(record=True, width=80)
    monkeypatch.setattr(summary, "console", console)
    kept = state(run, STEPS)
    summary.print_parameters(kept)
    cells = (row.replace("│", " ").split() for row in console.export_text().splitlines())
    rows = {row[0]: row[1:] for row in cells if len(row) == 3}
    assert rows["lora/decoder"] == [str(2 * (16 + 16) + 2 * (16 + 16) + 3 * (16 + 32))] * 2
    assert rows["lora/encoder"] == [str(3 * (16 + 64))] * 2
    assert rows["encoder/layer_0"][1] == "32"  # two norms
    trained = sum(leaf.size for leaf in kept.trained.values())
    frozen = sum(leaf.size for leaf in kept.frozen.values())
    assert rows["all"] == [f"{trained + frozen:,}", f"{trained:,}"]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (("qeury", 2), "'qeury' of model.lora matches no kernel, nor anything. Kernels are such"),
        (("attention_norm", 2), "matches no kernel, nor anything"),
        (("mlp_residual/norm/scale", 2), "but .*/mlp_residual/norm/scale, which is no matrix"),
        (("query/bias", 2), "but .*/query/bias, which is no matrix"),
        (("query", 0), "gives 'query' the rank 0; expected a whole number, 1 or more"),
        (("query", 8.0), "gives 'query' the rank 8.0; expected a whole number"),
    ],
)
def test_a_line_that_names_no_kernel_is_refused(line, message, tmp_path):
    config = settings()
    config.model.lora = (*LORA, line)
    with pytest.raises(UserError, match=message):
        train(config, tmp_path / "run")
