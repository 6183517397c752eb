"""The models keep the promises that training and the search rely on."""

from functools import lru_cache

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from showing import memories, pictures

from jaxcap.decode import Search, decode
from jaxcap.errors import UserError
from jaxcap.models import DECODERS, build
from jaxcap.models.attention import attend
from jaxcap.models.captioning import caption_logp
from jaxcap.models.cells import CELLS
from jaxcap.models.memory import Memory
from jaxcap.models.recurrent import FUSIONS as RECURRENT_FUSIONS
from jaxcap.models.seen import SEEN, maps, said
from jaxcap.models.transformer import FUSIONS as TRANSFORMER_FUSIONS

PAD, BOS, EOS, V, B, K, T, S = 0, 1, 2, 11, 3, 2, 6, 4
RNG = np.random.default_rng(0)
IMAGES = pictures(RNG.integers(0, 256, (B, 16, 16, 3), np.uint8))
TOKENS = RNG.integers(0, V, (B, K, T)).astype(np.int32)
TOKENS[..., 0] = BOS
MASK = np.array([[1, 1, 1, 1], [1, 0, 1, 1], [1, 0, 0, 0]], bool)
FEATURES = jnp.asarray(RNG.normal(size=(B, S, 64)).astype(np.float32))
MEMORY = memories(Memory(FEATURES, jnp.asarray(MASK)))
TRANSFORMER = {"name": "transformer", "width": 16, "depth": 2, "heads": 2, "mlp_width": 32}
RECURRENT = {"name": "recurrent", "width": 16}
XU = {"starts": True, "gated": True, "deep_output": True, "word_width": 8, "attention_width": 8}
KINDS = {
    "cross": {**TRANSFORMER, "canon": 2},
    "cross untied": {**TRANSFORMER, "tied": False},
    "prefix": {**TRANSFORMER, "fusion": "prefix"},
    "prefix untied": {**TRANSFORMER, "fusion": "prefix", "tied": False, "canon": 3},
    "merge": {**TRANSFORMER, "fusion": "merge"},
    "cross that fuses": {**TRANSFORMER, "fuses_whole": True},
    "lstm prefix": {**RECURRENT, "fusion": "prefix", "depth": 2},
    "lstm state": {**RECURRENT, "fusion": "state", "tied": True},
    "lstm merge": {**RECURRENT, "fusion": "merge", "word_width": 8},
    "lstm soft": {**RECURRENT, **XU},
    "lstm hard": {**RECURRENT, **XU, "hard": True},
    "lstm up-down": {**RECURRENT, "depth": 2, "looks": 1, "word_width": 8},
    "gru prefix": {**RECURRENT, "cell": "gru", "fusion": "prefix", "starts": True},
    "gru state": {**RECURRENT, "cell": "gru", "fusion": "state", "depth": 2},
    "gru merge": {**RECURRENT, "cell": "gru", "fusion": "merge", "deep_output": True},
    "gru additive": {**RECURRENT, "cell": "gru", "depth": 2, "tied": True},
    "gru multiplicative": {**RECURRENT, "cell": "gru", "attention": "multiplicative", "looks": 1},
}
GPT2 = {**TRANSFORMER, "scaled_words": False, "vocab_bias": False}
BERT = {
    **TRANSFORMER,
    "norm": "post",
    "activation": "gelu",
    "scaled_words": False,
    "normed_words": True,
    "segments": 2,
    "head_activation": "gelu",
}
FAMILIES = {
    f"{name} {fusion}": {**family, "fusion": fusion}
    for name, family in (("gpt2", GPT2), ("bert", BERT))
    for fusion in TRANSFORMER_FUSIONS
}
ALL = {**KINDS, **FAMILIES}
kinds = pytest.mark.parametrize("kind", KINDS)


def settings(kind="cross", dropout=0.0, dtype="float32", remat=False):
    return ConfigDict(
        {
            "encoder": {"name": "vit", "size": "mini", "patch": 8, "dropout": dropout},
            "stage": {"name": ""},
            "bridge": {"depth": 1, "heads": 2, "mlp_width": 16, "positions": True},
            "decoder": {**ALL[kind], "dropout": dropout},
            "dtype": dtype,
            "remat": remat,
            "scan": False,
            "vocab_size": 0,
        }
    )


@lru_cache
def model_of(**chosen):
    return build(settings(**chosen), vocab_size=V, max_len=8)


@lru_cache
def variables_of(kind="cross"):
    """Random in every leaf: biases and scales of zero and one would hide that they are used."""
    model = model_of(kind=kind)
    shapes = jax.eval_shape(model.init, jax.random.key(0), IMAGES, TOKENS)
    rng = np.random.default_rng(1)
    return jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(0, 0.3, leaf.shape).astype(np.float32)), shapes
    )


@lru_cache
def teacher(kind="cross"):
    """(shown, tokens) -> the logits of teacher forcing, compiled once."""
    model, variables = model_of(kind=kind), variables_of(kind)
    return jax.jit(lambda memory, tokens: model.apply(variables, memory, tokens))


def stepwise(model, variables, memory, tokens):
    """The same logits, by way of prefill and step."""
    encoded = model.apply(variables, memory, method="encode")
    context, state = model.apply(variables, encoded, tokens.shape[1], T, method="prefill")

    def step(carry, token_and_place):
        logits, carry = model.apply(variables, context, carry, *token_and_place, method="step")
        return carry, logits

    _, logits = jax.lax.scan(step, state, (jnp.moveaxis(tokens, 2, 0), jnp.arange(T)))
    return jnp.moveaxis(logits, 0, 2)


def test_every_decoder_is_here_with_every_fusion_and_cell():
    usual = {"transformer": {"fusion": "cross"}, "recurrent": {"fusion": "cross", "cell": "lstm"}}
    whole = [{**usual[decoder["name"]], **decoder} for decoder in ALL.values()]
    here = {(each["name"], each.get("cell"), each["fusion"]) for each in whole}
    expected = {("transformer", None, fusion) for fusion in TRANSFORMER_FUSIONS}
    expected |= {("recurrent", cell, fusion) for cell in CELLS for fusion in RECURRENT_FUSIONS}
    assert {decoder["name"] for decoder in ALL.values()} == set(DECODERS)
    assert here == expected


@pytest.mark.parametrize("kind", ALL)
def test_steps_give_the_logits_of_teacher_forcing(kind):
    model, variables = model_of(kind=kind), variables_of(kind)
    forced = teacher(kind)(MEMORY, TOKENS)
    assert forced.std() > 0.2
    assert forced.shape == (B, K, T, V)
    steps = jax.jit(stepwise, static_argnums=0)(model, variables, MEMORY, TOKENS)
    np.testing.assert_allclose(steps, forced, rtol=1e-5, atol=1e-5)
    words = variables["params"]["decoder"]["words"]
    tied = ALL[kind].get("tied", ALL[kind]["name"] == "transformer")
    assert ("unembedding" in words) == (not tied)
    assert ("mix" in words) == (ALL[kind].get("canon", 0) > 0)


@kinds
def test_a_decoder_leaves_where_it_looked_and_what_it_said(kind):
    """The weights of all that look, and of real tokens alone; vectors whose scores are the words'.

    A prefix is attended to together with the caption's own words, which take their share.
    """
    model, params = model_of(kind=kind), variables_of(kind)["params"]
    apply = jax.jit(lambda *given: model.apply({"params": params}, *given, mutable=[SEEN]))
    logits, seen = apply(MEMORY, TOKENS)
    settings = {"fusion": "cross", "heads": 1, **KINDS[kind]}
    is_transformer = settings["name"] == "transformer"
    looks = {"cross": 2 if is_transformer else 1, "prefix": 2 if is_transformer else 0}
    layers = maps(seen)
    assert len(layers) == looks.get(settings["fusion"], 0)
    for weights in map(np.asarray, layers):
        assert weights.shape == (B, K, settings["heads"], T, S)
        assert (weights.transpose(1, 2, 3, 0, 4)[..., ~MASK] == 0).all()
        assert weights.std() > 0.01
        total = weights.sum(axis=-1)
        if settings["fusion"] == "cross":
            np.testing.assert_allclose(total, 1, rtol=1e-5)
        else:
            assert (total < 1).all()
    words = params["decoder"]["words"]
    table = words.get("unembedding", words["embedding"])
    scores = np.asarray(said(seen)) @ np.asarray(table).T + np.asarray(words["bias"])
    np.testing.assert_allclose(scores[..., :V], logits, rtol=1e-4, atol=1e-4)


@kinds
def test_a_stream_sees_its_own_past_and_the_real_tokens_of_its_image(kind):
    logits = np.asarray(teacher(kind)(MEMORY, TOKENS))

    def changed(memory=MEMORY, tokens=TOKENS):
        """Which logits [B, K, T] are other than they were."""
        return (np.abs(np.asarray(teacher(kind)(memory, tokens)) - logits) > 1e-6).any(-1)

    other = TOKENS.copy()
    other[1, 0, 3] = (other[1, 0, 3] + 1) % V
    expected = np.zeros((B, K, T), bool)
    expected[1, 0, 3:] = True
    np.testing.assert_array_equal(changed(tokens=other), expected)

    hidden = jnp.where(MASK[..., None], FEATURES, 7.0)
    assert not changed(MEMORY.replace(features=hidden[:, None])).any()

    shown = FEATURES.at[2, 0].add(1.0)
    expected = np.zeros((B, K, T), bool)
    expected[2] = True
    np.testing.assert_array_equal(changed(MEMORY.replace(features=shown[:, None])), expected)


@pytest.mark.parametrize("sample", [False, True], ids=["beams", "samples"])
@pytest.mark.parametrize("kind", ["cross", "prefix", "lstm soft", "gru prefix"])
def test_captions_have_the_logps_that_teacher_forcing_gives_them(kind, sample):
    model, variables = model_of(kind=kind), variables_of(kind)
    settings = {"beams": K, "max_len": 5, "sample": sample, "suppress": (PAD, BOS)}
    search = Search(temperature=0.8, length_penalty=0.0, **settings)
    prompt_len = jnp.array([0, 1, 1], jnp.int32)

    @jax.jit
    def caption(shown):
        memory = model.apply(variables, shown, method="encode")
        context, state = model.apply(variables, memory, K, T, method="prefill")
        return decode(
            lambda state, token, t: model.apply(variables, context, state, token, t, method="step"),
            state,
            search,
            prompt=jnp.full((B, 1), 5, jnp.int32),
            prompt_len=prompt_len,
            keys=jax.random.split(jax.random.key(0), B),
            bos=BOS,
            eos=EOS,
            pad=PAD,
        )

    found = caption(IMAGES)
    tokens = np.asarray(found.tokens)
    before = np.concatenate([np.full((B, K, 1), BOS, np.int32), tokens[..., :-1]], axis=-1)
    forced = np.asarray(caption_logp(teacher(kind)(IMAGES, before), jnp.asarray(tokens)))
    chosen = (tokens != PAD) & (np.arange(T) >= np.asarray(prompt_len)[:, None, None])
    np.testing.assert_allclose(found.logps, np.where(chosen, forced, 0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(found.scores, found.logps.sum(-1), rtol=1e-5)
    assert (tokens[1:, :, 0] == 5).all()
    assert len({tuple(caption) for image in tokens for caption in image.tolist()}) > B


def value_and_gradient(**chosen):
    """(variables, image, tokens) -> the captions' likelihood in training, and its gradient."""
    model = model_of(dropout=0.2, **chosen)

    def likelihood(variables, image, tokens):
        rngs = {"dropout": jax.random.key(1)}
        logits = model.apply(variables, image, tokens, train=True, rngs=rngs)
        return caption_logp(logits, tokens).mean()

    return jax.jit(jax.value_and_grad(likelihood))


@pytest.mark.parametrize(("kind", "image"), [("cross", IMAGES), ("prefix", MEMORY)])
def test_recomputing_activations_changes_neither_value_nor_gradient(kind, image):
    plain, again = (
        value_and_gradient(kind=kind, remat=remat)(variables_of(kind), image, TOKENS)
        for remat in (False, True)
    )
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-4, atol=1e-6), plain, again)


LOOKING = ("cross", "prefix", "cross that fuses", "lstm prefix", "lstm state", "lstm hard")


@pytest.mark.parametrize("kind", [*LOOKING, "gru additive"])
def test_an_image_of_no_real_token_is_captioned_and_learned_from_like_any(kind):
    """As one in which no region is to be seen: finite, and no other image notices."""
    nothing = MEMORY.replace(real=MEMORY.real.at[1].set(False))
    logits = teacher(kind)(nothing, TOKENS)
    assert jnp.isfinite(logits).all()
    others = np.array([0, 2])
    np.testing.assert_allclose(logits[others], teacher(kind)(MEMORY, TOKENS)[others], atol=1e-5)
    likelihood, gradient = value_and_gradient(kind=kind)(variables_of(kind), nothing, TOKENS)
    assert jnp.isfinite(likelihood)
    assert jax.tree.all(jax.tree.map(lambda leaf: jnp.isfinite(leaf).all(), gradient))


def prefilled(model, variables, k, length=T):
    """Shapes and types of what the decoder computes before the first step, and of its state."""

    def prefill(variables, memory):
        encoded = model.apply(variables, memory, method="encode")
        return model.apply(variables, encoded, k, length, method="prefill")

    return jax.eval_shape(prefill, variables, MEMORY)


@pytest.mark.parametrize("kind", ["cross", "prefix", "lstm hard", "lstm up-down", "gru merge"])
def test_bfloat16_computes_what_float32_does_but_coarser(kind):
    model, variables = model_of(kind=kind, dtype="bfloat16"), variables_of(kind)
    forced = np.asarray(teacher(kind)(MEMORY, TOKENS))
    coarse = jax.jit(stepwise, static_argnums=0)(model, variables, MEMORY, TOKENS)
    assert coarse.dtype == jnp.float32
    error = np.abs(np.asarray(coarse) - forced)
    assert 0 < error.max() < 0.1 * np.abs(forced).max()
    _, state = prefilled(model, variables, K)
    # What recurrent layers remember is float32; see `jaxcap.models.cells`.
    kept = "float32" if KINDS[kind]["name"] == "recurrent" else "bfloat16"
    assert {leaf.dtype for leaf in jax.tree.leaves(state)} == {jnp.dtype(kept)}
    program = value_and_gradient(kind=kind, dtype="bfloat16")
    trained = jax.eval_shape(program, variables, IMAGES, jnp.asarray(TOKENS))
    assert {leaf.dtype for leaf in jax.tree.leaves(trained)} == {jnp.dtype("float32")}


@kinds
def test_what_belongs_to_an_image_has_no_streams_and_what_belongs_to_a_stream_has(kind):
    model, variables = model_of(kind=kind), variables_of(kind)
    context, state = prefilled(model, variables, 5)
    few, _ = prefilled(model, variables, 1)
    assert jax.tree.all(jax.tree.map(lambda a, b: a.shape == b.shape, context, few))
    assert all(leaf.shape[:2] == (B, 5) for leaf in jax.tree.leaves(state))


def naive(q, own, own_mask, shared, shared_mask):
    """Softmax attention of one query at a time, in float64."""
    out = np.zeros(q.shape)
    for b, k, h, t in np.ndindex(*q.shape[:4]):
        keys, values = [], []
        if shared is not None:
            seen = slice(None) if shared_mask is None else shared_mask[b]
            keys.append(shared[0][b, h][seen])
            values.append(shared[1][b, h][seen])
        if own is not None:
            seen = slice(None) if own_mask is None else own_mask[t]
            keys.append(own[0][b, k, h][seen])
            values.append(own[1][b, k, h][seen])
        weights = np.exp(np.concatenate(keys).astype(np.float64) @ q[b, k, h, t])
        out[b, k, h, t] = weights / weights.sum() @ np.concatenate(values)
    return out


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize("sees", ["own", "shared", "both"])
def test_attention_is_one_softmax_over_own_and_shared_tokens(sees, masked):
    rng = np.random.default_rng(2)
    q, *kv = (
        rng.normal(size=shape).astype(np.float32)
        for shape in ((2, 3, 2, 4, 5), *[(2, 3, 2, 7, 5)] * 2, *[(2, 2, 6, 5)] * 2)
    )
    own = None if sees == "shared" else (kv[0], kv[1])
    shared = None if sees == "own" else (kv[2], kv[3])
    own_mask = np.arange(7) <= np.arange(4)[:, None] if masked else None
    shared_mask = np.array([[1, 1, 0, 1, 0, 1], [0, 0, 0, 0, 0, 1]], bool) if masked else None
    arguments = (q, own, own_mask, shared, shared_mask)
    found, weights = attend(*jax.tree.map(jnp.asarray, arguments))
    assert (weights is None) == (shared is None)
    np.testing.assert_allclose(found, naive(*arguments), rtol=1e-5, atol=1e-5)


def test_a_caption_longer_than_the_decoders_positions_is_refused():
    long = np.ones((B, K, 9), np.int32)
    with pytest.raises(UserError, match=r"9 tokens.*positions for 8"):
        jax.eval_shape(teacher(), MEMORY, long)
    model, variables = model_of(), variables_of()
    with pytest.raises(UserError, match=r"9 tokens.*positions for 8"):
        prefilled(model, variables, K, 9)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"encoder.name": "vitt"}, "no encoder 'vitt'. Did you mean 'vit'"),
        ({"decoder.name": "lstm"}, "no decoder 'lstm'. Known: recurrent, transformer"),
        ({"encoder.pach": 8}, "encoder 'vit' has no setting 'pach'. Did you mean 'patch'"),
        ({"decoder.head": 8}, "decoder 'transformer' has no setting 'head'. Did you mean 'heads'"),
        ({"bridge.dept": 1}, "bridge has no setting 'dept'. Did you mean 'depth'"),
        ({"decoder.max_len": 9}, "has no setting 'max_len'"),
        ({"encoder.depth": 3}, "size 'mini' has depth 2, and depth is set to 3"),
        ({"encoder.size": "Big"}, "no ViT of size 'Big'"),
        ({"encoder.size": ""}, "its size or by width, depth, heads, mlp_width; it has no size"),
        ({"bridge.width": 9}, "has no setting 'width'"),
        ({"decoder.width": None}, "decoder 'transformer' needs the setting 'width'"),
        ({"decoder.depth": 0}, "decoder 'transformer' has depth=0; expected 1 or more"),
        ({"encoder.patch": 0}, "encoder 'vit' has patch=0; expected 1 or more"),
        ({"bridge.heads": -2}, "bridge has heads=-2; expected 1 or more"),
    ],
)
def test_a_config_that_names_what_there_is_not_is_refused(change, message):
    config = settings()
    for path, value in change.items():
        part, name = path.split(".")
        if value is None:
            del config[part][name]
        else:
            config[part][name] = value
    with pytest.raises(UserError, match=message):
        build(config, vocab_size=V, max_len=8)


def test_a_memory_before_the_words_is_as_wide_as_they_are():
    config = settings("prefix")
    config.bridge = {"project": False, "norm": False}
    model = build(config, vocab_size=V, max_len=8)
    with pytest.raises(UserError, match=r"width 64 .* words of width 16 .*project=True"):
        jax.eval_shape(model.init, jax.random.key(0), IMAGES, TOKENS)


def test_a_size_may_be_a_number():
    config = settings()
    config.encoder = {"name": "resnet", "size": 50}
    assert build(config, vocab_size=V, max_len=8).encoder.size == "50"
    config.encoder.size = 51
    with pytest.raises(UserError, match="no ResNet of size '51'"):
        build(config, vocab_size=V, max_len=8)


@pytest.mark.parametrize(
    ("path", "value", "message"),
    [
        ("encoder.positions", ("absolut",), "Did you mean 'absolute'"),
        ("encoder.positions", ("shared",), "one token before the patches"),
        ("encoder.norm", "per", "no norm 'per'. Did you mean"),
        ("decoder.activation", "gelo", "no activation 'gelo'. Did you mean 'gelu'"),
        ("decoder.head_activation", "gelo", "no activation 'gelo'. Did you mean 'gelu'"),
        ("encoder.patch", 5, "16 x 16 pixels cannot be cut into patches of 5"),
        ("decoder.fusion", "cros", "no fusion 'cros'. Did you mean 'cross'"),
        ("decoder.canon", -1, "canon is -1; give a number of words"),
        ("decoder.heads", 3, r"width of 16 .* 3 heads"),
    ],
)
def test_sizes_that_do_not_fit_are_refused(path, value, message):
    config = settings()
    part, name = path.split(".")
    config[part][name] = value
    model = build(config, vocab_size=V, max_len=8)
    with pytest.raises(UserError, match=message):
        jax.eval_shape(model.init, jax.random.key(0), IMAGES, TOKENS)
