"""Tokenizers: what comes back from ids, what a vocabulary is made of, and folders."""

import json
import pickle
import random
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as Backend
from tokenizers import models, pre_tokenizers

from jaxcap.data.text import SPECIAL, build_tokenizer, load_tokenizer
from jaxcap.errors import UserError
from jaxcap.metrics.ptb import ptb_words

CAPTIONS = (
    "A dog runs over the grass .",
    "A black dog runs .",
    "Two dogs don't run ; they sleep , side by side !",
    "the DOG'S ball",
)
PROMPTS = ("<short>", "<long>")
TEXTS = [*CAPTIONS, "Ünïcode \N{EN DASH} quoted 犬 \N{DOG FACE}"]


def build(kind, captions=CAPTIONS, **settings):
    return build_tokenizer(kind, captions, **settings)


BYTES = build("bpe", vocab_size=300)


@pytest.fixture(scope="module")
def word():
    return build("word", prompts=PROMPTS)


@pytest.fixture(scope="module")
def bpe():
    return build("bpe", vocab_size=300, prompts=PROMPTS)


def test_the_special_ids_come_first(word, bpe):
    for tokenizer in (word, bpe):
        assert (tokenizer.pad, tokenizer.bos, tokenizer.eos, tokenizer.unk) == (0, 1, 2, 3)
        assert [tokenizer.encode(prompt) for prompt in PROMPTS] == [[4], [5]]
        assert tokenizer.banned == (0, 1, 3)
        assert tokenizer.given == (1, 4, 5)


@pytest.mark.parametrize("caption", CAPTIONS)
def test_words_come_back_as_the_scores_count_them(word, caption):
    assert word.decode(word.encode(caption)) == " ".join(ptb_words(caption))


@settings(max_examples=50, deadline=None)
@given(st.text(st.characters(exclude_categories=("Cs",))) | st.sampled_from([*SPECIAL.values()]))
def test_bytes_come_back_as_they_were(text):
    ids = BYTES.encode(text)
    assert BYTES.decode(ids) == text.strip()
    assert all(0 <= id < BYTES.vocab_size for id in ids)


def test_decoding_ends_at_eos_and_leaves_out_what_is_no_word(word, bpe):
    for tokenizer in (word, bpe):
        ids = tokenizer.encode("<short> a dog")
        row = [tokenizer.bos, *ids, tokenizer.eos, *tokenizer.encode("runs"), tokenizer.pad]
        assert tokenizer.decode(row) == "a dog"
        assert tokenizer.decode([tokenizer.eos, *ids]) == ""
        assert tokenizer.decode([]) == ""


def test_words_that_training_never_showed_are_unknown(word):
    assert word.encode("a zebra runs") == [*word.encode("a"), word.unk, *word.encode("runs")]
    assert word.decode(word.encode("a zebra runs")) == "a runs"


def test_the_vocabulary_is_the_words_of_the_captions_often_enough():
    found = build("word", min_count=2).backend.get_vocab()
    assert set(found) == {*SPECIAL.values(), "a", "dog", "runs", "the", "side"}


@pytest.mark.parametrize(("kind", "more"), [("word", {}), ("bpe", {"vocab_size": 300})])
def test_the_order_of_the_captions_is_no_matter(kind, more):
    shuffled = random.Random(0).sample(CAPTIONS, len(CAPTIONS))
    assert build(kind, shuffled, **more).backend.to_str() == build(kind, **more).backend.to_str()


def test_a_prompt_is_no_word_of_the_vocabulary():
    captions = ["<short> a dog", "<long> a dog"]
    found = build("word", captions, prompts=PROMPTS)
    assert set(found.backend.get_vocab()) == {*SPECIAL.values(), *PROMPTS, "a", "dog"}
    assert found.encode("<long> a dog") == [5, *found.encode("a dog")]


def test_a_caption_cannot_say_a_special_token(word, bpe):
    """Text that looks like EOS must not end the caption that it stands in."""
    for tokenizer in (word, bpe):
        for token in SPECIAL.values():
            ids = tokenizer.encode(f"{token} a dog {token}")
            assert not {tokenizer.pad, tokenizer.bos, tokenizer.eos} & set(ids)


@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_saved_and_pickled_it_is_the_same(kind, request, tmp_path):
    tokenizer = request.getfixturevalue(kind)
    tokenizer.save(tmp_path / "tokenizer")
    tokenizer.save(tmp_path / "tokenizer")  # over itself
    assert [entry.name for entry in tmp_path.iterdir()] == ["tokenizer"]
    for other in (load_tokenizer(tmp_path / "tokenizer"), pickle.loads(pickle.dumps(tokenizer))):
        assert other.signature == tokenizer.signature
        assert (other.kind, other.roles) == (tokenizer.kind, tokenizer.roles)
        for text in (*TEXTS, "<long> a dog", f"{SPECIAL['eos']} a"):
            assert other.encode(text) == tokenizer.encode(text)
            assert other.decode(other.encode(text)) == tokenizer.decode(tokenizer.encode(text))


def test_the_signature_tells_vocabularies_apart(word):
    assert build("word", prompts=PROMPTS).signature == word.signature
    assert build("word", min_count=2, prompts=PROMPTS).signature != word.signature


def test_gpt2_has_the_ids_that_everybody_knows(reference_data, tmp_path):
    gpt2 = build("hf", (), path=str(reference_data / "gpt2_bpe"), prompts=PROMPTS)
    assert gpt2.encode("Hello world") == [15496, 995]
    assert (gpt2.pad, gpt2.bos, gpt2.eos, gpt2.unk) == (50256, 50256, 50256, -1)
    assert gpt2.banned == ()
    assert gpt2.encode("<short>") == [50257]
    assert gpt2.vocab_size == 50259
    for text in TEXTS:
        assert gpt2.decode([*gpt2.encode(text), gpt2.eos, 15496]) == text
    gpt2.save(tmp_path / "tokenizer")
    assert load_tokenizer(tmp_path / "tokenizer").encode("Hello world") == [15496, 995]


def test_a_tokenizer_that_names_its_tokens(bpe, tmp_path):
    bpe.backend.save(str(tmp_path / "tokenizer.json"))
    named = {"bos_token": "<bos>", "eos_token": {"content": "<eos>"}, "pad_token": "<pad>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(named))
    found = build("hf", (), path=str(tmp_path))
    assert found.roles == {"pad": 0, "bos": 1, "eos": 2, "unk": 3}


def test_damaged_folders_are_refused_with_their_name(word, tmp_path):
    folder = tmp_path / "tokenizer"
    with pytest.raises(UserError, match=r"looked for tokenizer.json, found nothing"):
        load_tokenizer(folder)
    word.save(folder)
    for name, content in {
        "tokenizer.json": "{",
        "jaxcap.json": '{"kind": "word"}',
    }.items():
        broken = tmp_path / f"broken {name}"
        shutil.copytree(folder, broken)
        (broken / name).write_text(content)
        with pytest.raises(UserError, match=rf"{name} is damaged"):
            load_tokenizer(broken)
        (broken / name).unlink()
        with pytest.raises(UserError, match=f"looked for {name}"):
            load_tokenizer(broken)


def test_what_cannot_be_built_is_said():
    with pytest.raises(UserError, match="Did you mean 'word'"):
        build("words")
    with pytest.raises(UserError, match=r"lower tokenizer.min_count"):
        build("word", min_count=9)
    with pytest.raises(UserError, match="looked for"):
        build("hf", (), path="/nowhere")
    with pytest.raises(UserError, match=r"set tokenizer\.path"):
        build("hf", ())
    with pytest.raises(UserError, match="captions are empty"):
        build("bpe", ("", " ", "<short> "), prompts=PROMPTS)
    with pytest.raises(UserError, match=r"vocab_size=261 .* need 262"):
        build("bpe", vocab_size=261, prompts=PROMPTS)


@pytest.mark.parametrize("kind", ["word", "bpe", "hf"])
@pytest.mark.parametrize("prompt", ["dog", "", "<>", "<in short>", "<short> <long>"])
def test_a_prompt_that_might_be_words_is_refused(kind, prompt):
    with pytest.raises(UserError, match=f"{re.escape(repr(prompt))}.*angle brackets"):
        build(kind, prompts=(*PROMPTS, prompt), path="unread")


@pytest.mark.parametrize("kind", ["word", "bpe"])
def test_a_prompt_named_twice_is_one(kind):
    found = build(kind, prompts=(*PROMPTS, *PROMPTS))
    assert sorted(found.backend.get_vocab().values()) == list(range(found.vocab_size))
    assert found.signature == build(kind, prompts=PROMPTS).signature


def test_words_stand_by_count_then_by_alphabet():
    found = build("word", ("b c a", "c b", "c"), prompts=PROMPTS)
    words = [found.word(id) for id in range(found.vocab_size)]
    assert words == [*SPECIAL.values(), *PROMPTS, "c", "b", "a"]


def test_the_pieces_of_a_caption_join_to_its_text(bpe):
    assert "".join(bpe.word(id) for id in bpe.encode(CAPTIONS[2])) == CAPTIONS[2]


def test_a_failure_while_saving_leaves_the_old_folder(word, bpe, tmp_path, monkeypatch):
    word.save(tmp_path / "tokenizer")

    def full(*args, **kwargs):
        raise OSError("no space left on device")

    monkeypatch.setattr(Path, "write_text", full)
    with pytest.raises(OSError, match="no space"):
        bpe.save(tmp_path / "tokenizer")
    assert load_tokenizer(tmp_path / "tokenizer").signature == word.signature
    assert [entry.name for entry in tmp_path.iterdir()] == ["tokenizer"]


def test_a_wordpiece_folder(tmp_path):
    pieces = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "a", "dog", "run", "##s", ".")
    (tmp_path / "vocab.txt").write_text("\n".join(pieces))
    named = {f"{name}_token": f"[{name.upper()}]" for name in ("pad", "unk", "cls", "sep")}
    settings = {"tokenizer_class": "BertTokenizer", **named}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(settings))
    found = build("hf", (), path=str(tmp_path), prompts=("<short>",))
    assert found.roles == {"pad": 0, "unk": 1, "bos": 2, "eos": 3}
    assert found.banned == (0, 1, 2)
    ids = found.encode("<short> A dog runs. Zebra")
    assert ids == [10, 5, 6, 7, 8, 9, 1]
    assert found.decode([*ids, 3, 5]) == "a dog runs."


def test_a_ready_tokenizer_neither_fills_nor_cuts_and_may_have_gaps(tmp_path):
    vocab = {"<s>": 0, "</s>": 1, "<unk>": 2, "dog": 9}
    backend = Backend(models.WordLevel(vocab, unk_token="<unk>"))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    backend.enable_padding(length=6, pad_id=0, pad_token="<s>")
    backend.enable_truncation(1)
    backend.save(str(tmp_path / "tokenizer.json"))
    named = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>"}
    (tmp_path / "special_tokens_map.json").write_text(json.dumps(named))
    found = build("hf", (), path=str(tmp_path))
    assert found.encode("dog dog") == [9, 9]
    assert found.vocab_size == 10


def test_an_added_word_is_no_prompt(bpe, tmp_path):
    backend = Backend.from_str(bpe.backend.to_str())
    backend.add_tokens(["zebra"])
    backend.save(str(tmp_path / "tokenizer.json"))
    named = {"bos_token": "<bos>", "eos_token": "<eos>"}
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(named))
    found = build("hf", (), path=str(tmp_path))
    assert found.decode(found.encode("zebra runs")) == "zebra runs"


def test_a_worker_process_needs_neither_jax_nor_flax():
    code = "import sys, jaxcap.data.text; print({'jax', 'flax'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "set()"
