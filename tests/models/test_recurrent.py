"""Recurrent cells are PyTorch's; hard attention draws; settings that do not fit are refused."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from drawn import drawn

from jaxcap.errors import UserError
from jaxcap.models.cells import CELLS
from jaxcap.models.looking import Look
from jaxcap.models.memory import Memory
from jaxcap.models.recurrent import RecurrentDecoder
from jaxcap.models.seen import SEEN, draws

B, K, T, S, D, V = 2, 3, 4, 5, 6, 9
RNG = np.random.default_rng(0)
MEMORY = Memory(
    jnp.asarray(RNG.normal(size=(B, S, D)).astype(np.float32)),
    jnp.asarray([[True] * S, [True, True, False, True, False]]),
)
TOKENS = RNG.integers(0, V, (B, K, T)).astype(np.int32)


@pytest.mark.parametrize("kind", CELLS)
def test_a_cell_is_that_of_pytorch(kind):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    cell = CELLS[kind](D, "float32")
    inputs = RNG.normal(size=(7, 3)).astype(np.float32)
    state = tuple(RNG.normal(size=(7, D)).astype(np.float32) for _ in range(cell.remembers))
    kernel = RNG.normal(size=(3, cell.gates * D)).astype(np.float32)
    given = jax.tree.map(jnp.asarray, (state, inputs @ kernel))
    params = drawn(cell.init, *given)
    found = jax.jit(cell.apply)(params, *given)

    peer = {"lstm": torch.nn.LSTMCell, "gru": torch.nn.GRUCell}[kind](3, D)
    own = params["params"]["recurrent"]
    bias = np.zeros(cell.gates * D, np.float32)
    if kind == "lstm":
        bias[D : 2 * D] = 1.0  # of the forget gate, which is a constant here
    with torch.no_grad():
        for theirs, ours in (
            (peer.weight_ih, kernel.T),
            (peer.weight_hh, np.asarray(own["kernel"]).T),
            (peer.bias_ih, bias),
            (peer.bias_hh, np.asarray(own["bias"])),
        ):
            theirs.copy_(torch.from_numpy(np.array(ours)))
        given = tuple(map(torch.from_numpy, state))
        expected = peer(torch.from_numpy(inputs), given if kind == "lstm" else given[0])
    for ours, theirs in zip(found, expected if kind == "lstm" else (expected,), strict=True):
        np.testing.assert_allclose(ours, theirs.numpy(), atol=1e-5)


@pytest.mark.parametrize(
    ("kind", "gates"),
    # (i, f, g, o) and (r, z, n): so much is forgotten and added that a thousandth changes a step
    [("lstm", (-6.9, 20.0, 20.0, 20.0)), ("gru", (0.0, 6.9, 20.0))],
)
def test_small_changes_add_up_in_bfloat16(kind, gates):
    """To what they do in float32, where a state in bfloat16 would stay as it was."""

    def after(dtype):
        cell = CELLS[kind](1, dtype)
        read = jnp.asarray(gates, dtype)[None]
        state = (jnp.full((1, 1), 0.5),) * cell.remembers
        params = jax.tree.map(jnp.zeros_like, cell.init(jax.random.key(0), state, read))

        def tick(state, _):
            return cell.apply(params, state, read), None

        return jax.lax.scan(tick, state, length=100)[0]

    for coarse, fine in zip(after("bfloat16"), after("float32"), strict=True):
        assert coarse.dtype == jnp.float32
        assert fine > 0.53
        np.testing.assert_allclose(coarse, fine, rtol=1e-2)


def test_hard_attention_sees_one_token_of_half_of_the_images():
    look = Look("additive", True, 4, False, "float32")
    memory = jax.tree.map(lambda leaf: jnp.tile(leaf[1:], (64,) + (1,) * (leaf.ndim - 1)), MEMORY)
    stream = jnp.asarray(RNG.normal(size=(64, 200, 8)).astype(np.float32))

    def sees(look, memory, stream, train):
        return look(stream, look.views(memory), look.drawn(64, train), train)

    params = drawn(lambda key, *given: look.init(key, *given, False, method=sees), memory, stream)
    rngs = {"dropout": jax.random.key(3)}

    def of(train):
        return look.apply(params, memory, stream, train, method=sees, rngs=rngs, mutable=[SEEN])

    (mean, calm), (seen, told) = of(False), of(True)
    assert "drawn_logp" not in calm[SEEN]
    (weights,), (logp,) = told[SEEN]["weights"], told[SEEN]["drawn_logp"]
    np.testing.assert_array_equal(weights, calm[SEEN]["weights"][0])
    drew = np.asarray(logp != 0).all(axis=1)
    np.testing.assert_array_equal(np.asarray(logp != 0).any(axis=1), drew)  # an image as a whole
    assert 0.25 < drew.mean() < 0.75
    np.testing.assert_allclose(seen[~drew], mean[~drew], atol=1e-6)
    tokens, places = np.asarray(memory.tokens[0]), np.full((64, 200), -1)
    for place in range(S):
        places[np.isclose(seen, tokens[place], atol=1e-6).all(axis=-1)] = place
    assert (places[drew] >= 0).all()
    assert set(places[drew].ravel()) == {0, 1, 3}  # the real ones
    picked = np.take_along_axis(np.asarray(weights), np.maximum(places, 0)[..., None], -1)[..., 0]
    np.testing.assert_allclose(np.exp(logp)[drew], picked[drew], rtol=1e-4)
    # Drawn as often as the weights say: within four standard deviations of the sum.
    for place in (0, 1, 3):
        p = np.asarray(weights)[drew][..., place]
        sigma = np.sqrt((p * (1 - p)).sum())
        assert abs((places[drew] == place).sum() - p.sum()) < 4 * sigma


def test_each_word_draws_for_itself():
    """All words look alike, and what they draw differs."""
    decoder = RecurrentDecoder(V, 8, 40, hard=True)
    tokens = jnp.full((B, K, 30), 4, jnp.int32)
    params = drawn(decoder.init, MEMORY, tokens)["params"]
    params["stack"]["look"]["query"] = jax.tree.map(
        jnp.zeros_like, params["stack"]["look"]["query"]
    )
    tell = jax.jit(
        lambda key: decoder.apply(
            {"params": params}, MEMORY, tokens, True, rngs={"dropout": key}, mutable=[SEEN]
        )
    )
    logps = [np.asarray(draws(tell(jax.random.key(seed))[1])) for seed in range(4)]
    drew = [row for logp in logps for row in logp.reshape(B * K, -1) if row.any()]
    assert len(drew) > K
    assert all(len(set(row.tolist())) > 1 for row in drew)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"cell": "lstn"}, "no cell 'lstn'. Did you mean 'lstm'"),
        ({"fusion": "crossing"}, "no fusion 'crossing'. Did you mean 'cross'"),
        ({"attention": "adding"}, "no attention 'adding'"),
        (
            {"fusion": "merge", "hard": True},
            "decoder's hard is True, and does nothing with fusion 'merge': it belongs to 'cross'",
        ),
        ({"fusion": "prefix", "attention": "multiplicative"}, "attention is .* to 'cross'"),
        ({"fusion": "state", "gated": True}, "gated is True, .* to 'cross'"),
        ({"fusion": "merge", "attention_width": 4}, "attention_width is 4, .* to 'cross'"),
        ({"fusion": "prefix", "looks": 1}, "looks is 1, .* to 'cross'"),
        ({"fusion": "state", "starts": True}, "to 'prefix' and 'cross' and 'merge'"),
        ({"looks": 2}, "looks is 2; .* 1 layers"),
        ({"tied": True, "word_width": 4}, "width of the words, 4, and the layers have 8"),
    ],
)
def test_settings_that_do_not_fit_are_refused(settings, message):
    decoder = RecurrentDecoder(V, 8, 10, **settings)
    with pytest.raises(UserError, match=message):
        jax.eval_shape(decoder.init, jax.random.key(0), MEMORY, TOKENS)
