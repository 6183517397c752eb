"""The search finds what Transformers' `generate` finds: the same captions with the same scores."""

from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from generated import expect
from toy import APART, BOS, EOS, PAD, SHARED, endings, run

from jaxcap.decode import Search

pytest.importorskip("torch", reason="Transformers' generate runs on PyTorch")
from peer import first_draw, generate

IMAGES, WORDS = 20, 12
PROMPTS = [(), (5,), (5, 6), (5, 5, 5)] * 5
NEVER = (PAD, BOS)


TABLE = endings(IMAGES, WORDS, seed=5)


@cache
def theirs(search, roles=APART):
    return generate(TABLE, search, PROMPTS, roles)


def check(search, roles=APART):
    expect(run(TABLE, search, PROMPTS, roles=roles), PROMPTS, theirs(search, roles), roles[0])


def lengths(found):
    return {len(caption) for captions in found for _, caption in captions}


def best(found):
    return [captions[0][1] for captions in found]


PLAIN = [
    Search(max_len=6),
    Search(max_len=9, length_penalty=0.0),
    *(
        Search(beams=3, max_len=6, length_penalty=by, early_stopping=early)
        for by in (1.0, 0.0, -1.0, 2.0)
        for early in (False, True, "never")
    ),
    Search(beams=2, max_len=7),
    Search(beams=4, max_len=6, length_penalty=0.6),
    Search(beams=5, max_len=4, early_stopping=True),
    Search(beams=6, max_len=5, length_penalty=-0.5),
    Search(beams=8, max_len=6, early_stopping="never"),
]


@pytest.mark.parametrize("search", PLAIN)
def test_captions_and_scores_are_theirs(search):
    check(search)
    assert len(lengths(theirs(search))) > 2


def test_beams_cross_and_patience_and_length_penalty_matter():
    greedy = best(theirs(PLAIN[0]))
    three = {search: theirs(search) for search in PLAIN if search.beams == 3}
    for found in three.values():
        assert any(ours[0] != first[0] for ours, first in zip(best(found), greedy, strict=True))
        assert any(captions[0][1][0] != captions[1][1][0] for captions in found)
    gaining = [found for search, found in three.items() if search.length_penalty > 0]
    assert len({str(found) for found in gaining}) == 6  # two penalties, three kinds of patience
    patient = [found for search, found in three.items() if search.early_stopping is False]
    assert len({str(best(found)) for found in patient}) > 2


RULES = [
    {"min_len": 4},
    {"min_len": 6},
    {"no_repeat_ngram": 1},
    {"no_repeat_ngram": 2},
    {"repetition_penalty": 1.5},
    {"repetition_penalty": 0.6},
    {"bad_words": ((6,), (EOS,), (9,))},
    {"bad_words": ((6, 5), (5, 6), (10, 3, 6), (5, 5, 5, 5), (BOS, 8), (3, EOS))},
    {"forced_bos": 7},
    {"forced_eos": EOS},
    {"forced_bos": 4, "forced_eos": EOS, "min_len": 6},
    {"suppress": (PAD, BOS, 8)},
    {"suppress": (PAD, EOS)},
    {"no_repeat_ngram": 2, "repetition_penalty": 1.2, "min_len": 3, "suppress": NEVER},
    {"repetition_penalty": 3.0, "bad_words": ((4,), (7, 8)), "forced_eos": EOS, "suppress": NEVER},
]
ONE = Search(max_len=6)
MANY = Search(beams=4, max_len=6, length_penalty=0.8)


@pytest.mark.parametrize("plain", [ONE, MANY], ids=["greedy", "beams"])
@pytest.mark.parametrize("rules", RULES)
def test_captions_under_rules_are_theirs(plain, rules):
    search = replace(plain, **rules)
    check(search)
    assert best(theirs(search)) != best(theirs(plain))
    fixed = search.min_len == search.max_len or EOS in (search.suppress or ())
    assert len(lengths(theirs(search))) > 1 or fixed


COMBINED = [
    Search(beams=2, max_len=7, no_repeat_ngram=3, early_stopping=True, suppress=NEVER),
    Search(beams=3, max_len=5, repetition_penalty=0.4, early_stopping="never"),
    Search(beams=8, max_len=4, min_len=2, bad_words=((8,), (5, 7)), early_stopping=True),
    Search(beams=3, max_len=8, no_repeat_ngram=1, length_penalty=-1.0, suppress=NEVER),
    Search(beams=5, max_len=6, forced_bos=9, repetition_penalty=2.0, length_penalty=0.0),
]


@pytest.mark.parametrize("search", COMBINED)
def test_captions_under_rules_of_other_searches_are_theirs(search):
    check(search)
    plain = Search(beams=search.beams, max_len=search.max_len, length_penalty=search.length_penalty)
    assert best(theirs(search)) != best(theirs(plain))


@pytest.mark.parametrize("beams", [1, 3])
@pytest.mark.parametrize(
    "rules",
    [
        {},
        {"no_repeat_ngram": 1},
        {"repetition_penalty": 2.5},
        {"repetition_penalty": 0.5, "min_len": 2, "no_repeat_ngram": 2},
        {"bad_words": ((EOS, 5), (EOS, EOS), (6, EOS)), "forced_eos": EOS},
    ],
)
def test_one_id_may_be_padding_beginning_and_end(beams, rules):
    search = Search(beams=beams, max_len=6, **rules)
    check(search, SHARED)
    if rules:
        assert best(theirs(search, SHARED)) != best(theirs(search))


def test_samples_are_drawn_as_often_as_theirs():
    rules = {"repetition_penalty": 2.0, "bad_words": ((5, 6),), "forced_bos": 4}
    warped = {"temperature": 0.8, "top_k": 9, "top_p": 0.9}
    search = Search(beams=2000, sample=True, max_len=1, **rules, **warped)
    found = run(TABLE[:8], search, PROMPTS[:8])
    drawn = np.array(first_draw(TABLE[:8], replace(search, beams=1), PROMPTS[:8]))
    assert ((drawn > 0).sum(axis=1) > 1).sum() == 6  # all that are not forced
    for image, p in enumerate(drawn):
        words = found.tokens[image, :, len(PROMPTS[image])]
        share = np.bincount(words, minlength=WORDS) / search.beams
        assert not share[p == 0].any()
        assert (np.abs(share - p) <= 5 * np.sqrt(p * (1 - p) / search.beams) + 1e-6).all()
