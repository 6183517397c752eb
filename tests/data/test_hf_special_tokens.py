"""Special tokens of a folder: who is asked first, what is guessed, and what is refused."""

import json

import pytest

from jaxcap.data.hf_special_tokens import read_object, special_ids
from jaxcap.errors import UserError

WORDS = ("a", "dog")


def vocab(*special):
    return {token: id for id, token in enumerate((*WORDS, *special))}


def write(folder, **files):
    for stem, content in files.items():
        (folder / f"{stem}.json").write_text(json.dumps(content))


@pytest.mark.parametrize(
    ("special", "expected"),
    [
        (("[PAD]", "[UNK]", "[CLS]", "[SEP]"), {"pad": 2, "bos": 4, "eos": 5, "unk": 3}),
        (("<s>", "<pad>", "</s>", "<unk>"), {"pad": 3, "bos": 2, "eos": 4, "unk": 5}),
        (("<pad>", "<bos>", "<eos>", "<unk>"), {"pad": 2, "bos": 3, "eos": 4, "unk": 5}),
        (("<|endoftext|>",), {"pad": 2, "bos": 2, "eos": 2, "unk": -1}),
        (("<|endoftext|>", "[PAD]"), {"pad": 3, "bos": 2, "eos": 2, "unk": -1}),
        (("<s>", "[CLS]", "</s>"), {"pad": 4, "bos": 2, "eos": 4, "unk": -1}),  # only one pair
    ],
)
def test_a_folder_that_says_nothing_means_the_usual_tokens(special, expected, tmp_path):
    assert special_ids(tmp_path, vocab(*special)) == expected


def test_names_come_before_ids_and_ids_before_guesses(tmp_path):
    tokens = vocab("<s>", "</s>", "<pad>", "<unk>", "<start>", "<end>", "<fill>", "<what>")
    guesses = {"pad": 4, "bos": 2, "eos": 3, "unk": 5}
    assert special_ids(tmp_path, tokens) == guesses
    write(tmp_path, generation_config={"bos_token_id": 9, "eos_token_id": 9, "pad_token_id": 9})
    assert special_ids(tmp_path, tokens) == guesses | {"bos": 9, "eos": 9, "pad": 9}
    write(tmp_path, config={"bos_token_id": 6, "eos_token_id": 7, "pad_token_id": 8})
    assert special_ids(tmp_path, tokens) == guesses | {"bos": 6, "eos": 7, "pad": 8}
    write(tmp_path, special_tokens_map={"eos_token": "<what>", "bos_token": "<what>"})
    assert special_ids(tmp_path, tokens) == guesses | {"bos": 9, "eos": 9, "pad": 8}
    write(tmp_path, tokenizer_config={"eos_token": {"content": "</s>"}, "bos_token": None})
    assert special_ids(tmp_path, tokens) == guesses | {"bos": 9, "eos": 3, "pad": 8}


def test_the_first_of_several_ends_and_what_means_none(tmp_path):
    write(tmp_path, generation_config={"eos_token_id": [3, 2], "pad_token_id": -1})
    assert special_ids(tmp_path, vocab("<x>", "<y>")) == {"pad": 3, "bos": 3, "eos": 3, "unk": -1}


def test_a_guess_agrees_with_what_is_said(tmp_path):
    tokens = vocab("[CLS]", "[SEP]", "<s>", "</s>")
    write(tmp_path, tokenizer_config={"eos_token": "</s>"})
    assert special_ids(tmp_path, tokens)["bos"] == tokens["<s>"]
    write(tmp_path, tokenizer_config={"bos_token": "<s>"})
    assert special_ids(tmp_path, tokens)["eos"] == tokens["</s>"]
    write(tmp_path, tokenizer_config={"eos_token": "dog"})
    assert special_ids(tmp_path, tokens)["bos"] == tokens["dog"]


def test_cls_and_sep_begin_and_end(tmp_path):
    write(tmp_path, tokenizer_config={"cls_token": "<b>", "sep_token": "<e>"})
    assert special_ids(tmp_path, vocab("<b>", "<e>")) == {"pad": 3, "bos": 2, "eos": 3, "unk": -1}


@pytest.mark.parametrize("unk", ["<eos>", "<absent>"])
def test_bytes_know_every_word(unk, tmp_path):
    write(tmp_path, tokenizer_config={"eos_token": "<eos>", "unk_token": unk})
    assert special_ids(tmp_path, vocab("<eos>"))["unk"] == -1


def test_without_eos_it_is_said_what_was_looked_for(tmp_path):
    write(tmp_path, tokenizer_config={"pad_token": "<s>"})
    with pytest.raises(UserError, match="no token for eos") as caught:
        special_ids(tmp_path, vocab("<s>", "<eos>"))
    said = "tokenizer_config.json special_tokens_map.json config.json generation_config.json"
    for name in (*said.split(), "eos_token", "[SEP]", "</s>", "<eos>", "<|endoftext|>"):
        assert name in str(caught.value)


@pytest.mark.parametrize(
    ("stem", "key", "value"),
    [
        ("tokenizer_config", "eos_token", "<absent>"),
        ("special_tokens_map", "eos_token", {"token": "<eos>"}),
        ("tokenizer_config", "unk_token", 3),
        ("config", "eos_token_id", 4),
        ("config", "pad_token_id", "2"),
        ("config", "bos_token_id", True),
        ("generation_config", "eos_token_id", []),
    ],
)
def test_a_file_that_names_what_is_not_there_is_told(stem, key, value, tmp_path):
    write(tmp_path, **{stem: {key: value}})
    with pytest.raises(UserError) as caught:
        special_ids(tmp_path, vocab("<bos>", "<eos>"))
    assert f"{tmp_path / stem}.json says {key} = " in str(caught.value)


@pytest.mark.parametrize("content", [b"", b'{"eos_token": "</', b"\xff\xfe", b"[1]", b'"</s>"'])
@pytest.mark.parametrize(
    "name",
    ["tokenizer_config.json", "special_tokens_map.json", "config.json", "generation_config.json"],
)
def test_a_damaged_file_is_told_by_its_name(name, content, tmp_path):
    (tmp_path / name).write_bytes(content)
    with pytest.raises(UserError, match="Restore it") as caught:
        special_ids(tmp_path, vocab("<bos>", "<eos>"))
    assert str(tmp_path / name) in str(caught.value)


def test_an_object_is_read_with_or_without_a_byte_order_mark(tmp_path):
    assert read_object(tmp_path / "a.json") == {}
    for mark in (b"", b"\xef\xbb\xbf"):
        (tmp_path / "a.json").write_bytes(mark + '{"a": "犬"}'.encode())
        assert read_object(tmp_path / "a.json") == {"a": "犬"}
