"""Tokenizers in the Hugging Face layout: the model, and the ids of its special tokens."""

from pathlib import Path
from typing import Any

from tokenizers import AddedToken, decoders, models, normalizers, pre_tokenizers
from tokenizers import Tokenizer as Backend

from jaxcap.data.hf_special_tokens import read_object, special_ids
from jaxcap.errors import UserError

BERT_UNK = "[UNK]"
# Of a vocabulary, the part that may break a rule that the rest keeps: GPT-2's kin have tokens that
# no merge makes and that do not look special, BERT's Chinese in lower case has a few capitals.
STRAY = 0.01


def read_folder(folder: Path) -> tuple[Backend, dict[str, int]]:
    """The tokenizer of a directory, and the ids of pad, bos, eos and unk (-1: nothing is unknown).

    Raises:
      UserError: there is no tokenizer, it is damaged, or it has no token for eos.
    """
    settings = read_object(folder / "tokenizer_config.json")
    config = read_object(folder / "config.json")
    named = settings.get("tokenizer_class") or config.get("tokenizer_class")
    named = named or config.get("model_type")  # transformers knows the class of each
    if (folder / "tokenizer.json").is_file():
        backend = read_file(folder / "tokenizer.json")
    elif (folder / "vocab.json").is_file() and (folder / "merges.txt").is_file():
        backend = _byte_level(folder / "vocab.json", folder / "merges.txt")
    elif (folder / "vocab.txt").is_file() and not named:
        backend = _word_piece(folder / "vocab.txt", settings)
    else:
        backend = _converted(folder)
    vocab = backend.get_vocab(with_added_tokens=True)
    roles = special_ids(folder, vocab)
    special = [token for token, id in vocab.items() if id in roles.values()]
    backend.add_special_tokens([AddedToken(token, special=True) for token in special])
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


def _byte_level(vocab_file: Path, merges_file: Path) -> Backend:
    """The byte pairs of GPT-2."""
    vocab = read_object(vocab_file)
    if not vocab or any(type(id) is not int or id < 0 for id in vocab.values()):
        raise UserError(
            f"{vocab_file} is damaged: it is empty, or a token's id in it is no whole number. "
            "Restore it from where it came."
        )
    try:
        backend = Backend(models.BPE.from_file(str(vocab_file), str(merges_file)))
        lines = merges_file.read_text(encoding="utf-8").split("\n")
    except Exception as error:  # the library raises the bare class
        raise UserError(
            f"{merges_file} is damaged, or not of the vocab.json beside it: {error}. Restore both "
            "from where they came."
        ) from error
    # A file that was cut after a line reads well and spells words in pieces too short. Each token
    # is a byte, made by a merge, or special.
    made = {line.replace(" ", "") for line in lines}
    unmade = sum(
        len(token) > 1 and token[0] + token[-1] not in ("<>", "[]") for token in vocab.keys() - made
    )
    if unmade > len(vocab) * STRAY:
        raise UserError(
            f"{merges_file} is damaged, or not of the vocab.json beside it: it makes all but "
            f"{unmade} of its {len(vocab)} tokens. Restore both from where they came."
        )
    backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    backend.decoder = decoders.ByteLevel()
    return backend


def _word_piece(vocab_file: Path, settings: dict[str, Any]) -> Backend:
    """The pieces of BERT; in lower case where the vocabulary is, unless the settings say."""
    try:
        backend = Backend(models.WordPiece.from_file(str(vocab_file), unk_token=BERT_UNK))
    except Exception as error:  # the library raises the bare class
        raise UserError(
            f"{vocab_file} is damaged: {error}. Restore it from where it came."
        ) from error
    vocab = backend.get_vocab()
    if BERT_UNK not in vocab:
        raise UserError(
            f"{vocab_file} is no vocabulary of BERT, which has one token a line and {BERT_UNK} "
            "among them. For another layout, name its tokenizer_class in tokenizer_config.json."
        )
    capitals = sum(token != token.lower() for token in vocab if not token.startswith("["))
    lowercase = settings.get("do_lower_case", capitals <= len(vocab) * STRAY)
    if not isinstance(lowercase, bool):
        raise UserError(
            f"{vocab_file.parent / 'tokenizer_config.json'} says do_lower_case = {lowercase!r}; "
            "expected true or false."
        )
    backend.normalizer = normalizers.BertNormalizer(lowercase=lowercase)
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    backend.decoder = decoders.WordPiece()
    return backend


def _converted(folder: Path) -> Backend:
    """The tokenizer of another layout, as transformers reads it."""
    lacking = (
        f"{folder} holds no tokenizer in the Hugging Face layout that can be read: looked for "
        "tokenizer.json, or vocab.json and merges.txt, or vocab.txt, or files of the class that "
        f"tokenizer_config.json or config.json names; found {listing(folder)}."
    )
    if not folder.is_dir():
        raise UserError(lacking)
    from transformers import AutoTokenizer  # slow to import, and rarely needed

    try:
        found = AutoTokenizer.from_pretrained(
            folder, local_files_only=True, trust_remote_code=False
        )
        return found.backend_tokenizer
    except Exception as error:  # whatever the library makes of a folder that holds none
        cause = " ".join(str(error).split())
        raise UserError(f"{lacking} transformers says: {cause}") from error
