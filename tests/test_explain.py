"""Where a decoder looked, painted and compared with what is known of it."""

from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from ml_collections import ConfigDict
from PIL import Image
from tiny_run import photographs

from jaxcap.captioner import Captioner
from jaxcap.errors import UserError
from jaxcap.explain import Explanation, Reading, paint, read
from jaxcap.models import build
from jaxcap.models.memory import Memory
from jaxcap.models.shown import Shown

RNG = np.random.default_rng(0)
T, BOS = 3, 1


@pytest.fixture(scope="module")
def captioner(tiny_run):
    return Captioner.load(tiny_run)


def explanation(memory, weights, **more):
    """Of one layer with one head, whose weights [T, S] are told."""
    count, S = weights.shape
    reading = Reading(
        logps=jnp.full((1, count), -1.0),
        maps=jnp.asarray(weights, jnp.float32).reshape(1, 1, 1, count, S),
        vectors=jnp.asarray(more.pop("vectors", np.ones((count, 2))), jnp.float32)[None],
        boxes=memory.places()[0],
        image=jnp.arange(S) * memory.images // S,
    )
    words = tuple("abcdefgh"[:count])
    pictures = [Image.new("RGB", (8, 6)) for _ in range(memory.images)]
    return Explanation.of(reading, slice(0, count), " ".join(words), words, pictures)


def boxed(boxes, **more):
    """A memory of one record, whose tokens are of these boxes."""
    boxes = jnp.asarray(boxes, jnp.float32)[None]
    return Memory(jnp.zeros((*boxes.shape[:2], 1)), jnp.ones(boxes.shape[:2], bool), boxes, **more)


def test_paint_is_the_weights_of_the_boxes_over_each_point_of_a_pixel():
    """Counted at 40 x 40 points of a picture of 8 rows of 5 pixels, with boxes that overlap."""
    corners = np.sort(RNG.integers(0, 41, (7, 2, 2)), axis=1)  # of each box: first, last; x, y
    weights = RNG.dirichlet(np.ones(7), T).astype(np.float32)
    expected = np.zeros((T, 8, 5))
    for t, y, x in np.ndindex(T, 40, 40):
        for weight, ((left, top), (right, bottom)) in zip(weights[t], corners, strict=True):
            if left <= x < right and top <= y < bottom:
                expected[t, y // 5, x // 8] += weight / 40
    found = paint(weights, (corners.reshape(7, 4) / 40).astype(np.float32), 8, 5)
    np.testing.assert_allclose(found, expected, atol=1e-5)


def test_a_grid_is_painted_cell_by_cell_and_its_class_token_is_a_number():
    memory = Memory(jnp.zeros((1, 7, 1)), jnp.ones((1, 7), bool), grid=(2, 3))
    weights = RNG.dirichlet(np.ones(7), T).astype(np.float32)
    found = explanation(memory, weights)
    np.testing.assert_array_equal(found.placed, [False] + [True] * 6)
    painted = found.on_image(found.weights(), 4, 9)
    cells = weights[:, 1:].reshape(T, 2, 3)
    np.testing.assert_allclose(painted, cells.repeat(2, 1).repeat(3, 2), atol=1e-6)
    np.testing.assert_allclose(painted.mean(axis=(1, 2)) * 6 + weights[:, 0], 1, atol=1e-5)


def test_each_image_of_a_record_has_its_own_map():
    memory = Memory(jnp.zeros((1, 8, 1)), jnp.ones((1, 8), bool), grid=(2, 2), images=2)
    weights = np.zeros((1, 8), np.float32)
    weights[0, 6] = 1
    found = explanation(memory, weights)
    np.testing.assert_array_equal(found.image, [0] * 4 + [1] * 4)
    assert not found.on_image(weights, 2, 2, 0).any()
    np.testing.assert_array_equal(found.on_image(weights, 2, 2, 1)[0], [[0, 0], [1, 0]])


def test_layers_and_heads_are_chosen_or_averaged():
    found = explanation(boxed(np.zeros((5, 4))), np.ones((T, 5)) / 5)
    drawn = RNG.random((2, 3, T, 5)).astype(np.float32)
    found = replace(found, maps=drawn)
    np.testing.assert_allclose(found.weights(), drawn.mean(axis=(0, 1)), rtol=1e-6)
    np.testing.assert_allclose(found.weights(layer=1), drawn[1].mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(found.weights(head=2), drawn[:, 2].mean(axis=0), rtol=1e-6)
    np.testing.assert_array_equal(found.weights(1, 2), drawn[1, 2])
    with pytest.raises(UserError, match=r"no layer 2 .* there are 2, counted from 0"):
        found.weights(layer=2)
    with pytest.raises(UserError, match="no head -1"):
        found.weights(head=-1)
    with pytest.raises(UserError, match=r"looks at no parts .* model\.decoder\.fusion"):
        replace(found, maps=drawn[:0]).weights()


def test_similarity_is_the_cosine_and_finite_for_no_vector_at_all():
    vectors = np.array([[3.0, 4.0], [-6.0, -8.0], [4.0, -3.0], [0.0, 0.0]])
    found = explanation(boxed(np.zeros((1, 4))), np.ones((4, 1)), vectors=vectors).similarity()
    expected = [[1, -1, 0, 0], [-1, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    np.testing.assert_allclose(found, expected, atol=1e-6)


ROWS, COLUMNS, D = 3, 4, 8
DECODERS = {
    "transformer": {"name": "transformer", "depth": 1, "heads": 1, "mlp_width": 8},
    "recurrent": {"name": "recurrent", "cell": "gru", "attention": "multiplicative", "looks": 1},
}


@pytest.mark.parametrize("name", DECODERS)
def test_a_decoder_that_is_made_to_look_for_one_cell_is_seen_to_do_so(name):
    """Every query is one vector, and of all cells of both images one is that vector."""
    config = ConfigDict(
        {
            "encoder": {"name": "vit", "size": "mini", "patch": 8},
            "stage": {"name": ""},
            "bridge": {"project": False, "norm": False},
            "decoder": {**DECODERS[name], "width": D},
            "dtype": "float32",
            "remat": False,
            "scan": False,
            "vocab_size": 0,
        }
    )
    model = build(config, vocab_size=9, max_len=T)
    sought, row, column = np.full(D, 4.0, np.float32), 2, 1
    memory = np.zeros((1, 2, ROWS, COLUMNS, D), np.float32)
    memory[0, 1, row, column] = sought
    shown = {"memory": jnp.asarray(memory), "present": jnp.ones((1, 2), bool)}
    tokens = jnp.asarray(RNG.integers(3, 9, (1, T)).astype(np.int32))
    params = model.init(jax.random.key(0), Shown.of(shown), tokens[None])["params"]
    if name == "transformer":
        look = params["decoder"]["layers_0"]["cross_attention"]
    else:
        look = params["decoder"]["stack"]["look"]
        look = {"query": look["query"], "key": look["keys"]}
    look["key"]["kernel"] = jnp.eye(D).reshape(look["key"]["kernel"].shape)
    look["query"]["kernel"] *= 0
    look["query"]["bias"] = jnp.asarray(sought).reshape(look["query"]["bias"].shape)
    reading = jax.jit(read, static_argnums=(0, 4))(model, {"params": params}, shown, tokens, BOS)
    found = Explanation.of(reading, slice(0, T), "", ("a", "b", "c"), [])
    np.testing.assert_allclose(found.weights().sum(axis=1), 1, rtol=1e-5)
    assert found.on_image(found.weights(), ROWS, COLUMNS, 0).max() < 1e-3
    expected = np.zeros((T, ROWS, COLUMNS))
    expected[:, row, column] = 1
    there = found.on_image(found.weights(), ROWS, COLUMNS, 1)
    np.testing.assert_allclose(there, expected, atol=1e-3)


def test_a_found_caption_is_explained_with_its_own_probabilities(captioner):
    """And words of the prompt, which were given, are none of it."""
    photo = photographs(1)[0]
    ((caption,),) = captioner([photo], beams=3, prompt="a red")
    found = captioner.explain(photo, caption)
    assert (found.text, found.tokens) == (caption.text, caption.tokens)
    assert captioner.tokenizer.decode(caption.ids) == caption.text
    np.testing.assert_allclose(np.log(found.probabilities), caption.logprobs, atol=1e-4)
    assert found.maps.shape == (1, 2, len(caption.tokens), 4)
    assert found.vectors.shape == (len(caption.tokens), 16)
    np.testing.assert_allclose(found.maps.sum(axis=-1), 1, rtol=1e-5)
    assert found.maps.std() > 0
    np.testing.assert_array_equal(found.boxes[1], [0.5, 0, 1, 0.5])
    np.testing.assert_array_equal(np.asarray(found.pictures[0]), photo)


def test_by_default_the_best_caption_is_explained_or_any_text(captioner):
    photo = photographs(2)[1]
    ((caption,),) = captioner([photo])
    assert captioner.explain(photo).tokens == caption.tokens
    text = "a red circle"
    found = captioner.explain(photo, text)
    assert found.tokens == ("a", "red", "circle", "<eos>")
    whole = captioner.logp(photo, [text])[0]
    assert np.log(found.probabilities).sum() == pytest.approx(whole, abs=1e-4)
    programs = captioner._reader._reading._cache_size()
    captioner.explain(photo, "a")
    assert captioner._reader._reading._cache_size() == programs == 1
    with pytest.raises(UserError, match="has 41 tokens with EOS"):
        captioner.explain(photo, "red " * 40)
