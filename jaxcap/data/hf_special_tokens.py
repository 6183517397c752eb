"""Special tokens in the Hugging Face layout: which ids fill, begin and end a row in a folder."""

import json
from itertools import product
from pathlib import Path
from typing import Any

from jaxcap.errors import UserError

# Which of the layout's names play a role here; the first that a folder gives a token.
ROLES = {
    "pad": ("pad_token",),
    "bos": ("bos_token", "cls_token"),
    "eos": ("eos_token", "sep_token"),
    "unk": ("unk_token",),
}
TOKEN_FILES = ("tokenizer_config.json", "special_tokens_map.json")  # name: token
ID_FILES = ("config.json", "generation_config.json")  # name_id: id
# What a folder means that says nothing: bos and eos together, the others each for itself.
USUAL_PAIRS = (
    ("[CLS]", "[SEP]"),
    ("<s>", "</s>"),
    ("<bos>", "<eos>"),
    ("<|endoftext|>", "<|endoftext|>"),
)
USUAL = {"pad": ("[PAD]", "<pad>"), "unk": ("[UNK]", "<unk>")}


def special_ids(folder: Path, vocab: dict[str, int]) -> dict[str, int]:
    """The ids of pad, bos, eos and unk, as the folder's files say or as the vocabulary suggests.

    A folder without pad or bos has eos in its place, and one without unk has -1: no word is
    unknown. So has one whose unk is its eos, as GPT-2's, whose bytes spell every word.

    Raises:
      UserError: a file is damaged or says what is not in the vocabulary, or nothing is eos.
    """
    said = {file: read_object(folder / file) for file in (*TOKEN_FILES, *ID_FILES)}
    found = {role: _said(folder, said, role, vocab) for role in ROLES}
    ids = {role: id for role, id in found.items() if id is not None}
    ids = _guessed(vocab, ids) | ids
    if "eos" not in ids:
        raise UserError(
            f"The tokenizer in {folder} has no token for eos: looked for "
            f"{' or '.join(ROLES['eos'])} in {' and '.join(TOKEN_FILES)}, for the same with _id in "
            f"{' and '.join(ID_FILES)}, and in the vocabulary for "
            f"{' or '.join(eos for _, eos in USUAL_PAIRS)}, each with its bos. Name it in "
            'tokenizer_config.json, such as {"eos_token": "</s>"}.'
        )
    eos, unk = ids["eos"], ids.get("unk", -1)
    return {
        "pad": ids.get("pad", eos),
        "bos": ids.get("bos", eos),
        "eos": eos,
        "unk": -1 if unk == eos else unk,
    }


def read_object(file: Path) -> dict[str, Any]:
    """The object in a JSON file; empty where there is no such file.

    Raises:
      UserError: the file cannot be read, or holds something else.
    """
    if not file.exists():
        return {}
    try:
        content = json.loads(file.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError) as error:
        raise UserError(
            f"{file} cannot be read as JSON: {error}. Restore it from where it came."
        ) from error
    if not isinstance(content, dict):
        raise UserError(
            f"{file} holds a JSON {type(content).__name__}; expected an object. Restore it from "
            "where it came."
        )
    return content


def _said(
    folder: Path, said: dict[str, dict[str, Any]], role: str, vocab: dict[str, int]
) -> int | None:
    """The id that the folder's files give a role: tokens come before ids."""
    ids = {id: id for id in vocab.values()}
    by_token = ((file, name) for name, file in product(ROLES[role], TOKEN_FILES))
    by_id = ((file, f"{name}_id") for name, file in product(ROLES[role], ID_FILES))
    for file, key in (*by_token, *by_id):
        value = said[file].get(key)
        if isinstance(value, dict):
            value = value.get("content", value)
        if isinstance(value, list) and value:
            value = value[0]  # a model may end at any of several
        if value is None or value == -1:
            continue
        kind = str if file in TOKEN_FILES else int
        known: dict[Any, int] = vocab if kind is str else ids
        if type(value) is kind and value in known:
            return known[value]
        if type(value) is not kind or role != "unk":  # bytes often lack the unk that is named
            raise UserError(
                f"{folder / file} says {key} = {value!r}, and the tokenizer beside it has no such "
                "token. Correct it there, or remove it."
            )
    return None


def _guessed(vocab: dict[str, int], ids: dict[str, int]) -> dict[str, int]:
    """The usual tokens that the vocabulary has and that agree with the ids already known."""
    guess = {
        role: vocab[token]
        for role, tokens in USUAL.items()
        for token in reversed(tokens)
        if token in vocab
    }
    for bos, eos in USUAL_PAIRS:
        if bos in vocab and eos in vocab:
            pair = {"bos": vocab[bos], "eos": vocab[eos]}
            if pair | ids == ids | pair:
                return guess | pair
    return guess
