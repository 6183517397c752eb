"""METEOR by hand and by its properties, with little data; test_meteor_golden.py has the real."""

import gzip
import importlib.util

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meteor_data import write_package

from jaxcap.errors import UserError
from jaxcap.metrics.meteor import lacking, meteor
from jaxcap.metrics.meteor.package import meteor_files

words_of_the_data = st.sampled_from(
    ["a", "the", "dog", "dogs", "big", "large", "animal", "sofa", "couch", "street", "in", "of"]
)
captions = st.lists(words_of_the_data, max_size=7)
splits = st.lists(
    st.tuples(captions, st.lists(captions, min_size=1, max_size=3)), min_size=1, max_size=4
)


@pytest.fixture(scope="module", autouse=True)
def package(tmp_path_factory):
    """A pycocoevalcap that is found before an installed one."""
    folder = tmp_path_factory.mktemp("packages")
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        yield write_package(folder)


def score(prediction, *references):
    found = meteor({"1": prediction.split()}, {"1": [words.split() for words in references]})
    assert found.per_image["1"] == found.corpus
    return found.corpus


def mean(precision, recall):
    return precision * recall / (0.85 * precision + 0.15 * recall)


def penalty(chunks, words):
    return 1 - 0.6 * (chunks / words) ** 0.2


@pytest.mark.parametrize(
    ("prediction", "reference", "expected"),
    [
        ("the dog", "the dog", 1),
        ("dog \ud83d", "dog", mean(1 / 2, 1) * penalty(1, 1)),  # half a character, as JSON may have
        ("dog", "sofa", 0),
        ("", "dog", 0),
        ("dog", "", 0),
        ("", "", 0),
        # One content word of two, in one chunk.
        ("dog", "dog street", mean(1, 1 / 2) * penalty(1, 1)),
        # A function word counts a third of a content word: 3 / (3 + 1).
        ("dog", "the dog", mean(1, 3 / 4) * penalty(1, 1)),
        ("dog street", "street dog", penalty(2, 2)),
        ("a dog on the street", "a dog of the street", mean(8 / 9, 8 / 9) * penalty(2, 4)),
        # By stem, sense and paraphrase, all words in one chunk: no penalty.
        ("dog", "dogs", 0.6),
        ("sofa", "couch", 0.8),
        ("before", "in front of", mean(0.6, 0.6)),
        ("big dog", "large animal", 0.6),
        ("a dog", "the dog", 0.6),
        # The two words of "big dog" are one match, its neighbour another.
        ("dogs big dog", "dogs large animal", (1 + 0.6 + 0.6) / 3),
        # The exact word is taken, though a paraphrase is there too.
        ("big dog", "big animal", mean(1 / 2, 1 / 2) * penalty(1, 1)),
        # In the table both ways it is in doubt, and a chunk of its own is not worth it.
        ("big", "large", 0),
        ("big sofa", "large sofa", (0.6 + 1) / 2),
        ("dog-street", "dog street", 1),
    ],
)
def test_one_caption_and_one_reference(prediction, reference, expected):
    assert score(prediction, reference) == pytest.approx(expected)


def test_the_best_reference_counts():
    worse, better = score("a big dog", "a dog"), score("a big dog", "a big dog of")
    assert worse < better == score("a big dog", "a dog", "a big dog of", "sofa")


def test_the_corpus_is_of_the_summed_counts():
    predictions = {"1": ["dog"], "2": ["street", "sofa", "pram"]}
    references = {"1": [["dog", "couch"]], "2": [["street", "pram", "pram"]]}
    precision, recall = 3 / 4, 3 / 5
    found = meteor(predictions, references)
    assert found.corpus == pytest.approx(mean(precision, recall) * penalty(3, 3))
    assert list(found.per_image) == ["1", "2"]


def test_a_caption_that_is_its_reference_has_no_chunk_in_the_corpus():
    found = meteor({"1": ["dog"], "2": ["dog"]}, {"1": [["dog"]], "2": [["dog", "pram"]]})
    assert found.corpus == pytest.approx(mean(1, 2 / 3) * penalty(1, 2))


@settings(deadline=None, max_examples=30)
@given(splits, st.randoms())
def test_the_order_of_images_changes_nothing(split, random):
    predictions = {str(i): words for i, (words, _) in enumerate(split)}
    references = {str(i): captions for i, (_, captions) in enumerate(split)}
    found = meteor(predictions, references)
    order = list(references)
    random.shuffle(order)
    again = meteor(predictions, {image: references[image] for image in order})
    assert again.corpus == pytest.approx(found.corpus)
    assert again.per_image == pytest.approx(found.per_image)


@settings(deadline=None, max_examples=50)
@given(captions, st.lists(captions, min_size=1, max_size=3))
def test_scores_lie_between_zero_and_a_reference_repeated(words, references):
    found = meteor({"1": words, "2": words}, {"1": references, "2": [*references, words]})
    assert 0 <= found.per_image["1"] <= found.per_image["2"]
    assert found.per_image["2"] == pytest.approx(1 if words else 0)


def test_nothing_is_lacking():
    assert lacking() is None


def test_without_the_package_it_is_told_what_to_install(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    assert lacking() == "needs pip install pycocoevalcap"
    with pytest.raises(UserError, match="needs pip install pycocoevalcap"):
        meteor({"1": ["dog"]}, {"1": [["dog"]]})


@pytest.mark.parametrize("name", ["meteor-1.5.jar", "data/paraphrase-en.gz"])
def test_a_file_that_is_missing_is_named(package, name):
    path = package / name
    content = path.read_bytes()
    path.unlink()
    try:
        assert lacking() == "needs pip install --force-reinstall pycocoevalcap"
        with pytest.raises(UserError, match=name):
            meteor_files()
    finally:
        path.write_bytes(content)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("meteor-1.5.jar", b"not a zip file"),
        ("data/paraphrase-en.gz", b"not compressed"),
        ("data/paraphrase-en.gz", gzip.compress(b"0.5\nbig\nlarge\n0.5\n")),
        ("data/paraphrase-en.gz", gzip.compress(b"0.5\nbig\nlarge\n" * 99)[:-12]),
    ],
    ids=["no archive", "no gzip", "cut between lines", "cut in the middle"],
)
def test_a_file_that_is_damaged_is_named(package, name, content):
    path = package / name
    whole = path.read_bytes()
    path.write_bytes(content)
    try:
        with pytest.raises(UserError, match=rf"{name}: .*reinstall"):
            meteor({"1": ["dog"]}, {"1": [["dog"]]})
    finally:
        path.write_bytes(whole)
