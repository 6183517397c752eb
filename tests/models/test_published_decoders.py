"""Decoders are what their papers write: written out in numpy, for one caption, in float64.

Each function gives the scores of every next word, and where the decoder looked for it, if it looks.
"""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn import drawn

from jaxcap.models.memory import Memory
from jaxcap.models.recurrent import RecurrentDecoder
from jaxcap.models.seen import SEEN, maps
from jaxcap.models.transformer import TransformerDecoder

B, K, T, S, E, D, V = 2, 3, 4, 5, 6, 8, 9
RNG = np.random.default_rng(0)
MEMORY = Memory(
    jnp.asarray(RNG.normal(size=(B, S, E)).astype(np.float32)),
    jnp.asarray([[True] * S, [True, True, False, True, False]]),
)
WHOLE = MEMORY.replace(whole=jnp.asarray(RNG.normal(size=(B, E)).astype(np.float32)))
TOKENS = RNG.integers(0, V, (B, K, T)).astype(np.int32)


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def softmax(scores):
    weights = np.exp(scores - scores.max(-1, keepdims=True))
    return weights / weights.sum(-1, keepdims=True)


def dense(params, x):
    return x @ params["kernel"] + params.get("bias", 0.0)


def lstm(params, of_input, out, cell):
    i, f, g, o = np.split(of_input + dense(params["recurrent"], out), 4)
    cell = sigmoid(f + 1) * cell + sigmoid(i) * np.tanh(g)
    return sigmoid(o) * np.tanh(cell), cell


def scores(words, x):
    return (words["unembedding"] @ x + words["bias"])[:V]


def xu(params, seen, whole, tokens):
    """Show, Attend and Tell."""
    stack, words, look = params["stack"], params["words"], params["stack"]["look"]
    out, cell = np.tanh(dense(stack["start"], whole)).reshape(2, -1)
    for token in tokens:
        word = words["embedding"][token]
        keys = dense(look["keys"], seen) + dense(look["query"], out)
        weights = softmax(np.tanh(keys) @ look["score"])
        context = weights @ seen * sigmoid(dense(look["gate"], out))
        gates = dense(stack["reads_0"], word) + dense(stack["reads_seen"], context)
        out, cell = lstm(stack["cells_0"], gates, out, cell)
        deep = np.tanh(dense(params["mix"], np.concatenate([out, word, context])))
        yield scores(words, deep), weights


def anderson(params, seen, whole, tokens):
    """Bottom-up and top-down: the LSTM of attention, the look, the LSTM of language."""
    stack, words, look = params["stack"], params["words"], params["stack"]["look"]
    (h1, c1), (h2, c2) = np.zeros((2, 2, D))
    for token in tokens:
        word = words["embedding"][token]
        gates = dense(stack["reads_back"], np.concatenate([h2, whole]))
        h1, c1 = lstm(stack["cells_0"], gates + dense(stack["reads_0"], word), h1, c1)
        keys = dense(look["keys"], seen) + dense(look["query"], h1)
        weights = softmax(np.tanh(keys) @ look["score"])
        gates = dense(stack["reads_seen"], weights @ seen) + dense(stack["reads_1"], h1)
        h2, c2 = lstm(stack["cells_1"], gates, h2, c2)
        yield scores(words, h2), weights


def luong(params, seen, whole, tokens):
    """Global attention with the general score, behind the layers."""
    stack, words, look = params["stack"], params["words"], params["stack"]["look"]
    (h1, c1), (h2, c2) = np.zeros((2, 2, D))
    for token in tokens:
        h1, c1 = lstm(stack["cells_0"], dense(stack["reads_0"], words["embedding"][token]), h1, c1)
        h2, c2 = lstm(stack["cells_1"], dense(stack["reads_1"], h1), h2, c2)
        weights = softmax(dense(look["keys"], seen) @ dense(look["query"], h2))
        attentional = np.tanh(dense(params["mix"], np.concatenate([h2, weights @ seen])))
        yield scores(words, attentional), weights


def tanti(params, seen, whole, tokens):
    """Merge: the LSTM knows words alone, and the image is added to what it says."""
    stack, words = params["stack"], params["words"]
    out, cell = np.zeros((2, D))
    for token in tokens:
        gates = dense(stack["reads_0"], words["embedding"][token])
        out, cell = lstm(stack["cells_0"], gates, out, cell)
        yield scores(words, out + dense(params["mix"], whole)), None


def heads(params, x):
    return np.einsum("td,dhc->htc", x, params["kernel"]) + params["bias"][:, None]


def attention(params, x, y, causal):
    """The attended values, and the weights of each head."""
    q, k, v = (heads(params[part], z) for part, z in (("query", x), ("key", y), ("value", y)))
    products = q @ k.swapaxes(1, 2) / np.sqrt(q.shape[-1])
    if causal:
        products = np.where(np.tril(np.ones(products.shape[1:], bool)), products, -np.inf)
    weights, out = softmax(products), params["out"]
    return np.einsum("htc,hcd->td", weights @ v, out["kernel"]) + out["bias"], weights


def norm(residual, x):
    x = x - x.mean(-1, keepdims=True)
    x = x / np.sqrt((x**2).mean(-1, keepdims=True) + 1e-5)
    return x * residual["norm"]["scale"] + residual["norm"]["bias"]


def begun(words, tokens):
    return words["embedding"][tokens] * np.sqrt(D) + words["positions"][: len(tokens)]


def own_words(layer, x):
    return norm(layer["self_residual"], x + attention(layer["self_attention"], x, x, True)[0])


def mlp(layer, x):
    inner = np.maximum(dense(layer["mlp"]["up"], x), 0)
    return norm(layer["mlp_residual"], x + dense(layer["mlp"]["down"], inner))


def puret(params, seen, whole, tokens):
    """The words of each layer meet the whole image, themselves, and the parts of the image."""
    x = begun(params["words"], tokens)
    for layer in (params["layers_0"], params["layers_1"]):
        image = np.tile(whole, (len(tokens), 1))
        met = np.maximum(dense(layer["fuse"], np.concatenate([x, image], axis=-1)), 0)
        x = own_words(layer, norm(layer["whole_residual"], x + met))
        out, weights = attention(layer["cross_attention"], x, seen, False)
        x = mlp(layer, norm(layer["cross_residual"], x + out))
    for row, place in zip(x, weights.mean(axis=0), strict=True):
        yield scores(params["words"], row), place


def late(params, seen, whole, tokens):
    """Merge, of a Transformer."""
    x = begun(params["words"], tokens)
    for layer in (params["layers_0"], params["layers_1"]):
        x = mlp(layer, own_words(layer, x))
    for row in x + dense(params["mix"], whole):
        yield scores(params["words"], row), None


STACKED = {"depth": 2, "word_width": 5}
XU = {"starts": True, "gated": True, "deep_output": True, "word_width": 5, "attention_width": 7}
POST = {"norm": "post", "activation": "relu", "epsilon": 1e-5, "tied": False}
PAPERS = {
    "Xu": (xu, RecurrentDecoder(V, D, 10, **XU)),
    "Anderson": (anderson, RecurrentDecoder(V, D, 10, looks=1, attention_width=7, **STACKED)),
    "Luong": (luong, RecurrentDecoder(V, D, 10, looks=2, attention="multiplicative", **STACKED)),
    "Tanti": (tanti, RecurrentDecoder(V, D, 10, fusion="merge", word_width=5)),
    "PureT": (puret, TransformerDecoder(V, D, 2, 2, 12, 10, fuses_whole=True, **POST)),
    "late": (late, TransformerDecoder(V, D, 2, 2, 12, 10, fusion="merge", **POST)),
}


@pytest.mark.parametrize("memory", [MEMORY, WHOLE], ids=["mean", "whole"])
@pytest.mark.parametrize("paper", PAPERS)
def test_a_decoder_is_as_it_is_written(paper, memory):
    written, decoder = PAPERS[paper]
    params = drawn(decoder.init, memory, TOKENS)
    apply = jax.jit(lambda *given: decoder.apply(*given, mutable=[SEEN]))
    logits, seen = apply(params, memory, TOKENS)
    looked = [weights.mean(axis=2) for weights in maps(seen)]
    exact, tokens = jax.tree.map(
        lambda leaf: np.asarray(leaf, np.float64), (params["params"], memory.tokens)
    )
    for b, k in np.ndindex(B, K):
        real = np.asarray(memory.mask[b])
        parts = tokens[b, real]
        whole = parts.mean(axis=0) if memory.whole is None else np.asarray(memory.whole[b])
        steps = written(exact, parts, whole, TOKENS[b, k])
        expected, places = zip(*steps, strict=True)
        np.testing.assert_allclose(logits[b, k], np.stack(expected), rtol=1e-5, atol=1e-5)
        if looked:
            np.testing.assert_allclose(looked[-1][b, k][:, real], np.stack(places), atol=1e-5)
            np.testing.assert_array_equal(looked[-1][b, k][:, ~real], 0)
