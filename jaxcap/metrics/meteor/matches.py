"""Matches: all places where a word or phrase of a caption could stand for one of a reference."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import NamedTuple

from jaxcap.metrics.meteor.paraphrases import Paraphrases
from jaxcap.metrics.meteor.porter2 import stem
from jaxcap.metrics.meteor.wordnet import WordNet


class Stage(IntEnum):
    """By what two phrases match."""

    EXACT = 0
    STEM = 1
    SYNONYM = 2
    PARAPHRASE = 3


class Match(NamedTuple):
    """A phrase of a reference and a phrase of a caption, each by its first word and its length."""

    reference_start: int
    reference_length: int
    start: int
    length: int
    stage: Stage


@dataclass(frozen=True, slots=True)
class Text:
    """A caption with what it is matched by.

    Attributes:
      words: as METEOR counts them.
      stems: of each word.
      senses: of each word.
      by_stem: stem -> the places of its words.
      sense: of any of the words.
      phrases: the start, length and words of each that has a paraphrase or is one.
      places: phrase -> its length and starts, of the same.
    """

    words: Sequence[str]
    stems: Sequence[str]
    senses: Sequence[frozenset[str]]
    by_stem: dict[str, list[int]]
    sense: frozenset[str]
    phrases: Sequence[tuple[int, int, str]]
    places: dict[str, tuple[int, list[int]]]


class Matcher:
    """Finds matches."""

    def __init__(self, wordnet: WordNet, paraphrases: Paraphrases):
        self._wordnet = wordnet
        self._paraphrases = paraphrases
        self._phrases = set(paraphrases).union(*paraphrases.values())
        self._beginnings = {
            phrase[:end]
            for phrase in self._phrases
            for end, letter in enumerate(phrase)
            if letter == " "
        }
        self._senses: dict[str, frozenset[str]] = {}

    def text(self, words: Sequence[str]) -> Text:
        """Looks the words of a caption up."""
        for word in words:
            if word not in self._senses:
                self._senses[word] = self._wordnet.senses(word)
        stems = [stem(word) for word in words]
        by_stem: dict[str, list[int]] = {}
        for place, its_stem in enumerate(stems):
            by_stem.setdefault(its_stem, []).append(place)
        phrases = list(self._spans(words))
        places: dict[str, tuple[int, list[int]]] = {}
        for start, length, phrase in phrases:
            places.setdefault(phrase, (length, []))[1].append(start)
        senses = [self._senses[word] for word in words]
        return Text(words, stems, senses, by_stem, frozenset().union(*senses), phrases, places)

    def matches(self, text: Text, reference: Text) -> list[Match]:
        """All matches. Where several are equally good, the aligner prefers the first of them.

        Two phrases that match in several ways are several matches.
        """
        exact, stems, synonyms = [], [], []
        for j, word in enumerate(reference.words):
            for i in text.by_stem.get(reference.stems[j], ()):
                if word == text.words[i]:
                    exact.append(Match(j, 1, i, 1, Stage.EXACT))
                else:
                    stems.append(Match(j, 1, i, 1, Stage.STEM))
            senses = reference.senses[j]
            if senses.isdisjoint(text.sense):
                continue
            for i, other in enumerate(text.senses):
                if not senses.isdisjoint(other) and word != text.words[i]:
                    synonyms.append(Match(j, 1, i, 1, Stage.SYNONYM))
        forward = self._rephrased(reference, text)
        backward = (
            Match(start, length, other_start, other_length, Stage.PARAPHRASE)
            for other_start, other_length, start, length, _ in self._rephrased(text, reference)
        )
        return [*exact, *stems, *synonyms, *forward, *backward]

    def _spans(self, words: Sequence[str]) -> Iterator[tuple[int, int, str]]:
        """The phrases of a caption that have a paraphrase or are one, by start and then length."""
        for start, phrase in enumerate(words):
            for end in range(start + 1, len(words) + 1):
                if phrase in self._phrases:
                    yield start, end - start, phrase
                if phrase not in self._beginnings or end == len(words):
                    break
                phrase = f"{phrase} {words[end]}"

    def _rephrased(self, text: Text, other: Text) -> Iterator[Match]:
        """Phrases of `text` with their paraphrases in `other`, in the order of the table."""
        for start, length, phrase in text.phrases:
            if paraphrases := self._paraphrases.get(phrase):
                for paraphrase in sorted(other.places.keys() & paraphrases):
                    other_length, starts = other.places[paraphrase]
                    for other_start in starts:
                        yield Match(start, length, other_start, other_length, Stage.PARAPHRASE)
