"""Alignments: what any must be, the best there is, and what the program was seen to choose."""

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxcap.metrics.meteor.alignment import align
from jaxcap.metrics.meteor.matches import Match, Matcher, Stage
from jaxcap.metrics.meteor.wordnet import WordNet

TABLE = {
    "worn": {"used"},
    "used": {"worn"},
    "rich": {"wealthy"},
    "wealthy": {"rich"},
    "blunt": {"dull"},
    "the man": {"a man"},
    "at once": {"now"},
}
texts = st.lists(st.sampled_from(["worn", "used", "rich", "wealthy", "the", "man", "a", "now"]))


def matches_of(words, reference):
    matcher = Matcher(WordNet(["couch", "1", "sofa", "1"], []), TABLE)
    return matcher.matches(matcher.text(words), matcher.text(reference))


def aligned(words, reference):
    words, reference = words.split(), reference.split()
    return list(align(words, reference, matches_of(words, reference)))


def places(words, reference):
    return {match.start: match.reference_start for match in aligned(words, reference)}


def chunks(alignment):
    ends = [(m.start + m.length, m.reference_start + m.reference_length) for m in alignment]
    starts = [(m.start, m.reference_start) for m in alignment]
    return len(starts) - sum(start in ends for start in starts)


@settings(deadline=None)
@given(texts, texts)
def test_no_word_is_in_two_matches(words, reference):
    found = align(words, reference, matches_of(words, reference))
    used = [i for m in found for i in range(m.start, m.start + m.length)]
    reference_used = [
        j for m in found for j in range(m.reference_start, m.reference_start + m.reference_length)
    ]
    assert len(used) == len(set(used))
    assert reference_used == sorted(set(reference_used))


@settings(deadline=None, max_examples=300)
@given(st.text("ab", max_size=3), st.text("abc", max_size=3))
def test_as_many_words_in_as_few_chunks_as_any_alignment_has(words, reference):
    matches = matches_of(words, reference)
    possible = []
    for size in range(4):
        for some in itertools.combinations(sorted(matches), size):
            if len({m.start for m in some}) == len({m.reference_start for m in some}) == size:
                possible.append((-size, chunks(some)))
    found = align(words, reference, matches)
    assert (-len(found), chunks(found)) == min(possible)


def test_stages_of_one_word():
    assert [m.stage for m in aligned("sofa runs blunt a", "couch running dull a")] == [
        Stage.SYNONYM,
        Stage.STEM,
        Stage.PARAPHRASE,
        Stage.EXACT,
    ]


def test_phrases_of_several_words():
    assert aligned("jump now", "he jumps at once") == [
        Match(1, 1, 0, 1, Stage.STEM),
        Match(2, 2, 1, 1, Stage.PARAPHRASE),
    ]


def test_more_words_are_covered_by_a_phrase():
    assert aligned("a man x", "the man y") == [Match(0, 2, 0, 2, Stage.PARAPHRASE)]


# What the program chooses, as it was seen to. Of places that are equally good it takes the first,
# unless the word stands at the very same place in both.
@pytest.mark.parametrize(
    ("words", "reference", "expected"),
    [
        ("q w a", "a r a", {2: 0}),
        ("a q w e", "r s a t a", {0: 2}),
        ("a q w e", "a r s a", {0: 3}),
        ("q a w e", "r a s a", {1: 3}),
        ("a q w a", "a r s t", {0: 0}),
        ("q a w a", "r s a t", {1: 2}),
        ("a x", "a a x", {0: 1, 1: 2}),
        ("a b", "b a b a", {0: 1, 1: 2}),
        ("q a z a", "r s a a t a", {1: 2, 3: 5}),
        ("a q a", "a r a a", {0: 0, 2: 3}),
    ],
)
def test_places_equally_good(words, reference, expected):
    assert places(words, reference) == expected


@pytest.mark.parametrize(
    ("words", "reference", "expected"),
    [
        ("blunt", "dull", {0: 0}),
        ("blunt", "dull dull", {}),
        ("sofa", "couch couch", {}),
        ("worn", "used", {}),
        ("worn rich", "used wealthy", {}),
        ("q worn", "q used", {0: 0, 1: 1}),
        ("worn q", "used q", {0: 0, 1: 1}),
        ("q x worn", "q y used", {0: 0}),
        ("worn blunt", "used dull", {0: 0, 1: 1}),
    ],
)
def test_a_doubtful_match_holds_only_where_it_continues_a_chunk(words, reference, expected):
    assert places(words, reference) == expected


def test_a_long_caption_that_is_its_reference_is_aligned_as_such():
    words = ["a", "b"] * 40
    assert {m.start: m.reference_start for m in align(words, words, matches_of(words, words))} == {
        i: i for i in range(80)
    }
