"""Kept memories: whole after any cut, of these weights and no others, and as good as pixels."""

import dataclasses
import json
import pickle
import shutil
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from PIL import Image
from tiny_run import get_config

from jaxcap import memory_store as module
from jaxcap.data.frame import Frame
from jaxcap.data.image import ImageError
from jaxcap.data.pipeline import EvalExample, train_batches
from jaxcap.data.showing import Showing
from jaxcap.data.sources import open_source
from jaxcap.data.text import build_tokenizer
from jaxcap.data.views import Pixels
from jaxcap.errors import UserError
from jaxcap.experiment import Experiment
from jaxcap.memory_store import MemoryStore, memory_store
from jaxcap.models.memory import Memory
from jaxcap.models.shown import Shown
from jaxcap.partition import make_mesh, to_devices
from jaxcap.run import Run
from jaxcap.train import train
from jaxcap.train_step import make_step

IMAGES = 11


class Means:
    """An encoder that is one product: the four quarters of the image, scaled."""

    def apply(self, variables, shown, method):
        assert method == "features"
        quarters = shown.image.reshape(-1, 2, 4, 2, 4, 3).mean(axis=(2, 4)).reshape(-1, 4, 3)
        scale = variables["params"]["encoder"]["scale"]
        return Memory(quarters * scale, jnp.ones(quarters.shape[:2], bool))


def variables(scale=0.5):
    return {"params": {"encoder": {"scale": jnp.float32(scale)}}, "batch_stats": {}}


@pytest.fixture
def example(tmp_path, monkeypatch):
    """Eleven photographs, the sixth of them corrupt; four a shard."""
    monkeypatch.setattr(module, "SHARD", 4)
    rng = np.random.default_rng(0)
    for number in range(IMAGES):
        pixels = rng.integers(0, 256, (8, 8, 3), np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number:02d}.png")
    (tmp_path / "05.png").write_bytes(b"no photograph")
    rows = [f"{number:02d}.png,a,all" for number in range(IMAGES)]
    (tmp_path / "table.csv").write_text("\n".join(["image,caption,split", *rows]))
    source = open_source(f"csv:{tmp_path / 'table.csv'}", "all")
    return EvalExample(source, Pixels(source, Showing(Frame(8))), build_tokenizer("word", ["a"]))


def fill(store, example, scale=0.5, devices=8):
    mesh = make_mesh({"data": devices}, jax.devices()[:devices])
    with jax.set_mesh(mesh):
        store.fill(Means(), variables(scale), mesh, example, batch_size=8)


def kept(store):
    return {file.name: file.read_bytes() for file in sorted(store.folder.iterdir())}


def test_each_image_has_its_memory_in_float16(example, tmp_path):
    store = MemoryStore(tmp_path / "kept", example.source)
    with pytest.raises(UserError, match=r"no kept memories.*--mode=encode"):
        store.view()
    fill(store, example)
    view = store.view()
    for index in range(IMAGES):
        if index == 5:
            with pytest.raises(ImageError, match="could not be shown when"):
                view(index)
            continue
        quarters = example.view(index)["image"].reshape(2, 4, 2, 4, 3).mean(axis=(1, 3))
        memory = view(index)["memory"]
        assert memory.dtype == np.float16
        np.testing.assert_allclose(memory, quarters.reshape(1, 4, 3) * 0.5, rtol=1e-3)
        assert memory.shape == view.blank()["memory"].shape


@pytest.mark.parametrize("shards", [0, 1, 2, 3])
def test_cut_short_after_some_shards_it_goes_on(example, tmp_path, monkeypatch, shards):
    whole = MemoryStore(tmp_path / "whole", example.source)
    fill(whole, example)
    store = MemoryStore(tmp_path / "kept", example.source)
    write, written = module._write, []

    def write_and_die(file, rows):
        if len(written) == shards:
            (file.parent / f".{file.name}").write_bytes(b"half a shard")
            raise KeyboardInterrupt
        written.append(file)
        write(file, rows)

    monkeypatch.setattr(module, "_write", write_and_die)
    if shards < 3:
        with pytest.raises(KeyboardInterrupt):
            fill(store, example)
        with pytest.raises(UserError, match="no kept memories"):
            store.view()
    else:  # all were written, only the manifest was not
        fill(store, example)
        store.manifest.unlink()

    again = []
    monkeypatch.setattr(
        module, "_write", lambda file, rows: (again.append(file), write(file, rows))
    )
    fill(store, example, devices=1)
    assert len(again) == 3 - shards
    assert kept(store) == kept(whole)


def test_a_shard_that_another_run_has_named_meanwhile_is_left(tmp_path, monkeypatch):
    """Which then has cleared up, also what was about to be named."""
    replace, file = Path.replace, tmp_path / "memories"
    monkeypatch.setattr(Path, "replace", lambda beside, to: beside.unlink() or replace(beside, to))
    file.write_bytes(b"the same")
    module._write(file, [b"the same"])
    assert file.read_bytes() == b"the same"
    file.unlink()
    with pytest.raises(FileNotFoundError):
        module._write(file, [b"the same"])


def test_records_of_several_images_are_kept_with_their_boxes(example, tmp_path):
    """A record has as many rows as images; what lacks is a blank, as with pixels."""
    folder = tmp_path
    rows = [
        {"images": ["00.png", "01.png"], "caption": "a", "boxes": [[[0, 0, 4, 8]], []]},
        {"images": ["02.png", "05.png"], "caption": "a", "boxes": [[], []]},  # one is corrupt
        {"image": "03.png", "caption": "a", "boxes": [[2, 2, 4, 4], [0, 0, 8, 8], [0, 0, 1, 1]]},
    ]
    (folder / "t.jsonl").write_text("\n".join(map(json.dumps, rows)))
    source = open_source(f"jsonl:{folder}/t.jsonl", "all")
    pixels = Pixels(source, Showing(Frame(8), images=3, regions=2))
    store = MemoryStore(tmp_path / "kept", source)
    fill(store, dataclasses.replace(example, source=source, view=pixels))
    view = pickle.loads(pickle.dumps(store.view()))
    for index in (0, 2):
        shown, kept = pixels(index), view(index)
        assert kept.keys() == {"memory", "present", "boxes", "real"}
        for name in ("present", "boxes", "real"):
            np.testing.assert_array_equal(kept[name], shown[name])
            assert kept[name].dtype == shown[name].dtype
        quarters = shown["image"].reshape(3, 2, 4, 2, 4, 3).mean(axis=(2, 4)).reshape(3, 4, 3)
        np.testing.assert_allclose(kept["memory"], quarters * 0.5, rtol=1e-3)
        blank = view.blank()
        assert {k: v.shape for k, v in blank.items()} == {k: v.shape for k, v in kept.items()}
        assert not any(leaf.any() for leaf in blank.values())
    with pytest.raises(ImageError, match="could not be shown when"):
        view(1)


def test_memories_of_a_manifest_that_tells_less_of_them_are_read(example, tmp_path):
    """As they were kept when records had one image, and nobody asked for the places of tokens."""
    store = MemoryStore(tmp_path / "kept", example.source)
    fill(store, example)
    whole = store.manifest.read_text()
    told = {name: json.loads(whole)[name] for name in ("files", "dtype", "weights")}
    store.manifest.write_text(json.dumps({**told, "shape": [2, 6]}))
    fill(store, example)
    assert store.manifest.read_text() == whole


def test_nothing_is_kept_of_a_folder_that_is_not_there(example, tmp_path):
    for file in tmp_path.glob("*.png"):
        file.unlink()
    store = MemoryStore(tmp_path / "kept", example.source)
    with pytest.raises(UserError, match="None of the first 10 records"):
        fill(store, example)
    assert not store.folder.exists()


def test_memories_of_other_weights_are_refused(example, tmp_path):
    store = MemoryStore(tmp_path / "kept", example.source)
    fill(store, example)
    before = kept(store)
    with pytest.raises(UserError, match="of other weights"):
        fill(store, example, scale=0.25)
    fill(store, example)
    assert kept(store) == before


def test_the_folder_is_named_after_all_that_the_memories_depend_on(tmp_path):
    def folder(**changes):
        config = get_config()
        config.data.cache = str(tmp_path)
        config.update_from_flattened_dict(changes)
        source = open_source(config.data.source, config.data.train)
        return memory_store(config, source).folder

    same = {"steps": 9, "model.decoder.width": 8, "data.crop": 0.5, "data.resize": 32}
    assert folder() == folder(**same)
    others = (
        {"data.image_size": 64},
        {"data.fit": "short"},
        {"data.resize": 64},
        {"data.resample": "bilinear"},
        {"data.images": 2},
        {"data.regions": 3},
        {"data.source": "shapes:size=32,train=63,val=4"},
        {"data.source": "shapes:size=32,train=64,val=4,seed=1"},
        {"model.encoder.patch": 8},
        {"model.dtype": "bfloat16"},
        {"seed": 1},
        {"data.train": "val"},
    )
    assert len({folder(), *(folder(**other) for other in others)}) == len(others) + 1


def test_a_run_reads_the_memories_of_the_run_that_its_encoder_is_from(tmp_path):
    """However many runs handed the encoder on; but not through one that could have trained it."""

    def begun(name, init_from="", **changes):
        config = get_config()
        config.data.cache = str(tmp_path / "memories")
        config.init_from = init_from and str(tmp_path / init_from)
        config.update_from_flattened_dict(changes)
        Run(tmp_path / name).save_config(config)
        return memory_store(config, open_source(config.data.source, config.data.train)).folder

    first = begun("first", seed=3)
    assert begun("second", "first") == first
    assert begun("third", "second", seed=1) == first
    begun("trained", "first", **{"data.cache": ""})
    others = {begun("fourth", "trained"), begun("fifth", seed=0)}
    assert len(others | {first}) == 3
    shutil.rmtree(tmp_path / "first")
    assert begun("second", "first") not in {first, *others}  # nobody knows; and nobody fails


def test_memories_of_images_in_another_order_are_others(tmp_path):
    def folder(names):
        rows = [f"{name},a,all" for name in names]
        (tmp_path / "table.csv").write_text("\n".join(["image,caption,split", *rows]))
        config = get_config()
        config.data.cache, config.data.source = "kept", f"csv:{tmp_path / 'table.csv'}"
        return memory_store(config, open_source(config.data.source, "all")).folder

    assert folder("ab") == folder("ab")
    assert len({folder("ab"), folder("ba"), folder("ac"), folder("abc")}) == 4


@pytest.fixture
def frozen(tmp_path):
    """A config whose encoder is frozen and whose memories are kept."""
    config = get_config()
    config.data.source = "shapes:size=32,train=8,val=1"
    config.data.cache = str(tmp_path / "cache")
    config.optim.parts = (("^encoder/", 0.0),)
    return config


def batches_of(config, tmp_path):
    """An experiment on one device, its state, and its first batch by what is shown in it."""
    experiment = Experiment.open(config, Run(tmp_path / "run"))
    experiment = dataclasses.replace(experiment, mesh=make_mesh({}, jax.devices()[:1]))
    state, _ = experiment.fresh_state()
    experiment.keep_memories(state.variables())
    found = {}
    for kind in ("memory", "image"):
        batches = train_batches(experiment.train_example(), batch_size=8, seed=0)
        found[kind] = to_devices(next(batches), experiment.mesh)
        batches.close()
        assert kind in found[kind]
        experiment.config.data.cache = ""
    return experiment, state, found


def test_a_step_on_kept_memories_is_a_step_on_the_pixels(frozen, tmp_path):
    frozen.optim.update({"warmup": 0, "eps": 1e-3})
    experiment, state, batches = batches_of(frozen, tmp_path)
    step = make_step(experiment.model, frozen, experiment.optimizer, experiment.tokenizer)
    (kept, kept_metrics), (seen, metrics) = (jax.jit(step)(state, x) for x in batches.values())
    np.testing.assert_allclose(kept_metrics["loss"], metrics["loss"], rtol=1e-3)
    for name, leaf in seen.trained.items():
        np.testing.assert_allclose(kept.trained[name], leaf, atol=2e-5, err_msg=name)


PAIRS = {
    "data.source": "shapes_pairs:size=32,train=8,val=1",
    "data.images": 2,
    "model.bridge.geometry": True,
}


@pytest.mark.parametrize(
    "changes",
    [
        {"model.encoder.tokens": ("class",), "data.regions": 5},  # as many as tokens, for nobody
        {"model.stage.name": "regions", "data.regions": 3},
    ],
    ids=["class token", "regions"],
)
def test_tokens_of_kept_memories_have_their_places(frozen, tmp_path, changes):
    """The decoder looks at the same, with the same in its place, as if it saw the pixels."""
    frozen.update_from_flattened_dict({**PAIRS, **changes})
    experiment, state, batches = batches_of(frozen, tmp_path)
    encode = jax.jit(
        lambda batch: experiment.model.apply(state.variables(), Shown.of(batch), method="encode")
    )
    kept, seen = map(encode, batches.values())
    np.testing.assert_allclose(kept.tokens, seen.tokens, atol=5e-3)
    assert seen.tokens.std() > 0.5
    np.testing.assert_array_equal(kept.mask, seen.mask)
    np.testing.assert_array_equal(kept.places(), seen.places())
    assert kept.grid == seen.grid


def test_a_stage_that_does_not_fit_the_encoder_is_told_before_anything_is_kept(frozen, tmp_path):
    changes = {"model.encoder.tokens": ("class",), "model.stage.name": "regions"}
    frozen.update_from_flattened_dict({**PAIRS, "data.regions": 3, **changes})
    with pytest.raises(UserError, match="reads a map of cells"):
        train(frozen, tmp_path / "run")
    assert not (tmp_path / "cache").exists()


def test_a_trained_encoder_cannot_be_kept(frozen, tmp_path):
    frozen.optim.parts = (("^encoder/layer_0/", 1.0), ("^encoder/", 0.0))
    experiment = Experiment.open(frozen, Run(tmp_path / "run"))
    with pytest.raises(UserError, match=r"encoder/layer_0/.* is trained"):
        experiment.keep_memories({})
    assert not (tmp_path / "cache").exists()
