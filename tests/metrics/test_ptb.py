"""The cuts of ptb_words, rule by rule; test_golden.py holds them to the scorer's own words."""

import re
import string

import pytest
from hypothesis import given
from hypothesis import strategies as st

from jaxcap.metrics.ptb import ptb_words

# The COCO scorer's list without its brackets, which it fails to drop.
DROPPED = "'' ' `` ` . ? ! , : - -- ... ;"

# A rule, a caption, and its words.
CASES = {
    "small letters": ("A Dog RUNS", "a dog runs"),
    "dropped": (f'a {DROPPED} " b', "a b"),
    "runs of dropped": ("in bed.. a net.- oh!!! well.... ------- no?!", "in bed a net oh well no"),
    "marks touching words": ('the "lovely," (big) dog;', "the lovely -lrb- big -rrb- dog"),
    "commas without spaces": ("doughnuts,cake,bread,", "doughnuts cake bread"),
    "brackets": ("( ) [ ] { }", "-lrb- -rrb- -lsb- -rsb- -lcb- -rcb-"),
    "negation": ("They don't, can't, WON'T.", "they do n't ca n't wo n't"),
    "negation cut before": ("a do n't walk sign", "a do n't walk sign"),
    "negated and contracted": ("it shouldn't've", "it should n't 've"),
    "possessive": ("the dog's and a pizza's.", "the dog 's and a pizza 's"),
    "possessive cut before": ("a bird 's-eye-view", "a bird 's eye-view"),
    "possessive of digits": ("the 1960's", "the 1960 's"),
    "possessive of a plural": ("the farmers' market", "the farmers market"),
    "possessive of an acronym": ("a T.V.'s screen", "a t.v. 's screen"),
    "clitics": (
        "I'm he'd they're we've she'll that's",
        "i 'm he 'd they 're we 've she 'll that 's",
    ),
    "typographic apostrophe": ("it\u2019s \u2018here\u2019, \u201cthere\u201d", "it 's here there"),
    "typographic dash and ellipsis": ("a\u2014kite \u2013 sea\u2026sand", "a kite sea sand"),
    "fused": (
        "cannot gonna wanna gotta gimme lemme",
        "can not gon na wan na got ta gim me lem me",
    ),
    "fused within a word": ("a candle, cannots, wannabe", "a candle cannots wannabe"),
    "it is": ("'tis here, 'twas there, in tis fridge", "'t is here 't was there in tis fridge"),
    "apostrophe inside": ("five o'clock", "five o'clock"),
    "elided": ("a slip 'n' slide of the '80s, get 'em", "a slip 'n' slide of the '80s get 'em"),
    "quoted in apostrophes": ("a 't-ball' stand, 'No Parking'", "a t-ball stand no parking"),
    "acronym": ("a t.v. on a U.S. S.C.U.B.A. boat", "a t.v. on a u.s. s.c.u.b.a. boat"),
    "acronym at the end": ("in Washington D.C.", "in washington d.c."),
    "acronym in quotes": ('it says "P.I.N.K."', "it says p.i.n.k."),
    "acronym without its last stop": ("a U.S army man, a t.v", "a u.s army man a t.v"),
    "time of day": ("from 8 a.m. to 6 p.m.", "from 8 a.m. to 6 p.m."),
    "abbreviation": ("Mr. Potato of HOWE ST. and st. Luke", "mr. potato of howe st. and st. luke"),
    "abbreviation at the end": ("on Madison Ave.", "on madison ave."),
    "abbreviation cut before": ("near 3rd St .", "near 3rd st"),
    "abbreviation ending a word": ("the first. a bird.", "the first a bird"),
    "numero": ("No. 7 says no.", "no. 7 says no"),
    "initial": ("Miami U. pushes N. Astor", "miami u. pushes n. astor"),
    "initial in quotes": ('the letter "B."', "the letter b."),
    "initial at the end": ("the Wii U.", "the wii u"),
    "pronoun": ("lying I. The step", "lying i the step"),
    "hyphens": ("a T-shirt, a 4-wheeler, be-a-bord", "a t-shirt a 4-wheeler be-a-bord"),
    "hyphens at an edge": ("city- and -ependent and-veh-", "city and ependent and-veh"),
    "double dash": ("the beach--kite", "the beach kite"),
    "numbers": ("3.5, 10,000, 1/2 at 12:45.", "3.5 10,000 1/2 at 12:45"),
    "number that begins with its point": ("a .5 liter of ...5", "a .5 liter of 5"),
    "digits and letters": ("an mp3 of the 3rd 4x4 at 20mph", "an mp3 of the 3rd 4x4 at 20mph"),
    "slash": ("black/white and / or", "black/white and / or"),
    "stop inside": ("statefarm.com by a fork.A", "statefarm.com by a fork.a"),
    "ampersand": ("A&M at&t, M&Ms b & w", "a&m at & t m&m s b & w"),
    "escapes": ("A&amp;M &amp; I&lt;3NY &quot;x&quot;", "a&m & i < 3ny x"),
    "other marks": ("#13 $5 10% i=on + 6\"", "# 13 $ 5 10 % i = on + 6"),
    "accents": ("Bou-de-Sières", "bou-de-sières"),
    "white space": (" a\tdog\nruns\r\n\u00a0by \n", "a dog runs by"),
    "nothing": ("", ""),
    "nothing but marks": (' ... "?!" ', ""),
}  # fmt: skip


@pytest.mark.parametrize(("caption", "words"), CASES.values(), ids=CASES.keys())
def test_cut(caption, words):
    assert ptb_words(caption) == words.split()


ascii_text = st.text(string.ascii_letters + string.digits + string.punctuation + " \n")
plain_words = st.lists(
    st.from_regex(r"[a-z]{2,8}(-[a-z]{2,8})?", fullmatch=True).filter(
        lambda word: word not in {"cannot", "gonna", "wanna", "gotta", "gimme", "lemme"}
    )
)


@given(st.text())
def test_words_are_small_solid_and_not_punctuation(caption):
    for word in ptb_words(caption):
        assert word == word.lower()
        assert word
        assert not any(c.isspace() for c in word)
        assert word not in DROPPED.split()


@given(ascii_text.filter(lambda text: "&" not in text))
def test_no_letter_or_digit_is_lost_or_moved(caption):
    brackets = {"-lrb-", "-rrb-", "-lcb-", "-rcb-", "-lsb-", "-rsb-"}
    kept = "".join(word for word in ptb_words(caption) if word not in brackets)
    assert [c for c in kept if c.isalnum()] == [c for c in caption.lower() if c.isalnum()]


@given(plain_words)
def test_plain_words_are_themselves(words):
    assert ptb_words(" ".join(words)) == words


@given(plain_words, st.lists(st.sampled_from(DROPPED.split()), min_size=1))
def test_punctuation_between_words_changes_nothing(words, marks):
    assert ptb_words(f" {' '.join(marks)} ".join(words)) == words


@given(ascii_text)
def test_line_ends_are_spaces(caption):
    assert ptb_words(caption) == ptb_words(caption.replace("\n", " "))


# A stop at the very end may be an initial's or a No.'s, which depends on what follows; and an
# escape may stand for a stop.
@given(ascii_text.filter(lambda text: not re.search(r"&|\.\s*$", text)), ascii_text)
def test_a_space_separates(before, after):
    assert ptb_words(f"{before} {after}") == ptb_words(before) + ptb_words(after)
