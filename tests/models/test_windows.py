"""Windows: who sees whom, by brute force; small maps; the order in which cells are merged."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxcap.models.blocks import Style
from jaxcap.models.swin import Merge
from jaxcap.models.windows import WindowBlock, Windows, pad_to_multiple

STYLE = Style()


def random_variables(module, *inputs):
    shapes = jax.eval_shape(lambda: module.init(jax.random.key(0), *inputs))
    rng = np.random.default_rng(1)
    return jax.tree.map(lambda leaf: rng.normal(0, 0.5, leaf.shape).astype(np.float32), shapes)


def run(module, variables, *inputs):
    return np.asarray(jax.jit(lambda variables: module.apply(variables, *inputs))(variables))


@pytest.mark.parametrize("shifted", [False, True])
@pytest.mark.parametrize("size", [(6, 9), (7, 5), (3, 7), (2, 5)], ids=str)
def test_a_cell_sees_its_own_window_and_no_other(size, shifted):
    block = WindowBlock(2, 8, 3, shifted, STYLE)
    rows, columns = size
    cells = rows * columns
    x = np.random.default_rng(0).normal(size=(1, cells, 8)).astype(np.float32)
    each = np.repeat(x, cells + 1, 0)  # the last stays as it is
    each[range(cells), range(cells), 0] += 1
    each = jnp.asarray(each.reshape(cells + 1, rows, columns, 8))
    found = run(block, random_variables(block, each, False), each, False)
    changed = np.abs(found[:-1] - found[-1:]) > 1e-6
    changed = changed.any(-1).reshape(cells, cells)

    side = min(3, *size)
    shift = 1 if shifted and min(size) > 3 else 0
    down, across = np.divmod(np.arange(cells), columns)
    window = np.stack([(down - shift) // side, (across - shift) // side])
    np.testing.assert_array_equal(changed, (window[:, :, None] == window[:, None]).all(0))


def test_a_window_larger_than_the_map_is_the_middle_of_its_distances():
    x = jax.random.normal(jax.random.key(0), (2, 3, 5, 8))
    large, small = (WindowBlock(2, 8, window, False, STYLE) for window in (5, 3))
    variables = random_variables(large, x, False)
    table = variables["params"]["distances"].reshape(9, 9, 2)
    middle = {"params": {**variables["params"], "distances": table[2:7, 2:7].reshape(25, 2)}}
    expected = run(small, middle, x, False)
    np.testing.assert_allclose(run(large, variables, x, False), expected, rtol=1e-5, atol=1e-5)
    moved = {"params": {**variables["params"], "distances": table[:5, :5].reshape(25, 2)}}
    assert np.abs(run(small, moved, x, False) - expected).max() > 1e-3


def test_windows_are_cut_row_by_row_and_joined_again():
    x = jnp.arange(2 * 4 * 6 * 1.0).reshape(2, 4, 6, 1)
    windows = Windows.of(x, 2, shifted=False)
    found = windows.cut(x)
    assert found.shape == (2, 6, 4, 1)
    np.testing.assert_array_equal(found[0, 1, :, 0], [2, 3, 8, 9])
    np.testing.assert_array_equal(found[1, 3, :, 0], 24 + np.array([12, 13, 18, 19]))
    np.testing.assert_array_equal(windows.joined(found), x)


def test_shifted_windows_of_a_map_that_they_do_not_divide_are_joined_to_it():
    x = jnp.arange(1, 1 + 5 * 7 * 1.0).reshape(1, 5, 7, 1)
    windows = Windows.of(x, 3, shifted=True)
    found = windows.cut(x)
    assert found.shape == (1, 6, 9, 1)
    np.testing.assert_array_equal(found[0, 0, :, 0], [9, 10, 11, 16, 17, 18, 23, 24, 25])
    np.testing.assert_array_equal(found[0, -1, :, 0], [0, 0, 29, 0, 0, 0, 0, 0, 1])
    np.testing.assert_array_equal(windows.joined(found), x)


def test_zeros_come_after_and_only_where_they_are_needed():
    x = jnp.ones((1, 5, 6, 1))
    padded = pad_to_multiple(x, 3)
    assert padded.shape == (1, 6, 6, 1)
    np.testing.assert_array_equal(padded[:, :5], x)
    assert not padded[:, 5].any()


def test_four_cells_are_merged_column_by_column():
    x = jax.random.normal(jax.random.key(0), (2, 3, 4, 3))
    module = Merge("float32")
    variables = random_variables(module, x)
    filled = np.concatenate([np.asarray(x), np.zeros((2, 1, 4, 3))], 1)
    corners = [filled[:, i::2, j::2] for i, j in ((0, 0), (1, 0), (0, 1), (1, 1))]
    y = np.concatenate(corners, -1)
    norm, kernel = variables["params"]["norm"], variables["params"]["project"]["kernel"]
    y = (y - y.mean(-1, keepdims=True)) / np.sqrt(y.var(-1, keepdims=True) + 1e-5)
    expected = (y * norm["scale"] + norm["bias"]) @ kernel
    np.testing.assert_allclose(run(module, variables, x), expected, rtol=1e-4, atol=1e-4)
