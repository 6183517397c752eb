"""The alignment: which of the matches hold, so that no word is in two of them.

As published, it covers most words, then has fewest chunks (runs of matches that go on in both
captions), then matches nearest to each other, and is found by a search with a beam of 40. How the
program counts each of the three was found by experiment, and is told below where it is not what
one would expect.
"""

from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from jaxcap.metrics.meteor.matches import Match, Stage

_BEAM = 40


class _Option(NamedTuple):
    """A match that a path may take.

    Attributes:
      match: itself.
      covered: the words that it covers; see `_covered`.
      words: of the caption, as bits.
      away: how far apart the words are.
    """

    match: Match
    covered: int
    words: int
    away: int

    @classmethod
    def of(cls, match: Match) -> "_Option":
        words = ((1 << match.length) - 1) << match.start
        return cls(match, _covered(match), words, abs(match.start - match.reference_start))


# Matches chosen for the first words of the reference, as a plain tuple: there are millions.
#   uncovered: less is better: minus the words covered.
#   chunks: those that have ended. One that may go on costs nothing yet.
#   distance: how far apart the words were whose matches were passed over.
#   reference_end: the first word of the reference that is still free.
#   end: where the caption would have to go on for the chunk to go on; -1 where none is open.
#   used: the words of the caption that are taken, as bits.
#   chosen: the last of the matches, and those before it in the same way.
_Path = tuple[int, int, int, int, int, int, Any]

_cost = itemgetter(0, 1, 2)


def align(
    words: Sequence[str], reference: Sequence[str], matches: Sequence[Match]
) -> tuple[Match, ...]:
    """The best alignment, in the order of the reference (Denkowski and Lavie, 2011).

    Args:
      words: of a caption.
      reference: the words of a reference.
      matches: all between the two; of equally good ones the first is preferred.
    """
    if words == reference:  # the beam could lose what is plain to see
        return tuple(Match(i, 1, i, 1, Stage.EXACT) for i in range(len(words)))
    starting: list[list[_Option]] = [[] for _ in reference]
    for match in matches:
        starting[match.reference_start].append(_Option.of(match))
    certain = _certain(matches)
    paths: list[_Path] = [(0, 0, 0, 0, -1, 0, None)]
    for position, options in enumerate(starting):
        longer: list[_Path] = []
        if position in certain:
            _extend(longer, paths, position, [_Option.of(certain[position])], optional=False)
        else:
            _extend(longer, paths, position, options, optional=True)
        # Stable: of equal ones the first found stays the first.
        longer.sort(key=_cost)
        paths = longer[:_BEAM]
    best = min(paths, key=lambda path: (path[0], path[1] + (path[4] >= 0), path[2]))
    found: list[Match] = []
    chosen = best[-1]
    while chosen is not None:
        match, chosen = chosen
        found.append(match)
    return tuple(reversed(found))


def _extend(
    longer: list[_Path],
    paths: Sequence[_Path],
    position: int,
    options: Sequence[_Option],
    optional: bool,
) -> None:
    """Adds the paths with each of the options of a word, and without any where that may be.

    A match is not charged for its own distance but for those of the options before it, and to leave
    the word out costs the distances of all.
    """
    for path in paths:
        uncovered, chunks, distance, reference_end, end, used, chosen = path
        if reference_end > position:
            longer.append(path)
            continue
        for match, covered, words, away in options:
            if used & words:
                continue
            _, length, start, its_length, _ = match
            longer.append(
                (
                    uncovered - covered,
                    chunks + (end >= 0 and end != start),
                    distance,
                    position + length,
                    start + its_length,
                    used | words,
                    (match, chosen),
                )
            )
            distance += away
        if optional:
            ended = chunks + (end >= 0)
            longer.append((uncovered, ended, distance, reference_end, -1, used, chosen))


def _covered(match: Match) -> int:
    """Words covered in both captions; where they are not the same, half of each, rounded down.

    So a single word that matches by its stem, sense or paraphrase is no gain, and is left out where
    it would be a chunk of its own, unless it is certain.
    """
    if match.stage is Stage.EXACT:
        return match.length + match.reference_length
    return match.length // 2 + match.reference_length // 2


def _certain(matches: Sequence[Match]) -> dict[int, Match]:
    """The matches whose words are in no other, by their start: these always hold."""
    uses: Counter[int] = Counter()
    reference_uses: Counter[int] = Counter()
    for match in matches:
        uses.update(range(match.start, match.start + match.length))
        reference_uses.update(_reference_words(match))
    return {
        match.reference_start: match
        for match in matches
        if all(uses[i] == 1 for i in range(match.start, match.start + match.length))
        and all(reference_uses[j] == 1 for j in _reference_words(match))
    }


def _reference_words(match: Match) -> range:
    return range(match.reference_start, match.reference_start + match.reference_length)
