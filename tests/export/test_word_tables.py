"""Tables say of any ids what the tokenizer says of them."""

import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import AddedToken, decoders, models, pre_tokenizers
from tokenizers import Tokenizer as Backend

from jaxcap.data.text import Tokenizer, build_tokenizer
from jaxcap.errors import UserError
from jaxcap.export.loaded import Exported
from jaxcap.export.words import spelling

CAPTIONS = ("A dog doesn't run , it sleeps .", "Ünïcode - 犬 🐶 .", "the DOG'S ball")
PIECES = ["[UNK]", "[PAD]", "[S]", "a", "##b", "##b.", "##", ".", "?", "do", "not", "n't", "'s"]


def of_backend(backend, special, **roles):
    backend.add_special_tokens(special)
    ids = {role: backend.token_to_id(token) for role, token in roles.items()}
    return Tokenizer(backend, "hf", {"unk": -1, **ids}, "made")


def word_piece():
    vocab = {piece: id for id, piece in enumerate(PIECES)}
    backend = Backend(models.WordPiece(vocab, unk_token="[UNK]"))
    backend.decoder = decoders.WordPiece()
    roles = {"pad": "[PAD]", "bos": "[S]", "eos": "[S]", "unk": "[UNK]"}
    return of_backend(backend, ["[UNK]", "[PAD]", "[S]"], **roles)


def metaspace():
    words = ["▁a", "b", "▁", "▁▁c", "d▁e", "[S]"]
    backend = Backend(models.WordLevel({word: id for id, word in enumerate(words)}, "b"))
    backend.decoder = decoders.Metaspace()
    return of_backend(backend, ["[S]"], pad="[S]", bos="[S]", eos="[S]")


def odd_bytes():
    """Tokens that are parts of characters, and such as no bytes are written as."""
    letters = [*sorted(pre_tokenizers.ByteLevel.alphabet()), "Ġé", "a b", "x犬", "Ã©", "[S]"]
    backend = Backend(models.BPE({letter: id for id, letter in enumerate(letters)}, []))
    backend.decoder = decoders.ByteLevel()
    backend.add_tokens([AddedToken("café"), AddedToken("two words"), AddedToken("Ġnew")])
    return of_backend(backend, ["[S]"], pad="[S]", bos="[S]", eos="[S]")


TOKENIZERS = {
    "words": build_tokenizer("word", CAPTIONS, prompts=("<short>",)),
    "bytes": build_tokenizer("bpe", CAPTIONS, vocab_size=300, prompts=("<short>",)),
    "odd bytes": odd_bytes(),
    "pieces of words": word_piece(),
    "spaces as letters": metaspace(),
}


MORE = 3  # ids that a model knows beyond those of its tokenizer


class Decoder(Exported):
    """An exported captioner of which there are only words."""

    def __init__(self, tokenizer):
        words = json.loads(json.dumps(spelling(tokenizer, tokenizer.vocab_size + MORE)))
        self.card, self._first, self._next = {"eos": tokenizer.eos}, words["first"], words["next"]


DECODERS = {kind: Decoder(tokenizer) for kind, tokenizer in TOKENIZERS.items()}


@pytest.mark.parametrize("kind", TOKENIZERS)
@given(data=st.data())
@settings(max_examples=400, deadline=None)
def test_any_row_of_ids_is_decoded_as_by_the_tokenizer(kind, data):
    tokenizer = TOKENIZERS[kind]
    ids = data.draw(st.lists(st.integers(0, tokenizer.vocab_size - 1 + MORE), max_size=12))
    assert DECODERS[kind].decode(ids) == tokenizer.decode(ids)


@pytest.mark.parametrize("kind", ["words", "bytes"])
@pytest.mark.parametrize("text", CAPTIONS)
def test_a_caption_comes_back(kind, text):
    tokenizer = TOKENIZERS[kind]
    ids = [*tokenizer.encode(f"<short> {text}"), tokenizer.eos, tokenizer.pad]
    said = DECODERS[kind].decode(ids)
    assert said == tokenizer.decode(ids)
    assert re.sub(r"\W", "", said.lower()) == re.sub(r"\W", "", text.lower())


def test_ids_of_no_token_say_nothing():
    backend = Backend(models.WordLevel({"a": 0, "b": 7, "[S]": 9}, "a"))
    tokenizer = of_backend(backend, ["[S]"], pad="[S]", bos="[S]", eos="[S]")
    table = spelling(tokenizer, 12)
    assert table == {
        "first": ["a", *[None] * 6, "b", *[None] * 4],
        "next": [" a", *[None] * 6, " b", *[None] * 4],
    }


def test_a_tokenizer_that_spells_by_what_stands_around_is_refused():
    backend = Backend(models.BPE({"a</w>": 0, "[S]": 1}, []))
    backend.decoder = decoders.BPEDecoder()
    tokenizer = of_backend(backend, ["[S]"], pad="[S]", bos="[S]", eos="[S]")
    with pytest.raises(UserError, match="decodes by BPEDecoder"):
        spelling(tokenizer, 2)
