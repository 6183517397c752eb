"""Folders in the Hugging Face layout: each kind of vocabulary, and folders that are damaged."""

import json

import pytest
from tokenizers import Tokenizer as Backend
from tokenizers import models
from transformers import BertTokenizer

from jaxcap.data.hf_tokenizer import read_folder
from jaxcap.errors import UserError

SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]")
PIECES = (*SPECIAL, "a", "dog", "run", "##s", ".", "elan")
CASED = (*SPECIAL, "a", "A", "dog", "Dog", "run", "##s", ".", "É", "##lan")
TEXTS = ("A Dog runs.", "Élan Zebra", "a  dog\truns")
LETTERS = "abcdefgh"
MERGES = [f"{LETTERS[:i]} {LETTERS[i]}" for i in range(1, len(LETTERS))]


@pytest.fixture
def byte_pairs(tmp_path):
    tokens = (*LETTERS, *(merge.replace(" ", "") for merge in MERGES), "<|endoftext|>")
    (tmp_path / "vocab.json").write_text(json.dumps({token: i for i, token in enumerate(tokens)}))
    (tmp_path / "merges.txt").write_text("\n".join(["#version: 0.2", *MERGES, ""]))
    return tmp_path


@pytest.fixture
def pieces(tmp_path):
    (tmp_path / "vocab.txt").write_text("\n".join(PIECES))
    return tmp_path


def refused(folder, *said):
    with pytest.raises(UserError) as caught:
        read_folder(folder)
    for text in said:
        assert str(text) in str(caught.value)
    return caught.value


@pytest.mark.parametrize("cased", [False, True])
def test_a_vocabulary_of_bert_alone_is_read_as_bert_reads_it(cased, tmp_path):
    tokens = CASED if cased else PIECES
    (tmp_path / "vocab.txt").write_text("\n".join(tokens), encoding="utf-8")
    found, roles = read_folder(tmp_path)
    assert roles == {"pad": 0, "unk": 1, "bos": 2, "eos": 3}
    bert = BertTokenizer.from_pretrained(tmp_path, do_lower_case=not cased)
    for text in TEXTS:
        ids = found.encode(text, add_special_tokens=False).ids
        assert ids == bert.encode(text, add_special_tokens=False)
        assert found.decode(ids) == bert.decode(ids, skip_special_tokens=True)


def test_a_few_capitals_do_not_make_a_vocabulary_cased(tmp_path):
    lower = [f"word{i}" for i in range(200)]
    (tmp_path / "vocab.txt").write_text("\n".join([*PIECES, *lower, "T"]))
    assert read_folder(tmp_path)[0].encode("DOG").tokens == ["dog"]


def test_the_settings_decide_the_case(pieces):
    settings = pieces / "tokenizer_config.json"
    settings.write_text('{"do_lower_case": false, "eos_token": "."}')
    found, roles = read_folder(pieces)
    assert found.encode("Dog dog").tokens == ["[UNK]", "dog"]
    assert roles["eos"] == PIECES.index(".")
    settings.write_text('{"do_lower_case": "no"}')
    refused(pieces, settings, "'no'", "true or false")


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("tokenizer_config.json", {"tokenizer_class": "BertTokenizer"}),
        ("config.json", {"model_type": "bert", "pad_token_id": 4}),
    ],
)
def test_a_class_that_is_named_reads_its_own_files(name, content, pieces):
    (pieces / name).write_text(json.dumps(content))
    found, roles = read_folder(pieces)
    assert found.encode("dogs", add_special_tokens=False).tokens == ["dog", "##s"]
    assert found.post_processor is not None  # the class's; it is not one of a bare vocabulary
    assert roles == {"pad": content.get("pad_token_id", 0), "unk": 1, "bos": 2, "eos": 3}


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"a\ndog\nrun"])
def test_a_list_that_is_no_vocabulary_of_bert_is_refused(content, tmp_path):
    (tmp_path / "vocab.txt").write_bytes(content)
    refused(tmp_path, tmp_path / "vocab.txt")


def test_byte_pairs_are_merged_in_order(byte_pairs):
    found, roles = read_folder(byte_pairs)
    assert found.encode("abcdhabc").tokens == ["abcd", "h", "abc"]
    assert roles == {"pad": 15, "bos": 15, "eos": 15, "unk": -1}


@pytest.mark.parametrize(
    "content", [b"", b"{", b'{"a": 0, "b', b"[]", b"{}", b"\xff", b'{"a": "b"}', b'{"a": -1}']
)
def test_a_damaged_vocabulary_is_told_by_its_name(content, byte_pairs):
    (byte_pairs / "vocab.json").write_bytes(content)
    refused(byte_pairs, byte_pairs / "vocab.json", "Restore it")


def test_merges_cut_anywhere_are_refused(byte_pairs):
    """Also after a whole line, where what is left reads well."""
    whole = (byte_pairs / "merges.txt").read_bytes()
    for cut in range(len(whole) - 1):
        (byte_pairs / "merges.txt").write_bytes(whole[:cut])
        refused(byte_pairs, byte_pairs / "merges.txt", "Restore both")


@pytest.mark.parametrize("content", [b"\xff", b"a b c\n", b"a z\n", b'{"a": "b"}'])
def test_merges_of_something_else_are_refused(content, byte_pairs):
    (byte_pairs / "merges.txt").write_bytes(content)
    refused(byte_pairs, byte_pairs / "merges.txt", "Restore both")


def test_a_tokenizer_file_cut_anywhere_is_refused(tmp_path):
    file = tmp_path / "tokenizer.json"
    Backend(models.WordLevel({"<s>": 0, "</s>": 1}, unk_token="<s>")).save(str(file))
    whole = file.read_bytes().rstrip()
    for cut in range(len(whole)):
        file.write_bytes(whole[:cut])
        refused(tmp_path, file, "Restore it")


@pytest.mark.parametrize("content", [b"[]", b"null", b"{}", b'{"model": 5}', b"\xff"])
def test_a_tokenizer_file_of_something_else_is_refused(content, tmp_path):
    (tmp_path / "tokenizer.json").write_bytes(content)
    refused(tmp_path, tmp_path / "tokenizer.json", "Restore it")


@pytest.mark.parametrize("name", ["tokenizer_config.json", "config.json"])
@pytest.mark.parametrize("content", ["", '{"eos_token": ', "[1]"])
def test_damaged_settings_are_told_before_anything_is_made_of_them(name, content, pieces):
    (pieces / name).write_text(content)
    refused(pieces, pieces / name, "Restore it")


def test_the_cause_of_a_failed_conversion_is_told(pieces, monkeypatch):
    (pieces / "tokenizer_config.json").write_text('{"tokenizer_class": "BertTokenizer"}')
    cause = ImportError("wordpieces need\n  a package")

    def fail(*args, **kwargs):
        raise cause

    monkeypatch.setattr("transformers.AutoTokenizer.from_pretrained", fail)
    error = refused(pieces, pieces, "wordpieces need a package", "found tokenizer_config.json")
    assert error.__cause__ is cause


def test_a_folder_without_a_tokenizer_says_what_was_looked_for(tmp_path):
    (tmp_path / "notes.md").touch()
    looked_for = ("tokenizer.json", "vocab.json", "merges.txt", "vocab.txt")
    assert refused(tmp_path, tmp_path, *looked_for, "found notes.md").__cause__
    refused(tmp_path / "absent", *looked_for, "found nothing")
