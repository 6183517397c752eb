"""A source that cannot become a run is refused in a sentence, and nothing is written."""

import io
import json
import os
import pickle
import shutil
import zipfile

import numpy as np
import pytest
from published import publish

from jaxcap.errors import UserError
from jaxcap.interop import convert as converting
from jaxcap.interop.convert import convert
from jaxcap.interop.weight_files import read_weights, write_weights
from jaxcap.run import Run


@pytest.fixture(scope="module")
def intact(tmp_path_factory):
    """By name: a source that is as it should be; not to be written to."""
    folder = tmp_path_factory.mktemp("intact")
    for name in ("vit+gpt2", "dinov2+gpt2", "vit+roberta", "blip"):
        publish(name, folder / name)
    return folder


@pytest.fixture
def source(intact, tmp_path):
    shutil.copytree(intact / "vit+gpt2", tmp_path / "source")
    return tmp_path / "source"


def say(folder, file, **changes):
    """Change fields of a JSON file; `decoder__n_head` is one within the decoder's."""
    content = json.loads((folder / file).read_text())
    for path, value in changes.items():
        *outer, name = path.split("__")
        fields = content
        for each in outer:
            fields = fields[each]
        fields[name] = value
    (folder / file).write_text(json.dumps(content))


def refused(source, message):
    """Refused in one line, and all that there was before is all that there is."""
    place = source.parent / "new" / "run"
    before = sorted(source.parent.rglob("*"))
    with pytest.raises(UserError, match=message) as told:
        convert(source, place)
    assert "\n" not in str(told.value)
    assert sorted(source.parent.rglob("*")) == before


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("config.json", "holds no network in the Hugging Face layout: looked for config.json"),
        ("model.safetensors", "There are no weights in .*source"),
        ("tokenizer.json", "holds no tokenizer in the Hugging Face layout"),
        ("preprocessor_config.json", "does not say how it takes photographs"),
    ],
)
def test_a_file_that_is_missing(file, message, source):
    (source / file).unlink()
    refused(source, message)


@pytest.mark.parametrize(
    "file",
    ["config.json", "generation_config.json", "preprocessor_config.json", "tokenizer_config.json"],
)
def test_a_file_that_is_damaged(file, source):
    text = (source / file).read_text()
    (source / file).write_text(text[: len(text) // 2])
    refused(source, rf"{file} cannot be read as JSON")
    (source / file).write_text("[1]")
    refused(source, rf"{file} holds a JSON list; expected an object")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"model_type": "florence"}, r"no.* of a network that Transformers knows .*'florence'"),
        ({"model_type": None}, r"no.* of a network that Transformers knows .*None"),
        ({"model_type": "bert"}, "of the type 'bert', which is not known here as a captioner; kn"),
        (
            {"encoder__model_type": "vit_mae"},
            "the type 'vit_mae', which is not known here as an enc",
        ),
        ({"decoder__model_type": "opt"}, "the type 'opt', which is not known here as a decoder"),
        ({"encoder__hidden_act": "gelu_10"}, "the activation 'gelu_10' is not known here, only"),
        ({"decoder__activation_function": "tanh"}, "the activation 'tanh' is not known here"),
        (
            {"decoder__scale_attn_by_inverse_layer_idx": True},
            "gpt2 with scale_attn_by_inverse_layer_idx = True cannot be read; only False is known",
        ),
        ({"encoder__image_size": [32, 48]}, r"says image_size = \[32, 48\]; expected .* same"),
        ({"encoder__patch_size": 0}, "says patch_size = 0; expected a number above 0"),
        ({"encoder__patch_size": 9}, r"shape \[1, 17, 32\]; expected \[1, 10, 32\], for positions"),
        ({"encoder__image_size": 48}, r"position_embeddings' has shape \[1, 17, 32\]; expected"),
        ({"encoder__hidden_size": 0}, "a vit with hidden_size = 0 cannot be read"),
        ({"encoder__hidden_size": 40}, r"cls_token' has shape \[1, 1, 32\]; expected \[1, 1, 40\]"),
        ({"decoder__n_head": -1}, "a gpt2 with n_head = -1 cannot be read"),
        ({"decoder__n_head": 5}, "A width of 32 cannot be shared out over 5 heads"),
        ({"decoder__n_layer": "two"}, "is not of a network that Transformers knows .*n_layer"),
        ({"decoder__n_layer": 3}, "has no tensor 'transformer.h.2.*', for layers_2/"),
        ({"decoder__n_layer": 1}, r"no place here for the tensor 'transformer.h.1"),
        ({"decoder__vocab_size": 44}, r"wte.weight' has shape \[40, 32\]; expected \[44, 32\]"),
        ({"decoder__vocab_size": 39}, "has 40 words, and the decoder only 39"),
        ({"decoder__tie_word_embeddings": False}, "has no tensor 'lm_head.weight'"),
    ],
)
def test_a_config_of_another_network(changes, message, source):
    say(source, "config.json", **changes)
    refused(source, message)


@pytest.mark.parametrize(
    ("name", "changes", "message"),
    [
        ("dinov2+gpt2", {"encoder__use_swiglu_ffn": True}, "dinov2 with use_swiglu_ffn = True"),
        ("vit+roberta", {"decoder__pad_token_id": None}, "from pad_token_id, and config.json says"),
        ("blip", {"text_config__hidden_act": "tanh"}, "the activation 'tanh' is not known here"),
        ("blip", {"text_config__bos_token_id": 40}, "has 40 for its bos; expected .* 0 to 39"),
    ],
)
def test_a_config_of_another_network_of_other_families(name, changes, message, intact, tmp_path):
    shutil.copytree(intact / name, tmp_path / "source")
    say(tmp_path / "source", "config.json", **changes)
    refused(tmp_path / "source", message)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"num_beams": 0}, "no such search as .*search.beams is 0; expected at least 1"),
        ({"num_beams": "three"}, "says num_beams = 'three'; expected a whole number"),
        ({"num_beams": 2.5}, "says num_beams = 2.5; expected a whole number"),
        ({"length_penalty": "long"}, "says length_penalty = 'long'; expected a number"),
        ({"do_sample": "yes"}, "says do_sample = 'yes'; expected true or false"),
        ({"do_sample": True}, "says do_sample with num_beams = 3"),
        ({"max_length": 1}, "search.max_len is 0; expected at least 1"),
        ({"min_length": 12}, r"search.min_len is 11; expected from 0 to max_len \(8\)"),
        ({"typical_p": 0.5}, "says typical_p = 0.5; the search here has nothing like it"),
        ({"force_words_ids": [[[5]]]}, r"says force_words_ids = \[\[\[5\]\]\]; the search here"),
        (
            {"bad_words_ids": [[-1]]},
            r"search.bad_words is \(\(-1,\),\); expected a tuple of tuples",
        ),
        ({"suppress_tokens": [41]}, r"search.suppress is \(41,\); expected ids .*0 to 39"),
        ({"decoder_start_token_id": 40}, "has 40 for its bos; expected .* 0 to 39. Correct bos"),
        ({"eos_token_id": [39, 5]}, r"has \[39, 5\] for its eos; expected one of"),
        ({"pad_token_id": "x"}, "has 'x' for its pad|says pad_token_id = 'x'"),
    ],
)
def test_a_search_that_there_is_not(changes, message, source):
    say(source, "generation_config.json", **changes)
    refused(source, message)


def reshape(tensors):
    tensors["encoder.layernorm.weight"] = np.ones(33, np.float32)


def lose(tensors):
    del tensors["decoder.transformer.h.0.crossattention.c_attn.weight"]
    del tensors["encoder.layernorm.bias"]


def add(tensors):
    tensors["decoder.transformer.h.0.attn.rotary"] = np.ones((2, 3), np.float32)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            reshape,
            r"The encoder of .*: the tensor 'layernorm.weight' has shape \[33\]; expected \[",
        ),
        (
            lose,
            r"The encoder of .* has no tensor 'layernorm.bias', for norm_last/bias \(32,\) here",
        ),
        (add, r"no place here for the tensor 'transformer.h.0.attn.rotary' \[2, 3\]"),
    ],
)
def test_tensors_that_do_not_fit(change, message, source):
    tensors = dict(read_weights(source))
    change(tensors)
    write_weights(source, tensors)
    refused(source, message)


def test_weights_that_were_cut_short(source):
    file = source / "model.safetensors"
    whole = file.read_bytes()
    for end in (0, 7, 1000, len(whole) - 1):
        file.write_bytes(whole[:end])
        refused(source, "is not a file of safetensors, or it is damaged")


def test_a_pickle_that_asks_for_more_than_tensors(source):
    index = io.BytesIO()
    pickle.dump({"w": os.getcwd}, index, protocol=2)
    with zipfile.ZipFile(source / "pytorch_model.bin", "w") as archive:
        archive.writestr("model/data.pkl", index.getvalue())
    (source / "model.safetensors").unlink()
    refused(source, r"asks for the Python object posix\.getcwd")


def test_a_place_that_is_taken(source, tmp_path):
    (tmp_path / "taken").mkdir()
    (tmp_path / "taken" / "notes.txt").write_text("mine")
    for place in ("taken", "taken/notes.txt"):
        with pytest.raises(UserError, match="name a new directory"):
            convert(source, tmp_path / place)
    with pytest.raises(UserError, match=r"cannot be made: .*notes.txt is no directory"):
        convert(source, tmp_path / "taken/notes.txt/deep/run")
    assert (tmp_path / "taken" / "notes.txt").read_text() == "mine"


def test_a_place_that_cannot_be_made(source, monkeypatch):
    def fail(**_):
        raise PermissionError("not yours")

    monkeypatch.setattr("tempfile.TemporaryDirectory", fail)
    with pytest.raises(UserError, match="run cannot be made: not yours"):
        convert(source, source.parent / "run")


def test_a_run_is_no_source(source, tmp_path):
    convert(source, tmp_path / "run")
    refused(tmp_path / "run", "is a run directory, and not in .* init_from at the top")


def test_the_directory_that_one_stands_in(source, tmp_path, monkeypatch):
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    convert(source, ".")
    assert Run(tmp_path / "here").origin(0) == {"source": "source", "license": ""}


def test_what_is_kept_of_a_source_are_its_settings(source, tmp_path):
    for name in ("rust_model.ot", "report.json", "model.onnx_data", ".secret.json", "merges.txt"):
        (source / name).write_text("{}")
    convert(source, tmp_path / "run")
    kept = {file.name for file in (tmp_path / "run" / "origin").iterdir()}
    published = {file.name for file in source.glob("*.json")} | {"merges.txt"}
    assert kept == (published - {".secret.json"}) | {"jaxcap_import.json"}


@pytest.mark.parametrize("error", [KeyboardInterrupt, OSError])
@pytest.mark.parametrize("at", ["save_imported", "wait", "begin", "close", "keep"])
def test_a_failure_in_the_middle_leaves_nothing(at, error, source, monkeypatch):
    def fail(*_):
        raise error("stopped")

    monkeypatch.setattr(converting if at == "keep" else Run, at, fail)
    before = sorted(source.parent.rglob("*"))
    for place in (source.parent / "run", source.parent / "empty"):
        with pytest.raises(error, match="stopped"):
            convert(source, place)
        assert sorted(source.parent.rglob("*")) == before
