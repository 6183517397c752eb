"""An exported captioner says what the run says, of images of any number and size."""

import json
import os
import shutil
import subprocess
import sys
import textwrap

import jax
import numpy as np
import pytest
from tiny_run import get_config, photographs

import jaxcap.export
from jaxcap import Captioner
from jaxcap.data.text import build_tokenizer
from jaxcap.errors import UserError
from jaxcap.export import load
from jaxcap.export.loaded import BATCHES
from jaxcap.export.write import export
from jaxcap.models import build
from jaxcap.run import Run
from jaxcap.state import init_variables

SIZES = [(40, 50), (50, 40), (32, 32), (7, 90), (300, 20)]
SNIPPET = textwrap.dedent(jaxcap.export.__doc__.partition("alone:\n")[2])
FOREIGN = ("jaxcap", "flax", "tokenizers", "transformers", "PIL", "optax", "orbax", "grain")


def of_sizes(count):
    """Photographs of different sizes, one after the other."""
    rng = np.random.default_rng(1)
    sizes = [SIZES[i % len(SIZES)] for i in range(count)]
    return [rng.integers(0, 256, (*size, 3), np.uint8) for size in sizes]


def same(exported, captioner, photos, **asked):
    """Whether both find the same captions of each photograph, but for the rounding of numbers."""
    found, expected = exported.captions(photos), captioner(photos, **asked)
    assert [[c.ids for c in each] for each in found] == [[c.ids for c in e] for e in expected]
    assert [[c.text for c in each] for each in found] == [[c.text for c in e] for e in expected]
    for each, others in zip(found, expected, strict=True):
        for one, other in zip(each, others, strict=True):
            assert one.score == pytest.approx(other.score, abs=1e-4)
            given = len(other.ids) - len(other.tokens)
            np.testing.assert_allclose(one.logprobs[given:], other.logprobs, atol=1e-4)
            assert not any(one.logprobs[:given])
    return True


def changed(run, folder, **search):
    """A copy of a run with another search."""
    for part in ("tokenizer", "checkpoints"):
        shutil.copytree(run / part, folder / part)
    config = json.loads((run / "config.json").read_text())
    config["search"] = search
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="module")
def captioner(tiny_run):
    return Captioner.load(tiny_run)


@pytest.fixture(scope="module")
def exported(tiny_file):
    return load(tiny_file)


@pytest.mark.parametrize("count", [1, 2, 5, BATCHES[-1] + 1])
def test_the_captions_are_those_of_the_run(exported, captioner, count):
    assert same(exported, captioner, of_sizes(count), beams=3, num=3)


def test_a_batch_of_one_size_is_its_images(exported, captioner):
    photos = np.stack(photographs(3))
    texts = exported(photos)
    assert texts == [found[0].text for found in captioner(photos, beams=3)]
    assert texts == exported(list(photos))
    assert exported([]) == []


def test_nothing_is_compiled_for_another_size_of_about_the_same(exported):
    exported(of_sizes(2))
    before = exported._frame._cache_size(), exported._caption._cache_size()
    exported([np.zeros((33, 44, 3), np.uint8), np.zeros((200, 256, 3), np.uint8)])
    assert (exported._frame._cache_size(), exported._caption._cache_size()) == before


def test_a_script_without_jaxcap_says_the_same(tiny_file, exported, tmp_path):
    """What the documentation shows, where nothing but jax, numpy and flatbuffers is to be had."""
    for name in FOREIGN:
        (tmp_path / "none" / name).mkdir(parents=True)
        (tmp_path / "none" / name / "__init__.py").write_text(f"raise ImportError({name!r})")
    shutil.copy(tiny_file, tmp_path / "captioner.stablehlo")
    path = os.pathsep.join(["none", os.environ.get("PYTHONPATH", "none")])
    for number, photos in enumerate([np.stack(photographs(3)), np.stack(of_sizes(1))]):
        np.save(tmp_path / "photos.npy", photos)
        (tmp_path / "script.py").write_text(SNIPPET)
        done = subprocess.run(
            [sys.executable, "script.py"],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": path, "JAX_PLATFORMS": "cpu"},
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        assert done.stdout.splitlines() == exported(photos), number


def test_reading_a_file_imports_no_model(tiny_file):
    code = (
        "import sys; from jaxcap.export import load; print(load(sys.argv[1]).platforms);"
        f"print([name for name in {FOREIGN[1:]} if name in sys.modules])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, tiny_file], capture_output=True, text=True, check=True
    )
    assert done.stdout.splitlines() == ["('cpu', 'cuda', 'tpu')", "[]"]


def test_every_part_of_the_setting_is_kept(tiny_run, tmp_path, captioner, unchecked):
    prompt = captioner.tokenizer.decode(captioner.tokenizer.encode("a red"))
    export(tiny_run, tmp_path / "a", beams=2, max_len=3, prompt=prompt)
    asked = {"beams": 2, "num": 2, "max_len": 3, "prompt": prompt}
    exported = load(tmp_path / "a")
    assert same(exported, captioner, of_sizes(3), **asked)
    assert all(text.startswith("a red") for text in exported(of_sizes(3)))


def test_samples_are_those_of_the_run(tiny_run, tmp_path, unchecked):
    """They depend on the run's seed and the number of an image, and on no batch."""
    run = changed(tiny_run, tmp_path / "run", sample=True, beams=2, max_len=6)
    export(run, tmp_path / "samples")
    exported, photos = load(tmp_path / "samples"), [photographs(1)[0]] * (BATCHES[-1] + 2)
    assert same(exported, Captioner.load(run), photos, num=2)
    assert len(set(exported(photos))) > 2
    assert exported(photos) == exported(photos)


def test_a_search_that_finds_nothing(tiny_run, tmp_path, unchecked):
    """Every word is suppressed, and EOS too."""
    words = Captioner.load(tiny_run).tokenizer.vocab_size
    run = changed(tiny_run, tmp_path / "run", suppress=list(range(words)), max_len=6)
    export(run, tmp_path / "nothing")
    photos = of_sizes(2)
    assert load(tmp_path / "nothing").captions(photos) == Captioner.load(run)(photos) == [[], []]
    assert load(tmp_path / "nothing")(photos) == ["", ""]


def test_a_captioner_of_bytes(tmp_path, unchecked):
    """Its weights are random, so that it says parts of characters, in a model with more words."""
    config, run = get_config(), Run(tmp_path / "run")
    config.data.fit, config.data.resize, config.data.resample = "short", 40, "lanczos"
    config.model.vocab_size = 300
    tokenizer = build_tokenizer("bpe", ["a red circle, ein grüner Kreis"], vocab_size=280)
    model = build(config.model, tokenizer.vocab_size, config.data.max_len + 1)
    run.save_config(config)
    run.begin(tokenizer)
    run.save_imported(*init_variables(model, config, jax.random.key(1)), {"source": "nowhere"})
    run.close()
    export(run.path, tmp_path / "bytes", beams=4)
    exported = load(tmp_path / "bytes")
    assert same(exported, Captioner.load(run.path), of_sizes(5), beams=4, num=4)
    assert any("\N{REPLACEMENT CHARACTER}" in text for text in exported(of_sizes(5)))


@pytest.mark.parametrize(
    ("image", "message"),
    [
        (np.zeros((4, 4, 3), np.float32), r"float32 \[4, 4, 3\]; expected uint8"),
        (np.zeros((4, 4), np.uint8), r"uint8 \[4, 4\]; expected"),
        (np.zeros((4, 4, 4), np.uint8), r"uint8 \[4, 4, 4\]; expected"),
        (np.zeros((0, 4, 3), np.uint8), "has no pixels"),
        ("photo.jpg", r"An image is str \[\]; expected uint8"),
    ],
    ids=["floats", "grey", "transparent", "empty", "a path"],
)
def test_what_is_no_photograph_is_refused(exported, image, message):
    with pytest.raises(UserError, match=message):
        exported([image])
