"""Tokenizers: captions to ids and back, with the special ids, in a folder of their own."""

import hashlib
import json
import os
import re
import tempfile
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from tokenizers import AddedToken, decoders, models, pre_tokenizers, trainers
from tokenizers import Tokenizer as Backend

from jaxcap.data.hf_tokenizer import listing, read_file, read_folder
from jaxcap.errors import UserError, did_you_mean
from jaxcap.metrics.ptb import ptb_words

SPECIAL = {"pad": "<pad>", "bos": "<bos>", "eos": "<eos>", "unk": "<unk>"}  # ids 0 to 3
KINDS = ("word", "bpe", "hf")
_OURS = "jaxcap.json"
# Byte-level letters of GPT-2: visible bytes stand for themselves, the others are those from 256 on.
_VISIBLE = [*range(0x21, 0x7F), *range(0xA1, 0xAD), *range(0xAE, 0x100)]
_BYTES = {chr(byte): byte for byte in _VISIBLE} | {
    chr(0x100 + place): byte
    for place, byte in enumerate(byte for byte in range(0x100) if byte not in _VISIBLE)
}
_PROMPT = re.compile(r"<\w[^<>\s]*>")  # neither words nor bytes learnt of words look so


class Tokenizer:
    """A `tokenizers` model and the roles of its special tokens.

    Attributes:
      kind: "word" (PTB words in lower case, as the scores count them), "bpe" or "hf".
      pad, bos, eos, unk: ids; several roles may share one, and a byte-level tokenizer whose
        words are never unknown has unk = -1.
    """

    def __init__(self, backend: Backend, kind: str, roles: dict[str, int], label: str):
        self.backend, self.kind, self.roles, self.label = backend, kind, roles, label
        self.pad, self.bos = roles["pad"], roles["bos"]
        self.eos, self.unk = roles["eos"], roles["unk"]
        backend.encode_special_tokens = True  # a caption that says "<eos>" does not end there
        added = backend.get_added_tokens_decoder().items()
        special = {token.content: id for id, token in added if token.special}
        self._prompts = {token: id for token, id in special.items() if id not in roles.values()}

    def __reduce__(self) -> tuple[Any, ...]:
        return Tokenizer, (self.backend, self.kind, self.roles, self.label)

    @cached_property
    def vocab_size(self) -> int:
        """One more than the greatest id: a ready tokenizer may have gaps between its ids."""
        return max(self.backend.get_vocab(with_added_tokens=True).values()) + 1

    @property
    def banned(self) -> tuple[int, ...]:
        """Ids that no search may choose: they say nothing. EOS is not among them."""
        return tuple(sorted({self.pad, self.bos, self.unk} - {self.eos, -1}))

    @property
    def given(self) -> tuple[int, ...]:
        """Ids that stand before the words of a caption: BOS and the prompts."""
        return (self.bos, *self._prompts.values())

    @property
    def signature(self) -> str:
        """What a score's protocol says of the tokenizer."""
        digest = hashlib.sha256(self.backend.to_str().encode()).hexdigest()[:8]
        return f"{self.label},vocab={self.vocab_size},sha={digest}"

    def encode(self, text: str) -> list[int]:
        """The ids of a text, without BOS and EOS. A prompt that it begins with is one id."""
        head, _, rest = text.strip().partition(" ")
        prompt = self._prompts.get(head)
        ids, text = ([], text) if prompt is None else ([prompt], rest)
        if self.kind != "word":
            return ids + self.backend.encode(text, add_special_tokens=False).ids
        found = (self.backend.token_to_id(word) for word in ptb_words(text))
        return ids + [self.unk if word is None else word for word in found]

    def decode(self, ids: Sequence[int]) -> str:
        """The caption of a row of ids: up to EOS, without prompts and other special tokens."""
        ids = list(ids)
        end = ids.index(self.eos) if self.eos in ids else len(ids)
        kept = [id for id in ids[:end] if id not in (self.pad, self.bos)]
        return self.backend.decode(kept, skip_special_tokens=True).strip()

    def word(self, id: int) -> str:
        """One id as text, to show it beside its probability."""
        if self.kind == "word":
            return self.backend.id_to_token(id) or ""
        return self.backend.decode([id], skip_special_tokens=False)

    @cached_property
    def spelt(self) -> list[str]:
        """What each id adds to a caption that has begun; nothing for special tokens.

        That is a word with the space before it, or a piece of one without. A byte that is no
        character by itself is a surrogate (PEP 383).
        """
        ids = range(self.vocab_size)
        if isinstance(self.backend.decoder, decoders.ByteLevel):
            added = self.backend.get_added_tokens_decoder()  # which are as they are written
            whole = {id: "" if token.special else token.content for id, token in added.items()}
            return [whole.get(id, of_bytes(self.backend.id_to_token(id) or "")) for id in ids]
        begun = self.backend.encode("a", add_special_tokens=False).ids
        start = len(self.backend.decode(begun, skip_special_tokens=True))
        rows = self.backend.decode_batch([[*begun, id] for id in ids], skip_special_tokens=True)
        return [row[start:] for row in rows]

    def save(self, directory: str | os.PathLike[str]) -> None:
        """Write the folder beside its place, then rename it: a failure leaves the old one."""
        folder = Path(directory)
        folder.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(prefix=f".{folder.name}.", dir=folder.parent) as beside:
            new = Path(beside, "new")
            new.mkdir()
            self.backend.save(str(new / "tokenizer.json"))
            ours = {"kind": self.kind, "roles": self.roles, "label": self.label}
            (new / _OURS).write_text(json.dumps(ours, indent=2), encoding="utf-8")
            if folder.exists():
                folder.rename(Path(beside, "old"))
            new.rename(folder)


def load_tokenizer(directory: str | os.PathLike[str]) -> Tokenizer:
    """The tokenizer that `save` wrote.

    Raises:
      UserError: the folder is not such a one, or damaged.
    """
    folder = Path(directory)
    missing = [name for name in ("tokenizer.json", _OURS) if not (folder / name).is_file()]
    if missing:
        raise UserError(
            f"{folder} holds no tokenizer of a run: looked for {missing[0]}, "
            f"found {listing(folder)}."
        )
    backend = read_file(folder / "tokenizer.json")
    try:
        ours = json.loads((folder / _OURS).read_text(encoding="utf-8"))
        return Tokenizer(backend, ours["kind"], ours["roles"], ours["label"])
    except (ValueError, KeyError, TypeError) as error:
        raise UserError(f"{folder / _OURS} is damaged ({error}); restore the folder.") from error


def build_tokenizer(
    kind: str,
    captions: Iterable[str],
    *,
    min_count: int = 1,
    vocab_size: int = 8192,
    path: str = "",
    prompts: tuple[str, ...] = (),
) -> Tokenizer:
    """A tokenizer of the training captions ("word", "bpe"), or a ready one ("hf").

    Args:
      kind: one of `KINDS`.
      captions: of the training split, and no other: a vocabulary that knows the test words
        flatters its scores.
      min_count: of "word": words that are rarer are unknown.
      vocab_size: of "bpe", at most; fewer where the captions hold fewer.
      path: of "hf": a directory in the Hugging Face layout.
      prompts: texts in angle brackets, such as "<layout>", that become one special token each.

    Raises:
      UserError: an unknown kind, a prompt of another form, no words to build of, a vocabulary too
        small for bytes, or a directory that holds no tokenizer.
    """
    if kind not in KINDS:
        raise UserError(f"There is no tokenizer {kind!r}. {did_you_mean(kind, KINDS)}")
    for prompt in prompts:
        if not _PROMPT.fullmatch(prompt):
            raise UserError(
                f"The prompt {prompt!r} could be taken for words of a caption. Write the prompts "
                'of the data in angle brackets and without spaces, such as "<layout>".'
            )
    if kind == "hf":
        if not path:
            raise UserError(
                "The tokenizer hf is read from a directory, and none is named; set tokenizer.path."
            )
        backend, roles = read_folder(Path(path))
        backend.no_padding()  # settings of whoever saved it: rows are filled and cut elsewhere
        backend.no_truncation()
        backend.add_special_tokens([AddedToken(token, special=True) for token in prompts])
        return Tokenizer(backend, "hf", roles, f"hf:{Path(path).name}")
    special = list(dict.fromkeys([*SPECIAL.values(), *prompts]))
    texts = [_without(caption, prompts) for caption in captions]
    if kind == "word":
        counts = Counter(w for text in texts for w in ptb_words(text))
        kept = sorted((w for w in counts if counts[w] >= min_count), key=lambda w: (-counts[w], w))
        if not kept:
            raise UserError(
                f"No word stands at least {min_count} times in the training captions "
                f"({len(counts)} different words); lower tokenizer.min_count."
            )
        vocab = {token: i for i, token in enumerate([*special, *kept])}
        backend = Backend(models.WordLevel(vocab, unk_token=SPECIAL["unk"]))
        label = f"word,min_count={min_count}"
    else:
        alphabet = pre_tokenizers.ByteLevel.alphabet()
        if not any(map(str.strip, texts)):
            raise UserError("The training captions are empty: there is nothing to learn bpe of.")
        if vocab_size < len(special) + len(alphabet):
            raise UserError(
                f"tokenizer.vocab_size={vocab_size} is too small: {len(alphabet)} bytes and "
                f"{len(special)} special tokens alone need {len(special) + len(alphabet)}."
            )
        backend = Backend(models.BPE())
        backend.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
        backend.decoder = decoders.ByteLevel()
        trainer = trainers.BpeTrainer(
            vocab_size=vocab_size,
            special_tokens=special,
            initial_alphabet=alphabet,
            show_progress=False,
        )
        # Each different caption once, in a fixed order, so that the order of the data is none's.
        backend.train_from_iterator(sorted(set(texts)), trainer)
        label = "bpe"
    backend.add_special_tokens([AddedToken(token, special=True) for token in special])
    roles = {role: special.index(token) for role, token in SPECIAL.items()}
    return Tokenizer(backend, kind, roles, label)


def of_bytes(token: str) -> str:
    """What a byte-level token stands for; one with a letter that no byte is written as is itself.

    A byte that is no character by itself is a surrogate (PEP 383).
    """
    data = bytes(_BYTES[at] for at in token) if _BYTES.keys() >= set(token) else token.encode()
    return data.decode(errors="surrogateescape")


def _without(caption: str, prompts: tuple[str, ...]) -> str:
    """The caption without the prompt that it may begin with."""
    return next((caption[len(p) :].strip() for p in prompts if caption.startswith(p)), caption)
