"""Vectors of words: what a file has, what the table makes of it, and files that are damaged."""

import gzip
import tempfile
import tracemalloc
from dataclasses import replace
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from starting import one_device
from tiny_run import get_config

from jaxcap.data.text import build_tokenizer
from jaxcap.errors import UserError
from jaxcap.experiment import Experiment
from jaxcap.interop.word_vectors import TABLE, read_word_vectors, start_words
from jaxcap.partition import make_mesh
from jaxcap.run import Run
from jaxcap.train import train

WIDTH = 16  # of the decoder of tiny_run
COLOURS = {"red", "green", "blue"}


def write(file, rows, header=False):
    """Rows of (word, numbers), as word2vec writes them if there is a header, or as GloVe."""
    lines = [f"{word} {' '.join(map(str, vector))}{' ' * header}\n" for word, vector in rows]
    head = [f"{len(rows)} {len(rows[0][1])}\n"] if header else []
    opened = gzip.open if file.suffix == ".gz" else open
    with opened(file, "wt", encoding="utf-8", newline="\n") as out:
        out.writelines([*head, *lines])
    return file


def normal(count, width=WIDTH):
    return np.random.default_rng(0).normal(3.0, 5.0, (count, width)).astype(np.float32)


@given(
    rows=st.lists(
        st.tuples(
            st.sampled_from(["red", "Red", "RED", "blue", "ÉTÉ", "été", "a red", ".", "<unk>"]),
            st.lists(st.floats(width=32, allow_nan=False, allow_infinity=False), min_size=3).map(
                lambda numbers: numbers[:3]
            ),
        ),
        min_size=1,
    ),
    header=st.booleans(),
    suffix=st.sampled_from([".txt", ".gz"]),
)
@settings(max_examples=40, deadline=None)
def test_a_word_has_the_first_vector_of_its_own_spelling_or_else_of_another(rows, header, suffix):
    rows = [(".", [0.0, 1.0, 2.0]), *rows]  # the first line says how many numbers there are
    with tempfile.TemporaryDirectory() as folder:
        file = write(Path(folder, f"vectors{suffix}"), rows, header)
        found = read_word_vectors(file, {"red", "été", "green"}, 3)
    expected = {}
    for word in ("red", "été", "green"):
        own = [vector for theirs, vector in rows if theirs == word]
        other = [vector for theirs, vector in rows if theirs.lower() == word]
        if other:
            expected[word] = (own or other)[0]
    assert found.keys() == expected.keys()
    for word, vector in expected.items():
        assert found[word].dtype == np.float32
        np.testing.assert_array_equal(found[word], np.array(vector, np.float32))


def test_lines_of_other_words_are_not_kept(tmp_path):
    rows = [(f"word{i}", vector) for i, vector in enumerate(normal(20_000, 8))]
    file = write(tmp_path / "vectors.gz", rows)
    tracemalloc.start()
    found = read_word_vectors(file, {"word7", "word19999"}, 8)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert len(found) == 2
    assert peak < 500_000  # the text has 1.8 MB


@pytest.fixture(scope="module")
def vectors(tmp_path_factory):
    """A file of all colours and some other words; the vectors by word."""
    words = [*sorted(COLOURS), "zebra", "Circle", "<unk>"]
    rows = list(zip(words, normal(len(words)), strict=True))
    return write(tmp_path_factory.mktemp("vectors") / "vectors.txt", rows), dict(rows)


def experiment(folder, mesh, **model):
    config = get_config()
    config.model.update(model)
    return replace(Experiment.open(config, Run(folder / "run")), mesh=mesh)


@pytest.mark.parametrize("sizes", [{}, {"fsdp": 2, "tensor": 2}], ids=str)
def test_the_table_starts_with_them_at_the_size_of_its_fresh_rows(vectors, tmp_path, sizes):
    file, theirs = vectors
    mesh = make_mesh(sizes, jax.devices()[: 4 if sizes else 1])
    with jax.set_mesh(mesh):
        plain = experiment(tmp_path, mesh)
        fresh, _ = plain.fresh_state()
        started = experiment(tmp_path, mesh, word_vectors=str(file))
        state, report = started.fresh_state()
    assert state.trained[TABLE].sharding == fresh.trained[TABLE].sharding
    vocabulary = plain.tokenizer.backend.get_vocab()
    ids = {word: vocabulary[word] for word in (*COLOURS, "circle")}
    found, before = (np.asarray(each.trained[TABLE]) for each in (state, fresh))
    others = sorted(set(range(len(found))) - set(ids.values()))
    assert vocabulary["<unk>"] in others
    np.testing.assert_array_equal(found[others], before[others], strict=True)
    rows = np.stack([found[id] for id in ids.values()])
    file_rows = np.stack([theirs.get(word, theirs["Circle"]) for word in ids])
    ratio = rows / file_rows
    np.testing.assert_allclose(ratio, ratio.mean(), rtol=1e-5)
    size = np.sqrt((before[: len(vocabulary)] ** 2).mean())
    assert np.sqrt((rows**2).mean()) == pytest.approx(size, rel=1e-5)
    assert size == pytest.approx(WIDTH**-0.5, rel=0.1)
    np.testing.assert_array_equal(state.average[TABLE], found)
    for name in fresh.trained.keys() - {TABLE}:
        np.testing.assert_array_equal(state.trained[name], fresh.trained[name])
    words = sum(not word.startswith("<") for word in vocabulary)
    assert report.words == {str(file): (4, words)}
    line = f"words: 4 of {words} ({4 / words:.1%}) have vectors in {file}"
    assert report.lines() == ["1 parameters loaded", line]


def test_frozen_words_start_with_them_too_and_the_start_tells_of_them(
    vectors, tmp_path, monkeypatch, capsys
):
    monkeypatch.setattr("jaxcap.train._loop", lambda *_: None)
    monkeypatch.setattr("jaxcap.experiment.make_mesh", lambda _: one_device())
    config = get_config()
    config.model.word_vectors = str(vectors[0])
    config.optim.parts = (("words/embedding$", 0.0),)
    train(config, tmp_path / "run")
    assert "Started   words: 4 of " in capsys.readouterr().out
    run = Run(tmp_path / "run")
    state = Experiment.of_run(run, {}).restore(run, 0)
    assert state.frozen.keys() == {TABLE}
    red = np.asarray(state.frozen[TABLE])[run.tokenizer().encode("red")[0]]
    assert np.corrcoef(red, vectors[1]["red"])[0, 1] == pytest.approx(1.0)


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer("word", ["a red cat"])


def test_a_file_of_another_width_names_the_setting(tmp_path, tokenizer):
    for header in (False, True):
        file = write(tmp_path / "vectors.txt", [("a", range(5))], header)
        message = r"vectors of 5 numbers, and .* decoder have 3. Set model.decoder.width=5 \(.*, or"
        with pytest.raises(UserError, match=message):
            start_words(str(file), tokenizer, jnp.zeros((128, 3)))


def test_a_tokenizer_without_whole_words_is_refused(tmp_path):
    bpe = build_tokenizer("bpe", ["a red cat"], vocab_size=270)
    with pytest.raises(UserError, match=r"whole words, but tokenizer.kind is 'bpe'. Set tok"):
        start_words("glove.txt", bpe, jnp.zeros((384, 3)))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a 1 2 3\nred 1 2\ncat 1 2 3\n", r"txt, line 2: expected a word and 3 numbers, found '"),
        ("a 1 2 3\nb 1\nred 1 x 3\n", r"line 3: .*, found '1 x 3' after the word. Mend the line"),
        ("1 3\nred 1 nan 3\n", r"line 2: expected a word and 3 numbers, found '1 nan 3'"),
        ("a 1 2 3\nred\n", r"line 2: expected a word and 3 numbers, found ''"),
        ("some text and more\n", r"line 1: expected a word and 3 numbers, found 'text and more'"),
        ("\n", r"line 1: expected a word and its numbers, found '' after the word"),
        ("", r"has a vector for none of the tokenizer's 3 words, such as 'a'. Is it of their lan"),
        ("le 1 2 3\nchat 1 2 3\n", r"none of the tokenizer's 3 words"),
    ],
)
def test_damaged_files_name_the_line(text, message, tmp_path, tokenizer):
    (tmp_path / "vectors.txt").write_text(text)
    with pytest.raises(UserError, match=message):
        start_words(str(tmp_path / "vectors.txt"), tokenizer, jnp.ones((128, 3)))


def test_files_that_are_not_there_or_cut_short(tmp_path):
    file = write(tmp_path / "vectors.gz", [(f"w{i}", normal(1)[0]) for i in range(2000)])
    file.write_bytes(file.read_bytes()[:-2000])
    (tmp_path / "text.gz").write_text("a 1 2 3\n")
    for name in ("vectors.gz", "text.gz", "nowhere.txt", "."):
        with pytest.raises(UserError, match=r"model.word_vectors='.*' cannot be read: .* whole"):
            read_word_vectors(tmp_path / name, {"w"}, WIDTH)
