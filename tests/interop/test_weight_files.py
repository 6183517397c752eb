"""Weights come back from their files bit for bit, whoever wrote them."""

import json
import tracemalloc

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from safetensors import safe_open

from jaxcap.errors import UserError
from jaxcap.interop import weight_files
from jaxcap.interop.weight_files import read_weights, write_weights

DTYPES = (
    *("float64", "float32", "float16", "int64", "int32", "int16", "int8", "uint8", "uint16"),
    *("uint32", "uint64", "bool", "complex64", ml_dtypes.bfloat16),
)
WEIGHTS = {name: np.full((4, 5), i, np.float32) for i, name in enumerate("abcde")}  # 80 bytes each


def assert_same(found, expected):
    assert sorted(found) == sorted(expected)
    assert len(found) == len(expected)
    for name, array in expected.items():
        assert name in found
        assert (found[name].dtype, found[name].shape) == (array.dtype, array.shape)
        assert found[name].tobytes() == array.tobytes()


def names(folder):
    return sorted(entry.name for entry in folder.iterdir())


@settings(deadline=None, max_examples=60)
@given(data=st.data(), limit=st.integers(1, 400))
def test_what_was_written_is_read_bit_for_bit(tmp_path_factory, data, limit):
    """Whatever the bits are: NaNs and negative zeros too."""
    folder = tmp_path_factory.mktemp("weights")
    shapes = hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=4)
    tensors = {}
    for name in data.draw(st.sets(st.text("ab./é", min_size=1), min_size=1, max_size=5)):
        dtype, shape = np.dtype(data.draw(st.sampled_from(DTYPES))), data.draw(shapes)
        raw = np.random.default_rng(len(tensors)).bytes(int(np.prod(shape)) * dtype.itemsize)
        raw = bytes(byte & 1 for byte in raw) if dtype.kind == "b" else raw
        array = np.frombuffer(raw, dtype).reshape(shape)
        tensors[name] = array.transpose(data.draw(st.permutations(range(len(shape)))))
    write_weights(folder, tensors, limit)
    assert_same(read_weights(folder), tensors)


def test_views_are_written_as_they_look(tmp_path):
    base = np.arange(24, dtype=np.float32).reshape(2, 3, 4)
    views = {
        "transposed": base.transpose(2, 0, 1),
        "fortran": np.asfortranarray(base[0]),
        "every second": base[:, ::2, 1::2],
        "reversed": base[::-1],
        "repeated": np.broadcast_to(base[0, 0], (3, 4)),
        "whole": base,
        "big-endian": base.astype(">f4"),
    }
    write_weights(tmp_path, views)
    found = read_weights(tmp_path)
    for name, view in views.items():
        np.testing.assert_array_equal(found[name], view)


def test_shards_are_of_the_size_asked_for_and_have_an_index(tmp_path):
    tensors = {**WEIGHTS, "HUGE": np.zeros(100, np.float32)}
    write_weights(tmp_path, tensors, max_shard_size=160)
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == 5 * 80 + 400
    shard = "model-0000{}-of-00004.safetensors".format
    places = map(shard, "122334")  # in the order of names
    assert index["weight_map"] == dict(zip(["HUGE", *"abcde"], places, strict=True))
    assert names(tmp_path) == [*map(shard, "1234"), "model.safetensors.index.json"]
    assert_same(read_weights(tmp_path), tensors)


def test_one_file_holds_all_up_to_the_limit(tmp_path):
    write_weights(tmp_path, WEIGHTS, max_shard_size=400)
    assert names(tmp_path) == ["model.safetensors"]
    with safe_open(tmp_path / "model.safetensors", framework="numpy") as file:
        assert file.metadata() == {"format": "pt"}  # Transformers before 5 refuses others


@pytest.mark.parametrize("before", [100, 160, 10**9])
@pytest.mark.parametrize("after", [100, 160, 10**9])
def test_another_model_takes_the_place_of_the_first(tmp_path, before, after):
    other = {name: array + 7 for name, array in WEIGHTS.items()}
    write_weights(tmp_path / "twice", WEIGHTS, before)
    write_weights(tmp_path / "twice", other, after)
    write_weights(tmp_path / "once", other, after)
    assert names(tmp_path / "twice") == names(tmp_path / "once")
    assert_same(read_weights(tmp_path / "twice"), other)


@pytest.mark.parametrize("fails_at", ["save_file", "replace"])
@pytest.mark.parametrize("size", [160, 10**9])
def test_a_write_that_fails_leaves_no_half_model(tmp_path, monkeypatch, fails_at, size):
    calls = []

    def failing(real):
        def call(*args, **kwargs):
            calls.append(args)
            if len(calls) == (2 if size == 160 else 1):
                raise OSError("No space left on device")
            return real(*args, **kwargs)

        return call

    owner = weight_files if fails_at == "save_file" else weight_files.Path
    monkeypatch.setattr(owner, fails_at, failing(getattr(owner, fails_at)))
    with pytest.raises(UserError, match=r"cannot be written to .*: No space left"):
        write_weights(tmp_path, WEIGHTS, size)
    assert not [name for name in names(tmp_path) if name.startswith(".") or "index" in name]
    with pytest.raises(UserError, match="There are no weights"):
        read_weights(tmp_path)


def test_a_write_that_fails_leaves_the_model_that_was_there(tmp_path, monkeypatch):
    write_weights(tmp_path, WEIGHTS)
    for wrong in ({"w": np.array([object()])}, {"w": np.array(["text"])}):
        with pytest.raises(UserError, match=r"cannot be written to .*: Unknown dtype"):
            write_weights(tmp_path, {**WEIGHTS, **wrong}, 160)
    assert names(tmp_path) == ["model.safetensors"]
    assert_same(read_weights(tmp_path), WEIGHTS)
    (tmp_path / "file").touch()
    with pytest.raises(UserError, match="cannot be written to"):
        write_weights(tmp_path / "file", WEIGHTS)


def test_a_tensor_is_read_when_it_is_asked_for_and_once(tmp_path):
    size = 2**22
    write_weights(tmp_path, {"large": np.ones(size, np.uint8), "small": np.ones(3, np.int32)})
    tracemalloc.start()
    weights = read_weights(tmp_path)
    assert "large" in weights
    assert weights["small"].sum() == 3
    assert tracemalloc.get_traced_memory()[1] < size / 8
    assert weights["large"].all()
    assert size <= tracemalloc.get_traced_memory()[1] < size * 1.1
    tracemalloc.stop()


DTYPES_OF_TORCH = ("float32", "float16", "bfloat16", "int64", "int32", "uint8", "bool")


@pytest.fixture
def torch_tensors():
    torch = pytest.importorskip("torch")
    base = torch.arange(12).reshape(3, 4)
    tensors = {name: base.to(getattr(torch, name)) for name in DTYPES_OF_TORCH}
    return tensors | {"empty": torch.zeros(0, 3), "scalar": torch.tensor(2.5)}


def assert_same_as_torch(found, tensors):
    assert sorted(found) == sorted(tensors)
    for name, tensor in tensors.items():
        assert str(tensor.dtype) == f"torch.{found[name].dtype}"
        assert found[name].shape == tuple(tensor.shape)
        assert found[name].tolist() == tensor.tolist()


def test_what_torch_wrote_is_read(torch_tensors, tmp_path):
    import safetensors.torch
    import torch

    views = {**torch_tensors, "view": torch.arange(12.0).reshape(3, 4).T[1:]}
    torch.save(views, tmp_path / "pytorch_model.bin")
    assert_same_as_torch(read_weights(tmp_path), views)
    files = [f"pytorch_model-0000{i}-of-00002.bin" for i in (1, 2)]
    places = {name: files[i % 2] for i, name in enumerate(views)}
    for file in files:
        torch.save({n: t for n, t in views.items() if places[n] == file}, tmp_path / file)
    (tmp_path / "pytorch_model.bin").unlink()
    index = tmp_path / "pytorch_model.bin.index.json"
    index.write_text(json.dumps({"weight_map": places}))
    assert_same_as_torch(read_weights(tmp_path), views)
    safetensors.torch.save_file(torch_tensors, tmp_path / "model.safetensors")
    assert_same_as_torch(read_weights(tmp_path), torch_tensors)


def test_torch_reads_what_was_written(torch_tensors, tmp_path):
    import safetensors.torch

    arrays = {
        name: np.asarray(tensor.tolist(), np.dtype(str(tensor.dtype).removeprefix("torch.")))
        for name, tensor in torch_tensors.items()
    }
    arrays = {name: array.reshape(torch_tensors[name].shape) for name, array in arrays.items()}
    write_weights(tmp_path, {**arrays, "view": np.arange(6.0).reshape(2, 3).T})
    found = safetensors.torch.load_file(tmp_path / "model.safetensors")
    assert found.pop("view").tolist() == [[0, 3], [1, 4], [2, 5]]
    assert_same_as_torch(arrays, found)


def test_transformers_and_jaxcap_read_each_other(tmp_path):
    pytest.importorskip("torch")
    from transformers import GPT2Config, GPT2Model

    theirs, ours = tmp_path / "theirs", tmp_path / "ours"
    config = GPT2Config(n_embd=8, n_layer=1, n_head=2, vocab_size=16, n_positions=8)
    model = GPT2Model(config)
    model.save_pretrained(theirs, max_shard_size="2KB")
    assert (theirs / "model.safetensors.index.json").is_file()
    tensors = read_weights(theirs)
    assert_same_as_torch(tensors, model.state_dict())

    config.save_pretrained(ours)
    more = {name: array + 1 for name, array in tensors.items()}
    for size in (2000, 10**6):
        write_weights(ours, more, size)
        assert_same_as_torch(more, GPT2Model.from_pretrained(ours).state_dict())
