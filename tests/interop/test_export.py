"""`jaxcap convert RUN --to hf OUT`: what came in goes out bit for bit, and the other way round."""

import json
import shutil
from functools import cache
from itertools import cycle

import ml_dtypes
import numpy as np
import pytest
from published import MADE, made, publish
from sources import NAMES

from jaxcap import Captioner
from jaxcap.config import base
from jaxcap.data.frame import Frame
from jaxcap.decode import Search
from jaxcap.interop.convert import convert
from jaxcap.interop.export import export
from jaxcap.interop.model_card import in_transformers, model_card
from jaxcap.interop.weight_files import read_weights, write_weights
from jaxcap.run import Run
from jaxcap.state import flat

CARD = "README.md"
WORDS, HEAD = "decoder.bert.embeddings.word_embeddings.weight", "cls.predictions."
COPIES = {  # in old files: name, of which tensor
    "vit+gpt2": {"decoder.lm_head.weight": "decoder.transformer.wte.weight"},
    "vit+bert": {
        f"decoder.{HEAD}decoder.weight": WORDS,
        f"decoder.{HEAD}decoder.bias": f"decoder.{HEAD}bias",
    },
    "blip": {f"text_decoder.{HEAD}decoder.bias": f"text_decoder.{HEAD}bias"},
}
UNUSED = {
    "vit+gpt2": ["encoder.pooler.dense.weight", "decoder.transformer.h.1.attn.masked_bias"],
    "vit+bert": ["decoder.bert.pooler.dense.bias"],
}
OLD = {"LayerNorm.weight": "LayerNorm.gamma", "LayerNorm.bias": "LayerNorm.beta"}
KINDS = (np.float16, ml_dtypes.bfloat16, np.float32)


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """By name: a run that was made here; not to be written to."""

    @cache
    def make(name):
        return made(name, tmp_path_factory.mktemp("made") / "run").path

    return make


def settings(folder):
    """The files but for those of weights, by name."""
    return {f.name: f.read_bytes() for f in folder.iterdir() if not f.name.startswith("model")}


def there_and_back(folder):
    convert(folder / "source", folder / "run")
    export(folder / "run", folder / "out")
    return folder / "out"


@pytest.mark.parametrize(("name", "kind"), [*zip(NAMES, cycle(KINDS), strict=False)])
def test_an_import_gives_its_source_back(name, kind, tmp_path):
    """Of any type, in shards, with copies and old names and what captioning has no use for."""
    publish(name, tmp_path / "source")
    tensors = dict(read_weights(tmp_path / "source"))
    tensors |= {copy: tensors[of] for copy, of in COPIES.get(name, {}).items()}
    tensors |= {unused: np.ones(3) for unused in UNUSED.get(name, ())}
    for new, old in OLD.items() if name in ("vit+bert", "blip") else ():
        tensors = {tensor.replace(new, old): array for tensor, array in tensors.items()}
    tensors = {tensor: array.astype(kind) for tensor, array in tensors.items()}
    write_weights(tmp_path / "source", tensors, max_shard_size=50_000)
    out = there_and_back(tmp_path)
    back, said = read_weights(out), settings(out)
    assert sorted(back) == sorted(tensors)
    for tensor, array in tensors.items():
        np.testing.assert_array_equal(back[tensor], array, strict=True)
    assert "converted from source, as they were" in said.pop(CARD).decode()
    assert said == settings(tmp_path / "source")


@pytest.mark.parametrize("name", MADE)
def test_what_was_made_here_comes_back(name, runs, tmp_path):
    export(runs(name), tmp_path / "source")
    again = settings(there_and_back(tmp_path))
    assert {**settings(tmp_path / "source"), CARD: again[CARD]} == again
    before, after = (Captioner.load(run) for run in (runs(name), tmp_path / "run"))
    given, found = (flat(each.variables["params"]) for each in (before, after))
    assert given.keys() == found.keys()
    for path, leaf in given.items():
        np.testing.assert_array_equal(found[path], leaf, err_msg=path)
    assert Frame.of(after.config.data) == Frame.of(before.config.data)
    assert after.tokenizer.roles == before.tokenizer.roles
    asked, found = ({**each.config.search.to_dict()} for each in (before, after))
    assert Search.of(**found) == Search.of(**{"suppress": before.tokenizer.banned, **asked})
    for side in ("mean", "std"):
        seen = [getattr(each.model.encoder, side) for each in (before, after)]
        np.testing.assert_allclose(*seen, rtol=1e-12)


@pytest.mark.parametrize(
    ("kind", "side", "also"),
    [("vit", 32, False), ("vit", 48, True), ("beit", 48, True), ("dinov2", 48, False)],
)
def test_the_card_says_how_to_show_another_resolution(kind, side, also, tmp_path):
    """To those that must be told; that the code captions is tested beside Transformers."""
    config = base()
    config.data.source, config.data.image_size = "shapes", side
    config.model.encoder = {"name": "vit", "grid": 4, "patch": 8}
    written = {"model_type": "vision-encoder-decoder", "encoder": {"model_type": kind}}
    card = model_card(Run(tmp_path), config, 1, in_transformers(config, written))
    assert ("interpolate_pos_encoding=True" in card) == also


def test_the_card_tells_what_it_is_and_how_it_was_made_and_scored(runs, tmp_path):
    run = tmp_path / "run"
    shutil.copytree(runs("vit+bert"), run)
    scores = {"scores": {"CIDEr": 0.12345}, "signature": "data:x|step:1|seed:0"}
    (run / "scores.json").write_text(json.dumps(scores))
    export(run, tmp_path / "out")
    card = (tmp_path / "out" / CARD).read_text()
    for line in (
        "pipeline_tag: image-to-text",
        "| Encoder | vit, width 32, depth 1, heads 2, patch 8 |",
        "| Decoder | transformer, width 48, depth 1, heads 2 |",
        "| Shown | 32 x 32 pixels, short, bilinear |",
        "| Data | shapes:size=32,train=40,val=4, split train |",
        "| Steps | 1 of 1, 8 images each |",
        "| CIDEr | 0.1235 |",
        "Protocol: `data:x|step:1|seed:0`",
    ):
        assert line in card.splitlines()
    (run / "scores.json").write_text(json.dumps({**scores, "signature": "data:x|step:11|seed:0"}))
    export(run, tmp_path / "later")
    assert "Scores" not in (tmp_path / "later" / CARD).read_text()
