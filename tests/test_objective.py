"""The terms of an objective against numpy, and what their gradients do."""

from functools import lru_cache

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict

from jaxcap.config import base
from jaxcap.data.text import build_tokenizer
from jaxcap.errors import UserError
from jaxcap.models import build
from jaxcap.models.captioning import caption_logp
from jaxcap.models.memory import Memory
from jaxcap.models.seen import SEEN, draws, maps
from jaxcap.models.shown import Shown
from jaxcap.objective import Counts, Progress, make_objective
from jaxcap.objective.attention import entropy, reinforce, unevenness
from jaxcap.objective.own_words import with_own_words

B, K, T, S = 4, 2, 5, 3
TOKENIZER = build_tokenizer("word", ["a b c d"], prompts=("<prompt>",))
V, BOS, PROMPT, FIRST = TOKENIZER.vocab_size, TOKENIZER.bos, 4, 5  # FIRST of four words
RNG = np.random.default_rng(0)
MASK = np.arange(T) < RNG.integers(0, T + 1, (B, K, 1))
MASK[0] = False
BATCH = {
    "memory": jnp.asarray(RNG.normal(size=(B, 1, S, 6)).astype(np.float32)),
    "present": jnp.ones((B, 1), bool),
    "tokens": jnp.asarray(RNG.integers(FIRST, V, (B, K, T)).astype(np.int32)),
    "mask": jnp.asarray(MASK),
}
PROGRESS = Progress(jnp.float32(0.5), jnp.float32(-1.0))


def weights(*shape):
    drawn = RNG.dirichlet(np.ones(shape[-1]), shape[:-1]).astype(np.float32)
    return jnp.asarray(drawn)


def test_unevenness_is_the_mean_square_of_what_lacks_to_one():
    layers = [weights(B, K, 2, T, S), weights(B, K, 1, T, S)]
    found = np.asarray(unevenness(layers, BATCH["mask"]))
    for b, k in np.ndindex(B, K):
        mean = (np.asarray(layers[0][b, k]).mean(0) + np.asarray(layers[1][b, k, 0])) / 2
        total = mean[MASK[b, k]].sum(0)
        expected = ((1 - total) ** 2).mean() if MASK[b, k].any() else 0.0
        np.testing.assert_allclose(found[b, k], expected, rtol=1e-5)


def test_entropy_is_that_of_the_weights_and_finite_where_there_are_none():
    layer = weights(B, K, 1, T, S).at[1].set(jnp.asarray([1.0, 0.0, 0.0]))
    found = np.asarray(entropy([layer], BATCH["mask"]))
    exact = np.asarray(layer[:, :, 0], np.float64)
    expected = -(exact * np.log(np.where(exact > 0, exact, 1))).sum(-1)
    np.testing.assert_allclose(found, np.where(MASK, expected, 0), atol=1e-5)
    gradient = jax.grad(lambda x: entropy([x], BATCH["mask"]).sum())(layer)
    assert np.isfinite(gradient).all()


def test_the_draws_of_likely_captions_become_likelier():
    """The gradient is the reward less the baseline, for real words alone; the reward has none."""
    drawn, logp = (jnp.asarray(-RNG.random((B, K, T)).astype(np.float32)) for _ in range(2))

    def loss(drawn, logp):
        return reinforce(drawn, logp, BATCH["mask"], jnp.float32(-0.5)).sum()

    of_drawn, of_logp = jax.grad(loss, argnums=(0, 1))(drawn, logp)
    assert not of_logp.any()
    real = MASK.sum(-1, keepdims=True)
    mean = (np.asarray(logp) * MASK).sum(-1, keepdims=True) / np.maximum(real, 1)
    np.testing.assert_allclose(of_drawn, np.where(MASK, -(mean + 0.5), 0.0), rtol=1e-5)


def test_reinforce_climbs_the_expected_reward():
    """Against the gradient of the expectation, by enumeration of all the draws of one word."""
    theta, reward = jnp.asarray([0.3, -0.5, 0.8]), jnp.asarray([-1.0, -0.2, -2.0])
    mask = jnp.ones((1, 1, 1), bool)

    def of_draw(theta, place, baseline):
        drawn = jax.nn.log_softmax(theta)[place].reshape(1, 1, 1)
        return reinforce(drawn, reward[place].reshape(1, 1, 1), mask, baseline).sum()

    exact = jax.grad(lambda theta: -(jax.nn.softmax(theta) * reward).sum())(theta)
    for baseline in (0.0, -0.7):
        grads = [jax.grad(of_draw)(theta, place, jnp.float32(baseline)) for place in range(3)]
        mean = sum(p * g for p, g in zip(jax.nn.softmax(theta), grads, strict=True))
        np.testing.assert_allclose(mean, exact, atol=1e-6)


def test_draws_learn_through_the_decoder():
    """Against differences of their log-probability, of the same draws: rewards stay as they are."""
    model, variables = captioner(hard=True)
    key, mask = jax.random.key(0), BATCH["mask"].astype(jnp.float32)
    gradient = {
        weight: jax.grad(
            lambda variables, weight=weight: make_objective(
                model,
                ConfigDict({**base().objective.to_dict(), "reinforce": weight}),
                TOKENIZER,
            )(variables, BATCH, key, Counts.of(BATCH), PROGRESS)[0]
        )(variables)["params"]["decoder"]["stack"]["look"]["score"]
        for weight in (0.0, 1.0)
    }
    rngs = {"dropout": jax.random.fold_in(key, 0)}
    tokens = BATCH["tokens"]
    inputs = jnp.concatenate([jnp.full_like(tokens[..., :1], BOS), tokens[..., :-1]], axis=-1)

    @jax.jit
    def answer(move):
        params = variables["params"]
        look = params["decoder"]["stack"]["look"]
        stack = {**params["decoder"]["stack"], "look": {**look, "score": look["score"] + move}}
        moved = {"params": {**params, "decoder": {**params["decoder"], "stack": stack}}}
        memory = model.apply(moved, Shown.of(BATCH), True, method="encode", rngs=rngs)
        given = (moved, memory, inputs, True)
        logits, seen = model.apply(*given, method="logits", rngs=rngs, mutable=[SEEN])
        return caption_logp(logits, tokens), draws(seen)

    still = jnp.zeros_like(gradient[0.0])
    reward = (answer(still)[0] * mask).sum(-1) / jnp.maximum(mask.sum(-1), 1) - PROGRESS.baseline
    for cell in range(len(still)):
        move = still.at[cell].set(1e-2)
        change = (answer(move)[1] - answer(-move)[1]) / 2e-2
        expected = -(reward[..., None] * change * mask).sum() / mask.sum()
        assert abs(expected) > 1e-4
        np.testing.assert_allclose((gradient[1.0] - gradient[0.0])[cell], expected, rtol=0.02)


def own_words(inputs, logits, share=1.0):
    key = jax.random.key(0)
    found = with_own_words(jnp.asarray(inputs), logits, jnp.float32(share), TOKENIZER, key)
    return np.asarray(found)


def test_own_words_take_the_place_of_true_ones_as_often_as_asked():
    inputs = RNG.integers(FIRST, V - 1, (20, 10, 50)).astype(np.int32)
    logits = jnp.full((*inputs.shape, V), -1e9).at[..., V - 1].set(0.0)  # says this word, always
    for share in (0.0, 0.25, 1.0):
        found = own_words(inputs, logits, share)
        np.testing.assert_array_equal(found[..., 0], inputs[..., 0])
        own = found[..., 1:] == V - 1
        np.testing.assert_array_equal(found[..., 1:][~own], inputs[..., 1:][~own])
        assert own.mean() == pytest.approx(share, abs=0.02)
    following = (inputs - FIRST + 1) % (V - FIRST) + FIRST
    found = own_words(inputs, jnp.eye(V)[following] * 1e9)  # says the word after the one it read
    np.testing.assert_array_equal(found[..., 1:], following[..., :-1])


def test_a_prompt_is_given_and_stays():
    inputs = RNG.integers(FIRST, V - 1, (B, K, T)).astype(np.int32)
    inputs[..., 0], inputs[1:, :, 1] = BOS, PROMPT
    logits = jnp.full((B, K, T, V), -1e9).at[..., V - 1].set(0.0)
    found = own_words(inputs, logits)
    stays = np.isin(inputs, [BOS, PROMPT])
    np.testing.assert_array_equal(found[stays], inputs[stays])
    assert (found[~stays] == V - 1).all()


def test_what_no_search_may_say_is_not_drawn():
    inputs = np.full((1, 1, 2000), FIRST, np.int32)
    logits = jnp.zeros((1, 1, 2000, V)).at[..., TOKENIZER.banned].set(20.0)
    drawn = set(own_words(inputs, logits)[..., 1:].ravel().tolist())
    assert drawn == set(range(V)) - set(TOKENIZER.banned)


@lru_cache
def captioner(**decoder):
    config = base()
    config.model.encoder.size = "mini"
    config.model.bridge = {"positions": True}
    config.model.decoder = {"name": "recurrent", "width": 8, **decoder}
    model = build(config.model, V, T + 1)
    params = model.init(jax.random.key(0), Shown.of(BATCH), BATCH["tokens"])["params"]
    return model, {"params": params}


def run(objective, decoder, batch=BATCH, counts=None, progress=PROGRESS):
    model, variables = captioner(**decoder)
    settings = ConfigDict({**base().objective.to_dict(), "smoothing": 0.0, **objective})
    work = jax.jit(make_objective(model, settings, TOKENIZER))
    return work(variables, batch, jax.random.key(1), counts or Counts.of(batch), progress)


def test_the_terms_add_up_to_the_loss():
    plain, means = run({}, {})
    assert means.keys() == {"loss", "nll", "accuracy"}
    assert plain == means["loss"]
    np.testing.assert_allclose(plain, means["nll"], rtol=1e-6)
    loss, means = run({"doubly_stochastic": 2.0}, {})
    np.testing.assert_allclose(loss, means["nll"] + 2 * means["unevenness"], rtol=1e-6)
    loss, means = run({"reinforce": 3.0, "entropy": 0.5}, {"hard": True})
    expected = means["nll"] + 3 * means["reinforce"] - 0.5 * means["entropy"]
    np.testing.assert_allclose(loss, expected, rtol=1e-6)
    assert run({"captions": 0.0}, {})[0] == 0


def test_a_batch_in_parts_has_the_same_loss():
    settings = {"doubly_stochastic": 1.0}
    counts = Counts.of(BATCH)
    _, whole = run(settings, {})
    halves = ({name: leaf[i::2] for name, leaf in BATCH.items()} for i in (0, 1))
    parts = [run(settings, {}, half, counts)[1] for half in halves]
    for name, mean in whole.items():
        np.testing.assert_allclose(parts[0][name] + parts[1][name], mean, rtol=1e-5)


def test_own_words_are_read_the_more_the_longer_it_trains():
    found = {
        share: run({"scheduled_sampling": 1.0}, {}, progress=Progress(jnp.float32(share), 0.0))[0]
        for share in (0.0, 1.0)
    }
    plain, _ = run({}, {})
    assert found[0.0] == plain
    assert found[1.0] != plain


def test_a_decoder_that_looks_nowhere_cannot_be_asked_to_look_everywhere():
    with pytest.raises(UserError, match=r"doubly_stochastic is 0.5, .* looks at no parts"):
        run({"doubly_stochastic": 0.5}, {"fusion": "merge"})


def test_an_image_is_encoded_once_for_what_is_said_and_what_is_taught():
    encoded = []

    class Encoder(nn.Module):
        def __call__(self, image, train=False):
            encoded.append(image.shape)
            return Memory(jnp.zeros((B, S, 6)), jnp.ones((B, S), bool))

    model, variables = captioner()
    settings = ConfigDict({**base().objective.to_dict(), "scheduled_sampling": 1.0})
    objective = make_objective(model.clone(encoder=Encoder()), settings, TOKENIZER)
    batch = {**BATCH, "image": jnp.zeros((B, 1, 8, 8, 3), jnp.uint8)}
    del batch["memory"]
    jax.eval_shape(objective, variables, batch, jax.random.key(1), Counts.of(batch), PROGRESS)
    assert len(encoded) == 1


@pytest.mark.parametrize("weight", [0.0, 3.0])
def test_an_encoders_own_losses_have_their_weight(weight):
    class Encoder(nn.Module):
        def __call__(self, image, train=False):
            return Memory(jnp.zeros((B, S, 6)), jnp.ones((B, S), bool))

        def losses(self, image, progress):
            return {"reconstruction": jnp.arange(B, dtype=jnp.float32)}

    model, variables = captioner()
    settings = ConfigDict({**base().objective.to_dict(), "smoothing": 0.0, "images": weight})
    objective = make_objective(model.clone(encoder=Encoder()), settings, TOKENIZER)
    batch = {**BATCH, "image": jnp.zeros((B, 1, 8, 8, 3), jnp.uint8)}
    del batch["memory"]
    loss, means = objective(variables, batch, jax.random.key(1), Counts.of(batch), PROGRESS)
    assert ("reconstruction" in means) == (weight > 0)
    np.testing.assert_allclose(loss - means["nll"], weight * (B - 1) / 2, rtol=1e-5)


def test_the_likelihood_is_that_of_the_captions():
    model, variables = captioner()
    tokens = BATCH["tokens"]
    inputs = jnp.concatenate([jnp.full_like(tokens[..., :1], BOS), tokens[..., :-1]], axis=-1)
    logits, seen = model.apply(variables, Shown.of(BATCH), inputs, mutable=[SEEN])
    nll = -np.asarray(caption_logp(logits, tokens))[MASK].mean()
    np.testing.assert_allclose(run({}, {})[1]["nll"], nll, rtol=1e-5)
    (layer,) = maps(seen)
    assert layer.shape == (B, K, 1, T, S)
