"""The words of METEOR: how they are cut, their stems, senses and paraphrases."""

import gzip

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meteor_data import ABBREVIATIONS, EXCEPTIONS, PARAPHRASES, SYNSETS, write_package

from jaxcap.metrics.meteor.normalise import meteor_words, read_abbreviations
from jaxcap.metrics.meteor.paraphrases import read_paraphrases
from jaxcap.metrics.meteor.porter2 import stem
from jaxcap.metrics.meteor.wordnet import WordNet

# As METEOR's program cut them.
CUTS = {
    "a dog": "a dog",
    "t-shirt a-b-c side-by-side": "t shirt a b-c side by side",
    "x--y - -- a- -a -lrb-": "x y - - a- -a -lrb-",
    "do n't they 're o'clock 5's 'n'": "do n 't they ' re o 'clock 5 's ' n '",
    "12:45 10,000 3.5 1/2 a,b ,5": "12 : 45 10,000 3.5 1 / 2 a , b , 5",
    "u.s. 8 p.m. s.c.u.b.a. v.1. 5.5.": "us 8 pm scuba v1 5.5 .",
    "u.s building.sign": "u.s building.sign",
    "mt. rushmore": "mt. rushmore",
    "howe st. 7": "howe st . 7",
    "vs. 7 pp. 7 mr. 7": "vs. 7 pp. 7 mr . 7",
    "the ave.": "the ave .",
    "x...y .. ..": "x ... y .. ..",
    "m&m # 13 $ 5 %": "m & m # 13 $ 5 %",
    "bou-de-sières café": "bou de sières café",
    "“a” ``b`` a—b a\N{EN DASH}b": '" a " " b " a — b a - b',
    "3\u00a01/2": "3 1 / 2",
    "日本 мир": "日 本 мир",
}

STEMS = {
    "riding rides ride": "ride",
    "walks walking walked": "walk",
    "running runs run": "run",
    "hopping": "hop",
    "hoping": "hope",
    "falling fall": "fall",
    "added": "ad",
    "children": "children",
    "ponies pony": "poni",
    "ties tie": "tie",
    "dresses dress": "dress",
    "gas": "gas",
    "bus": "bus",
    "dogs dog dog's": "dog",
    "grassy": "grassi",
    "agreed": "agre",
    "national": "nation",
    "operational": "oper",
    "happiness": "happi",
    "hopefully": "hope",
    "cheerfully": "cheer",
    "geology": "geolog",
    "electricity": "electr",
    "adoption": "adopt",
    "rate": "rate",
    "generate": "generat",
    "generously": "generous",
    "communism": "communism",
    "skies sky": "sky",
    "dying": "die",
    "early": "earli",
    "herrings": "herring",
    "youth": "youth",
    "enjoying": "enjoy",
    "by": "by",
    "cry": "cri",
    "relative": "relat",
    "formative": "format",
    "is": "is",
}


@pytest.mark.parametrize(("text", "words"), CUTS.items())
def test_cut(text, words):
    assert meteor_words(text, read_abbreviations(ABBREVIATIONS)) == words.split()


@given(st.lists(st.from_regex(r"[a-z0-9]{1,8}", fullmatch=True)))
def test_plain_words_are_themselves(words):
    assert meteor_words(" ".join(words), frozenset()) == words


@given(st.text("abé09.,'-`\"/& "))
def test_no_letter_or_digit_is_lost_or_moved(text):
    words = meteor_words(text, frozenset())
    assert [c for word in words for c in word if c.isalnum()] == [c for c in text if c.isalnum()]


@pytest.mark.parametrize(("words", "expected"), STEMS.items())
def test_stem(words, expected):
    assert [stem(word) for word in words.split()] == [expected] * len(words.split())


@given(st.from_regex(r"[a-z']{0,12}", fullmatch=True))
def test_a_stem_is_no_longer_than_its_word(word):
    assert len(stem(word)) <= len(word) + 1  # "hop(e)" may get its e back
    assert "Y" not in stem(word)


@pytest.fixture(scope="module")
def senses():
    synsets = [text for pair in SYNSETS.items() for text in pair]
    exceptions = [text for pair in EXCEPTIONS.items() for text in pair]
    return WordNet(synsets, exceptions).senses


@pytest.mark.parametrize(
    ("word", "expected"),
    [
        ("couch", {"1", "2"}),
        ("couches", {"1", "2"}),
        ("buggies", {"6"}),
        ("resting", {"9"}),
        ("children", {"5"}),
        ("lay", {"9"}),
        ("planes", {"11"}),
        ("planed", {"11"}),
        ("planer", {"10"}),  # the shorter first: plan, not plane
        ("glass", {"7"}),  # no plural of "glas"
        ("kangaroo", set()),
        ("s", set()),
    ],
)
def test_senses(senses, word, expected):
    assert senses(word) == expected


def test_the_table_is_read_as_far_as_the_captions_need_it(tmp_path):
    path = write_package(tmp_path) / "data" / "paraphrase-en.gz"
    predicted = [["a", "big", "dog"], ["in", "front", "of"]]
    expected = [["a", "large", "animal"], ["before"], ["the", "big"]]
    assert read_paraphrases(path, predicted, expected) == {
        "before": {"in front of"},
        "big": {"large"},
        "big dog": {"large animal"},
        "large": {"big"},
    }
    assert read_paraphrases(path, predicted, []) == {}


@settings(deadline=None)
@given(st.lists(st.sampled_from([word for pair in PARAPHRASES for word in pair])))
def test_a_paraphrase_is_found_wherever_it_stands(tmp_path_factory, phrases):
    path = tmp_path_factory.getbasetemp() / "table.gz"
    if not path.exists():
        path.write_bytes(gzip.compress("".join(f"1\n{a}\n{b}\n" for a, b in PARAPHRASES).encode()))
    text = " ".join(phrases).split()
    table = read_paraphrases(path, [text], [text])
    for phrase, paraphrase in PARAPHRASES:
        if phrase in phrases and paraphrase in phrases:
            assert paraphrase in table[phrase]
