"""Captions that are drawn, and what they are worth: weights of a cross-entropy."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawing import SAMPLES, batch_of, drawing_config

from jaxcap.experiment import Experiment
from jaxcap.metrics.cider import Idf, cider
from jaxcap.models.shown import Shown
from jaxcap.objective.cross_entropy import cross_entropy
from jaxcap.objective.self_critical import Given, logp_of, make_drawing, others, policy
from jaxcap.reward.codes import reference_words
from jaxcap.reward.example import split_prompts
from jaxcap.run import Run


@pytest.fixture(scope="module")
def opened(tiny_run, tmp_path_factory):
    """An experiment that starts from a run and draws, a state, and a batch."""
    folder = tmp_path_factory.mktemp("drawing")
    experiment = Experiment.open(drawing_config(tiny_run), Run(folder))
    return experiment, experiment.fresh_state()[0], batch_of(experiment)


@pytest.fixture(scope="module")
def draw(opened):
    """(rows, the first model's variables) -> (batch, means), compiled."""
    experiment, state, _ = opened
    drawing = jax.jit(drawing_of(experiment))

    def call(rows, anchor=None):
        given = Given(state.variables(state.trained), anchor, jax.random.key(5))
        return drawing(given, rows)

    return call


def drawing_of(experiment, **objective):
    config = experiment.config.copy_and_resolve_references()
    config.objective.update(objective)
    model = policy(experiment.model, config, experiment.tokenizer)
    return make_drawing(model, config, experiment.tokenizer, experiment.reward)


@pytest.fixture(scope="module")
def found(opened, draw):
    return draw(opened[2])


def references(experiment, rows, row):
    """The words of a record's references with the prompt of the row, by hand."""
    source = experiment.source("train")
    prompt = experiment.tokenizer.word(int(rows["prompt"][row, 0]))
    told = split_prompts(source.told(int(rows["index"][row])), source.prompts)
    return [reference_words(text, True) for head, text in told if head == prompt]


def idf(experiment):
    source = experiment.source("train")
    told = (split_prompts(source.told(index), source.prompts) for index in range(len(source)))
    return Idf.of([[reference_words(text, True) for _, text in each] for each in told])


def test_a_caption_weighs_what_it_is_worth_more_than_its_fellows(opened, found):
    """By the scores of its words, computed on the host."""
    experiment, _, rows = opened
    tokens, mask, weights = (np.asarray(found[0][name]) for name in ("tokens", "mask", "weights"))
    rarity, tokenizer = idf(experiment), experiment.tokenizer
    worth = np.zeros(tokens.shape[:2])
    for row, stream in np.ndindex(worth.shape):
        ids = tokens[row, stream][mask[row, stream]].tolist()
        words = reference_words(tokenizer.decode(ids), ids[-1] == tokenizer.eos)
        worth[row, stream] = cider(words, references(experiment, rows, row), rarity)
    others = (worth.sum(axis=1, keepdims=True) - worth) / (SAMPLES - 1)
    expected = np.where(mask, (worth - others)[..., None], 0)
    np.testing.assert_allclose(weights, expected, atol=1e-4)
    assert np.abs(weights).max() > 0.1


def test_captions_follow_the_prompt_to_their_end(opened, found):
    experiment, _, rows = opened
    tokens, mask = (np.asarray(found[0][name]) for name in ("tokens", "mask"))
    eos = experiment.tokenizer.eos
    assert set(rows["prompt"][:, 0]) <= set(experiment.tokenizer.given)
    np.testing.assert_array_equal(tokens[..., 0], np.repeat(rows["prompt"], SAMPLES, axis=1))
    assert not mask[..., 0].any()
    assert mask[..., 1].all()
    for row, stream in np.ndindex(mask.shape[:2]):
        real = mask[row, stream]
        ids = tokens[row, stream][real].tolist()
        assert eos not in ids[:-1]
        assert ids[-1] == eos or real[1:].all()


def test_what_is_logged_is_of_the_captions(opened, found):
    experiment, *_ = opened
    batch, means = found
    tokens, mask = (np.asarray(batch[name]) for name in ("tokens", "mask"))
    ends = ((tokens == experiment.tokenizer.eos) & mask).any(axis=-1)
    assert means["unended"] == pytest.approx(1 - ends.mean(), abs=1e-6)
    assert means["length"] == pytest.approx(mask.sum(-1).mean(), rel=1e-6)
    same = [len({tuple(row) for row in each.tolist()}) / SAMPLES for each in tokens]
    assert means["distinct"] == pytest.approx(np.mean(same), abs=1e-6)
    # Three steps have taught it next to nothing: every word is about as likely.
    words = experiment.tokenizer.vocab_size
    assert 0.5 * np.log(words) < means["token_entropy"] < 1.1 * np.log(words)
    assert means["kl"] == 0


def test_the_divergence_is_taken_from_the_first_model(opened, draw):
    """Nothing from itself; more from another, and then it is taken off what captions are worth."""
    experiment, state, rows = opened
    another = state.variables({name: leaf * 1.5 for name, leaf in state.anchor.items()})
    _, means = draw(rows, state.variables(state.anchor))
    assert abs(float(means["kl"])) < 1e-3
    plain, moved = draw(rows, another)
    # In each image another place: the first has always the likeliest caption.
    place = np.asarray(rows["index"])[:, None, None] % SAMPLES
    tokens, mask = (np.take_along_axis(plain[name], place, axis=1) for name in ("tokens", "mask"))
    asked = {name: jnp.asarray(leaf) for name, leaf in rows.items()}, tokens, mask
    model = policy(experiment.model, experiment.config, experiment.tokenizer)
    now, then = (
        logp_of(model, each, *asked, experiment.tokenizer.bos)
        for each in (state.variables(state.trained), another)
    )
    assert moved["kl"] == pytest.approx(float((now - then).mean()), rel=1e-3)
    assert moved["kl"] > 0.05

    experiment.config.reward.kl = 1.0
    given = Given(state.variables(state.trained), another, jax.random.key(5))
    taken, means = jax.jit(drawing_of(experiment))(given, rows)
    experiment.config.reward.kl = 0.0
    np.testing.assert_array_equal(plain["tokens"], taken["tokens"])
    # Of all captions, where the log alone would have asked for one an image.
    assert means["kl"] != pytest.approx(float(moved["kl"]), abs=1e-4)
    assert means["reward"] == pytest.approx(float(moved["reward"] - means["kl"]), abs=1e-4)
    assert np.abs(np.asarray(plain["weights"]) - np.asarray(taken["weights"])).max() > 0.05


def test_an_image_that_could_not_be_shown_has_no_captions(opened, draw, found):
    rows, rest = opened[2], np.arange(8) != 2
    batch, means = draw({**rows, "present": rows["present"] & rest[:, None]})
    assert not batch["mask"][2].any()
    assert not batch["weights"][2].any()
    np.testing.assert_array_equal(batch["tokens"][rest], found[0]["tokens"][rest])
    assert np.isfinite([float(value) for value in means.values()]).all()


@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_captions_are_drawn_from_the_model_that_learns(opened, temperature):
    """Word by word as likely, and words that no search says have no part of it."""
    experiment, state, rows = opened
    variables, banned = state.variables(state.trained), list(experiment.tokenizer.banned)
    config = experiment.config.copy_and_resolve_references()
    config.objective.temperature = temperature
    model = policy(experiment.model, config, experiment.tokenizer)
    given = Given(variables, None, jax.random.key(5))
    batch, means = jax.jit(drawing_of(experiment, temperature=temperature))(given, rows)
    tokens, mask = batch["tokens"], np.asarray(batch["mask"])
    inputs = jnp.concatenate([jnp.full_like(tokens[..., :1], 1), tokens[..., :-1]], axis=-1)
    logits, plain = (
        np.asarray(
            jax.jit(each.apply)(variables, Shown.of(jax.tree.map(jnp.asarray, rows)), inputs),
            np.float64,
        )
        for each in (model, experiment.model)
    )
    chances = np.exp(plain / temperature)
    chances[..., banned] = 0
    chances /= chances.sum(axis=-1, keepdims=True)
    np.testing.assert_allclose(jax.nn.softmax(logits, axis=-1), chances, atol=1e-5)
    each = np.take_along_axis(chances, np.asarray(tokens)[..., None], axis=-1)[..., 0]
    assert means["token_entropy"] == pytest.approx(-np.log(each[mask]).mean(), rel=1e-4)
    assert not np.isin(np.asarray(tokens)[mask], banned).any()


def test_the_words_that_the_search_suppresses_are_never_drawn(opened):
    """Where the search of a run has its own, as an imported one has, they and no others."""
    experiment, state, rows = opened
    config = experiment.config.copy_and_resolve_references()
    likely = [experiment.tokenizer.eos, experiment.tokenizer.encode("red")[0]]
    config.search.suppress = (likely[1], experiment.tokenizer.bos)
    model = policy(experiment.model, config, experiment.tokenizer)
    drawing = make_drawing(model, config, experiment.tokenizer, experiment.reward)
    given = Given(state.variables(state.trained), None, jax.random.key(5))
    batch, _ = jax.jit(drawing)(given, rows)
    said = np.asarray(batch["tokens"])[np.asarray(batch["mask"])]
    assert likely[0] in said
    assert not np.isin(said, config.search.suppress).any()
    assert np.isin(said, experiment.tokenizer.banned).any()  # which nobody suppresses here


def test_a_search_for_longer_captions_than_usual_is_that_of_the_run(opened):
    experiment, *_ = opened
    config = experiment.config.copy_and_resolve_references()
    config.data.max_len, config.search.min_len = 64, 40
    del config.search["max_len"]  # by default it is as long as the model has seen
    assert policy(experiment.model, config, experiment.tokenizer).never


def test_captions_may_be_measured_by_the_greedy_one(opened, found):
    experiment, state, rows = opened
    given = Given(state.variables(state.trained), None, jax.random.key(5))
    batch, means = jax.jit(drawing_of(experiment, baseline="greedy"))(given, rows)
    np.testing.assert_array_equal(batch["tokens"], found[0]["tokens"])
    mask, weights = (np.asarray(batch[name]) for name in ("mask", "weights"))
    more = (weights.sum(axis=-1) / mask.sum(axis=-1)).mean()
    assert more == pytest.approx(float(means["reward"] - means["reward_greedy"]), abs=1e-5)
    assert abs(more) > 1e-3  # against the mean of the others it would be nothing


def test_the_gradient_is_that_of_the_expected_reward():
    """Against the gradient of the expectation, by enumeration of all pairs of one-word captions."""
    theta, worth = jnp.asarray([0.3, -0.5, 0.8]), jnp.asarray([1.0, 0.2, 2.0])
    exact = jax.grad(lambda theta: -(jax.nn.softmax(theta) * worth).sum())(theta)

    def loss(theta, pair):
        logits = jnp.broadcast_to(theta, (1, 2, 1, 3))
        reward = worth[jnp.asarray(pair)][None]
        weights = (reward - others(reward))[..., None]
        targets = jnp.asarray(pair, jnp.int32).reshape(1, 2, 1)
        real = jnp.ones((1, 2, 1), bool)
        return cross_entropy(logits, targets, real, weights).loss / 2

    p = jax.nn.softmax(theta)
    pairs = [(first, second) for first in range(3) for second in range(3)]
    mean = sum(
        p[first] * p[second] * jax.grad(loss)(theta, (first, second)) for first, second in pairs
    )
    np.testing.assert_allclose(mean, exact, atol=1e-6)
