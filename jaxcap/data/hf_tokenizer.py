"""Tokenizers in the Hugging Face layout: the model, and the ids of its special tokens."""

import json
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Backend

from jaxcap.errors import UserError

# Which of the layout's named tokens plays a role here; the first that the tokenizer has.
ROLES = {
    "pad": ("pad_token", "eos_token", "sep_token"),
    "bos": ("bos_token", "cls_token"),
    "eos": ("eos_token", "sep_token"),
    "unk": ("unk_token",),
}
GPT2 = "<|endoftext|>"  # plays every role in a folder that names none


def read_folder(folder: Path) -> tuple[Backend, dict[str, int]]:
    """The tokenizer of a directory, and the ids of pad, bos, eos and unk (-1: nothing is unknown).

    Raises:
      UserError: there is no tokenizer, it is damaged, or it names no token for a role.
    """
    if (folder / "tokenizer.json").is_file():
        backend = read_file(folder / "tokenizer.json")
    elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        files = str(folder / "vocab.json"), str(folder / "merges.txt")
        backend = Backend(models.BPE.from_file(*files))
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
    else:
        backend = _converted(folder)
    named = _named_tokens(folder)
    roles, tokens = {}, []
    for role, names in ROLES.items():
        token = next((named[name] for name in names if name in named), GPT2)
        id = backend.token_to_id(token)
        if role == "unk" and (id is None or token == GPT2):
            roles[role] = -1
            continue
        if id is None:
            raise UserError(
                f"The tokenizer in {folder} has no token for {role}: looked for {names} in its "
                f"tokenizer_config.json, and for {GPT2}."
            )
        roles[role] = id
        tokens.append(AddedToken(token, special=True))
    backend.add_special_tokens(tokens)
    return backend, roles


def read_file(file: Path) -> Backend:
    """The model in a tokenizer.json.

    Raises:
      UserError: the file is damaged.
    """
    try:
        return Backend.from_file(str(file))
    except Exception as error:  # the library raises the bare class
        raise UserError(f"{file} is damaged: {error}. Restore it from where it came.") from error


def listing(folder: Path) -> str:
    """What a folder holds, for a message."""
    return ", ".join(sorted(entry.name for entry in folder.glob("*"))[:8]) or "nothing"


def _converted(folder: Path) -> Backend:
    """The tokenizer of an older layout (vocab.txt, say), as transformers reads it."""
    if folder.is_dir():
        from transformers import AutoTokenizer  # slow to import, and rarely needed

        try:
            return AutoTokenizer.from_pretrained(folder, local_files_only=True).backend_tokenizer
        except Exception:  # whatever the library makes of a folder that holds none
            pass
    raise UserError(
        f"{folder} holds no tokenizer in the Hugging Face layout: looked for tokenizer.json, or "
        f"vocab.json and merges.txt, or vocab.txt; found {listing(folder)}."
    )


def _named_tokens(folder: Path) -> dict[str, str]:
    named: dict[str, str] = {}
    for file in (folder / "tokenizer_config.json", folder / "special_tokens_map.json"):
        if file.is_file():
            settings: dict[str, Any] = json.loads(file.read_text(encoding="utf-8"))
            for name, value in settings.items():
                token = value.get("content") if isinstance(value, dict) else value
                if name.endswith("_token") and isinstance(token, str):
                    named.setdefault(name, token)
    return named
