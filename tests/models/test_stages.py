"""Stages against numpy and PyTorch, and what a bridge makes of places, boxes and several images."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcap.errors import UserError
from jaxcap.models.bidirectional import Bidirectional
from jaxcap.models.bridge import Bridge
from jaxcap.models.cells import CELLS
from jaxcap.models.halve import Halve
from jaxcap.models.memory import Memory, cells, from_grid
from jaxcap.models.refine import Refine, WindowsAndWhole
from jaxcap.models.regions import Regions
from jaxcap.models.shown import Shown

RNG = np.random.default_rng(0)
B, S, D = 2, 5, 4
MASK = np.array([[True] * S, [True, False, True, True, False]])
TOKENS = RNG.normal(size=(B, S, D)).astype(np.float32)
MEMORY = Memory(jnp.asarray(TOKENS), jnp.asarray(MASK))
NOTHING = Shown.blank(8)


def drawn(module, *args):
    """Random in every leaf."""
    shapes = {"params": jax.eval_shape(module.init, jax.random.key(0), *args)["params"]}
    rng = np.random.default_rng(1)
    return jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(0, 0.5, leaf.shape).astype(np.float32)), shapes
    )


@pytest.mark.parametrize("cell", CELLS)
def test_a_memory_is_read_from_both_ends_as_pytorch_reads_a_packed_sequence(cell):
    torch = pytest.importorskip("torch", reason="PyTorch is the oracle")
    stage = Bidirectional(3, cell=cell, depth=2)
    params = drawn(stage, MEMORY, NOTHING)
    found = jax.jit(stage.apply)(params, MEMORY, NOTHING)
    kind = {"lstm": torch.nn.LSTM, "gru": torch.nn.GRU}[cell]
    peer = kind(D, 3, num_layers=2, bidirectional=True, batch_first=True)
    with torch.no_grad():
        for i in range(2):
            for ours, ending in (("forward", ""), ("backward", "_reverse")):
                side = params["params"][f"{ours}_{i}"]
                for theirs, leaves in (("ih", side["read"]), ("hh", side["cell"]["recurrent"])):
                    for kind, leaf in (("weight", "kernel"), ("bias", "bias")):
                        to = getattr(peer, f"{kind}_{theirs}_l{i}{ending}")
                        to.copy_(torch.from_numpy(np.array(leaves[leaf].T)))
                if cell == "lstm":  # whose forget gate has a bias of one besides
                    getattr(peer, f"bias_hh_l{i}{ending}")[3:6] += 1
        for b in range(B):  # what is not real is as if it were not there
            expected, _ = peer(torch.from_numpy(TOKENS[b : b + 1, MASK[b]]))
            np.testing.assert_allclose(found.tokens[b, MASK[b]], expected[0].numpy(), atol=1e-5)
    np.testing.assert_array_equal(found.mask, MASK)


def roi_align(grid, box, bins, points):
    """Written out: the mean of interpolated points of each bin."""
    h, w, _ = grid.shape
    left, top, right, bottom = box
    found = np.zeros((bins, bins, grid.shape[-1]))
    for p, q, i, j in np.ndindex(bins, bins, points, points):
        y = (top + (bottom - top) * (p + (i + 0.5) / points) / bins) * h - 0.5
        x = (left + (right - left) * (q + (j + 0.5) / points) / bins) * w - 0.5
        y, x = np.clip(y, 0, h - 1), np.clip(x, 0, w - 1)
        for dy, dx in np.ndindex(2, 2):
            row, column = min(int(y) + dy, h - 1), min(int(x) + dx, w - 1)
            share = (1 - abs(y - int(y) - dy)) * (1 - abs(x - int(x) - dx))
            found[p, q] += share * grid[row, column] / points**2
    return found.reshape(-1)


@pytest.mark.parametrize(("bins", "points"), [(1, 1), (2, 3), (3, 2)])
def test_a_region_is_the_mean_of_points_in_it(bins, points):
    grid = RNG.normal(size=(B, 5, 7, D))
    corner, side = RNG.uniform(0, 0.7, (B, 1, 4, 2)), RNG.uniform(0, 0.5, (B, 1, 4, 2))
    boxes = np.concatenate([corner, corner + side], axis=-1).astype(np.float32)
    boxes[0, 0, 0] = 0, 0, 1, 1
    real = np.array([[[True] * 4], [[True, True, False, False]]])
    shown = Shown(jnp.ones((B, 1), bool), boxes=jnp.asarray(boxes), real=jnp.asarray(real))
    found = Regions(bins, points).apply({}, from_grid(jnp.asarray(grid, jnp.float32)), shown)
    for b, r in np.ndindex(B, 4):
        expected = roi_align(grid[b], boxes[b, 0, r], bins, points) * real[b, 0, r]
        np.testing.assert_allclose(found.tokens[b, r], expected, atol=1e-5)
    np.testing.assert_array_equal(found.mask, real[:, 0])
    np.testing.assert_array_equal(found.places(), boxes[:, 0])


def test_regions_of_an_image_without_boxes_or_of_no_map_are_refused():
    grid = from_grid(jnp.zeros((1, 2, 2, D)))
    with pytest.raises(UserError, match=r"shown no boxes. Set data.regions"):
        Regions().apply({}, grid, NOTHING)
    with pytest.raises(UserError, match="reads a map of cells"):
        Regions().apply({}, MEMORY, NOTHING)


def test_refined_cells_and_the_whole_become_tokens():
    stage = Refine(8, 2, 2, 16, 2, dropout=0.0)
    memory = from_grid(jnp.asarray(RNG.normal(size=(1, 4, 4, D)).astype(np.float32)))
    found = jax.jit(stage.apply)(drawn(stage, memory, NOTHING), memory, NOTHING)
    assert found.tokens.shape == (1, 17, 8)
    assert found.mask.all()
    np.testing.assert_array_equal(found.whole, found.tokens[:, 0])
    np.testing.assert_array_equal(found.places()[0, 0], [0, 0, 1, 1])
    np.testing.assert_array_equal(found.places()[0, 1:], cells(4, 4))


def test_half_the_rows_and_columns_are_left_and_know_their_neighbours():
    grid = RNG.normal(size=(B, 4, 6, D)).astype(np.float32)
    stage, memory = Halve(3), from_grid(jnp.asarray(grid))
    params = drawn(stage, memory, NOTHING)
    found = stage.apply(params, memory, NOTHING)
    assert found.grid == (2, 3)
    assert found.mask.all()
    kernel, bias = (np.asarray(params["params"]["conv_0"][name]) for name in ("kernel", "bias"))
    padded = np.pad(grid, ((0, 0), (0, 1), (0, 1), (0, 0)))
    for i, j in np.ndindex(2, 3):
        around = padded[:, 2 * i : 2 * i + 3, 2 * j : 2 * j + 3]
        expected = np.einsum("bijd,ijde->be", around, kernel) + bias
        np.testing.assert_allclose(found.tokens[:, 3 * i + j], expected, atol=1e-5)
    with pytest.raises(UserError, match=r"reads a map of cells.*5 tokens, a map of 0 x 0"):
        stage.init(jax.random.key(0), MEMORY, NOTHING)


def windowed(params, x, whole, heads, window, shift):
    """One attention of the stage, a cell at a time, in float64."""
    rows, columns, D = x.shape
    table = params["distances"]

    def project(part, v):
        weights = params["attention"][part]
        return np.einsum("d,dhc->hc", v, weights["kernel"]) + weights["bias"]

    def answer(query, keys, values, bias):
        q = project("query", query) / np.sqrt(D // heads)
        scores = np.einsum("hc,nhc->hn", q, keys) + bias
        weights = np.exp(scores - scores.max(1, keepdims=True))
        weights /= weights.sum(1, keepdims=True)
        mixed = np.einsum("hn,nhc->hc", weights, values)
        out = params["attention"]["out"]
        return np.einsum("hc,hcd->d", mixed, out["kernel"]) + out["bias"]

    def window_of(r, c):
        """Windows lie `shift` further down and right; what is cut off at an edge stands alone."""
        return (r - shift) // window, (c - shift) // window

    own = {part: project(part, whole) for part in ("key", "value")}
    places = list(np.ndindex(rows, columns))
    found = np.zeros_like(x)
    for r, c in places:
        near = [p for p in places if window_of(*p) == window_of(r, c)]
        offsets = [(r - y + window - 1) * (2 * window - 1) + c - y2 + window - 1 for y, y2 in near]
        bias = np.concatenate([table[offsets].T, np.zeros((heads, 1))], axis=1)
        kv = {
            part: np.stack([*(project(part, x[p]) for p in near), own[part]])
            for part in ("key", "value")
        }
        found[r, c] = answer(x[r, c], kv["key"], kv["value"], bias)
    kv = {
        part: np.stack([*(project(part, x[p]) for p in places), own[part]])
        for part in ("key", "value")
    }
    return found, answer(whole, kv["key"], kv["value"], 0.0)


@pytest.mark.parametrize("shifted", [False, True])
def test_a_refining_layer_looks_as_it_is_written(shifted):
    look = WindowsAndWhole(2, 2, shifted, "float32")
    x = jnp.asarray(RNG.normal(size=(1, 4, 6, 8)).astype(np.float32))
    whole = jnp.asarray(RNG.normal(size=(1, 1, 8)).astype(np.float32))
    params = drawn(look, x, whole)
    cells_seen, whole_seen = jax.jit(look.apply)(params, x, whole)
    exact = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params["params"])
    expected = windowed(exact, np.asarray(x[0], np.float64), np.asarray(whole[0, 0]), 2, 2, shifted)
    np.testing.assert_allclose(cells_seen[0], expected[0], atol=1e-4)
    np.testing.assert_allclose(whole_seen[0, 0], expected[1], atol=1e-4)


@pytest.mark.parametrize(
    ("memory", "told"),
    [
        (MEMORY, "5 tokens, a map of 0 x 0"),
        (from_grid(jnp.zeros((1, 4, 5, D))), "windows of 2 x 2 cells.*a map of 4 x 5"),
    ],
)
def test_a_map_that_windows_do_not_divide_is_refused(memory, told):
    with pytest.raises(UserError, match=told):
        jax.eval_shape(Refine(8, 1, 2, 16, 2).init, jax.random.key(0), memory, NOTHING)


def test_images_stand_in_a_row_and_what_is_absent_is_masked():
    grid = from_grid(jnp.asarray(RNG.normal(size=(6, 2, 3, D)).astype(np.float32)))
    present = jnp.asarray([[True, True], [True, False], [False, False]])
    row = grid.replace(whole=grid.pooled()).in_a_row(present)
    assert row.images == 2
    assert row.tokens.shape == (3, 12, D)
    np.testing.assert_array_equal(row.tokens[1, 6:], grid.tokens[3])
    np.testing.assert_array_equal(row.mask, np.repeat(present, 6, axis=1))
    np.testing.assert_allclose(row.whole[0], (grid.pooled()[0] + grid.pooled()[1]) / 2, rtol=1e-6)
    np.testing.assert_allclose(row.whole[1], grid.pooled()[2], rtol=1e-6)
    np.testing.assert_array_equal(row.places()[0], np.tile(cells(2, 3), (2, 1)))


def test_pooling_is_the_mean_of_what_is_real():
    for b in range(B):
        np.testing.assert_allclose(MEMORY.pooled()[b], TOKENS[b, MASK[b]].mean(0), rtol=1e-5)
    one = MEMORY.as_one()
    np.testing.assert_array_equal(one.tokens[:, 0], MEMORY.pooled())
    np.testing.assert_array_equal(one.mask, [[True], [True]])
    nothing = MEMORY.replace(mask=jnp.zeros((B, S), bool))
    np.testing.assert_array_equal(nothing.pooled(), np.zeros((B, D)))


def bridged(settings, memory):
    bridge = Bridge(6, norm=False, **settings)
    params = drawn(bridge, memory)
    tokens = np.asarray(bridge.apply(params, memory).tokens)
    return jax.tree.map(np.asarray, params["params"]), tokens


def test_a_bridge_tells_images_apart_and_knows_boxes():
    memory = from_grid(jnp.zeros((2, 1, 2, D))).in_a_row(jnp.ones((1, 2), bool))
    params, row = bridged({}, memory)
    expected = np.repeat(params["images"], 2, axis=0) + params["project"]["bias"]
    np.testing.assert_allclose(row[0], expected, rtol=1e-5)
    boxes = jnp.asarray(RNG.uniform(size=(B, S, 4)).astype(np.float32))
    params, placed = bridged({"geometry": True, "project": False}, MEMORY.replace(boxes=boxes))
    numbers = np.concatenate([boxes, boxes[..., 2:] - boxes[..., :2]], axis=-1)
    angles = np.concatenate([np.pi * numbers * times for times in (1, 2, 4, 8)], axis=-1)
    shape = np.concatenate([np.sin(angles), np.cos(angles)], axis=-1)
    expected = TOKENS + shape @ params["geometry"]["kernel"] + params["geometry"]["bias"]
    np.testing.assert_allclose(placed, expected, rtol=1e-4, atol=1e-5)


def test_a_bridge_that_pools_gives_one_token():
    params, one = bridged({"pool": True}, MEMORY)
    expected = np.asarray(MEMORY.pooled()) @ params["project"]["kernel"] + params["project"]["bias"]
    np.testing.assert_allclose(one[:, 0], expected, rtol=1e-5, atol=1e-6)
    several = MEMORY.in_a_row(jnp.ones((1, B), bool))
    with pytest.raises(UserError, match=r"has 2 images \(data.images\), and bridge.pool makes one"):
        bridged({"pool": True}, several)


@pytest.mark.parametrize("normed", [True, False])
@pytest.mark.parametrize("project", [True, False])
def test_the_whole_of_an_image_is_projected_and_normed_as_its_tokens_are(project, normed):
    """And that is all: places and the layers over the grid are the tokens' own."""
    layers = {"depth": 1, "heads": 2, "mlp_width": 8, "positions": True}
    bridge = Bridge(6, project=project, norm=normed, **layers)
    whole = RNG.normal(size=(B, D)).astype(np.float32)
    memory = MEMORY.replace(whole=jnp.asarray(whole))
    params = drawn(bridge, memory)
    apply = jax.jit(bridge.apply)
    exact = jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), params["params"])
    expected = whole.astype(np.float64)
    if project:
        expected = expected @ exact["project"]["kernel"] + exact["project"]["bias"]
    if normed:
        expected = expected - expected.mean(axis=1, keepdims=True)
        expected /= np.sqrt((expected**2).mean(axis=1, keepdims=True) + 1e-6)
        expected = expected * exact["norm"]["scale"] + exact["norm"]["bias"]
    found = apply(params, memory)
    np.testing.assert_allclose(found.whole, expected, rtol=1e-5, atol=1e-5)
    np.testing.assert_array_equal(found.tokens, apply(params, MEMORY).tokens)
    assert apply(params, MEMORY).whole is None


@pytest.mark.parametrize("memory", [MEMORY, MEMORY.as_one()], ids=["pooled", "one token"])
def test_tokens_are_dropped_but_never_all(memory):
    bridge = Bridge(6, norm=False, pool=True, token_dropout=0.9)
    params = drawn(bridge, memory)
    apply = jax.jit(lambda key: bridge.apply(params, memory, True, rngs={"dropout": key}))
    bias = params["params"]["project"]["bias"]
    found = [apply(jax.random.key(seed)) for seed in range(20)]
    for one in found:
        assert one.mask.all()
        assert (jnp.abs(one.tokens - bias[None, None]) > 1e-3).any(axis=-1).all()
    varied = {np.asarray(one.tokens).tobytes() for one in found}
    assert (len(varied) > 5) == (memory is MEMORY)
