"""Every kind of model becomes one program for batches of any size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax import export
from ml_collections import ConfigDict

from jaxcap.data.text import build_tokenizer
from jaxcap.decode import Search
from jaxcap.decode.captions import captioner
from jaxcap.export.programs import PLATFORMS, caption_program
from jaxcap.models import build
from jaxcap.models.shown import Shown
from jaxcap.state import flat, nested

SIDE, PROMPT, SEED = 16, [4, 5], 7
WORDS = build_tokenizer("word", ["a cat sat on the mat"])
VIT = {"name": "vit", "size": "mini", "patch": 8, "tokens": ["class"]}
RESNET = {"name": "resnet", "stem": 4, "layer": "basic", "widths": [8, 16], "depths": [1, 1]}
SWIN = {"name": "swin", "width": 8, "depths": [1, 1], "heads": [2, 4], "window": 2}
TRANSFORMER = {"name": "transformer", "width": 16, "depth": 1, "heads": 2, "mlp_width": 32}
LSTM = {"name": "recurrent", "width": 16, "starts": True, "gated": True, "deep_output": True}
GRU = {"name": "recurrent", "width": 16, "cell": "gru", "fusion": "prefix", "depth": 2}
BOTH_WAYS = {"name": "bidirectional", "width": 4}
KINDS = {  # encoder, stage, decoder, search
    "vit": (VIT, {"name": ""}, TRANSFORMER, {"beams": 3}),
    "prefix": (VIT, {"name": ""}, {**TRANSFORMER, "fusion": "prefix"}, {"beams": 1}),
    "lstm": (RESNET, BOTH_WAYS, LSTM, {"beams": 4, "groups": 2, "diversity": 0.5}),
    "gru": (SWIN, {"name": "halve"}, GRU, {"beams": 2, "sample": True, "top_p": 0.9}),
}


def model_of(encoder, stage, decoder):
    """A model and random weights for it."""
    parts = {"encoder": encoder, "stage": stage, "decoder": decoder, "bridge": {"depth": 0}}
    common = {"dtype": "float32", "remat": False, "scan": False, "vocab_size": 0}
    model = build(ConfigDict({**parts, **common}), WORDS.vocab_size, max_len=9)
    arguments = (jax.random.key(0), Shown.blank(SIDE), jnp.zeros((1, 1, 5), jnp.int32))
    shapes = jax.eval_shape(model.init, *arguments)
    rng = np.random.default_rng(1)
    kept = flat({name: shapes[name] for name in ("params", "batch_stats") if name in shapes})
    return model, {
        path: np.abs(rng.normal(0.1, 0.4, leaf.shape)).astype(np.float32) + ("var" in path)
        if path.endswith(("var", "scale"))
        else rng.normal(0, 0.4, leaf.shape).astype(np.float32)
        for path, leaf in kept.items()
    }


@pytest.mark.parametrize("kind", KINDS)
def test_a_batch_of_any_size_is_captioned_as_by_the_program_of_that_size(kind, unchecked):
    *parts, settings = KINDS[kind]
    model, weights = model_of(*parts)
    search = Search(max_len=5, **settings)
    data = caption_program(model, WORDS, search, PROMPT, SEED, weights, SIDE)
    loaded = export.deserialize(bytearray(data))
    assert loaded.platforms == PLATFORMS
    known = jax.jit(captioner(model, WORDS, search, SEED))
    rng = np.random.default_rng(2)
    for batch in (1, 3):
        images = rng.integers(0, 256, (batch, SIDE, SIDE, 3), np.uint8)
        index = np.arange(5, 5 + batch, dtype=np.int32)
        shown = {
            "image": images[:, None],
            "present": np.ones((batch, 1), bool),
            "prompt": np.tile(np.array(PROMPT, np.int32), (batch, 1)),
            "prompt_len": np.full(batch, len(PROMPT), np.int32),
            "index": index,
        }
        expected = known(nested(weights), shown)
        found = jax.jit(loaded.call)(weights, images, index)
        np.testing.assert_array_equal(found["tokens"], expected.tokens)
        np.testing.assert_allclose(found["logps"], expected.logps, atol=1e-4)
        np.testing.assert_allclose(found["scores"], expected.scores, atol=1e-4)
    assert np.ptp(found["logps"], axis=0).max() > 0.001  # images are told apart
