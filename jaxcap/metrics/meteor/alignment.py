"""The alignment: which of the matches hold, so that no word is in two of them.

As published, it covers most words, then has fewest chunks (runs of matches that go on in both
captions), then matches nearest to each other, and is found by a search with a beam of 40. How the
program counts each of the three was found by experiment, and is told below where it is not what
one would expect.
"""

from collections import Counter
from collections.abc import Sequence
from operator import itemgetter
from typing import NamedTuple

from jaxcap.metrics.meteor.matches import Match, Stage

_BEAM = 40


class _Path(NamedTuple):
    """Matches chosen for the first words of the reference.

    Attributes:
      uncovered: less is better: minus the words covered.
      chunks: those that have ended. One that may go on costs nothing yet.
      distance: how far apart the words were whose matches were passed over.
      reference_end: the first word of the reference that is still free.
      end: where the caption would have to go on for the chunk to go on; -1 where none is open.
      used: the words of the caption that are taken, as bits.
      matches: the chosen.
    """

    uncovered: int
    chunks: int
    distance: int
    reference_end: int
    end: int
    used: int
    matches: tuple[Match, ...]


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
    starting: list[list[Match]] = [[] for _ in reference]
    for match in matches:
        starting[match.reference_start].append(match)
    certain = _certain(matches)
    paths = [_Path(0, 0, 0, 0, -1, 0, ())]
    for position, options in enumerate(starting):
        longer: list[_Path] = []
        for path in paths:
            if path.reference_end > position:
                longer.append(path)
            elif position in certain:
                longer.append(_extended(path, certain[position], path.distance))
            else:
                _extend(longer, path, options)
        # Stable: of equal ones the first found stays the first.
        longer.sort(key=_cost)
        paths = longer[:_BEAM]
    return min(paths, key=lambda path: (path[0], path.chunks + (path.end >= 0), path[2])).matches


def _extend(longer: list[_Path], path: _Path, options: Sequence[Match]) -> None:
    """Adds the path with each of the options, and without any.

    A match is not charged for its own distance but for those of the options before it, and to leave
    the word out costs the distances of all.
    """
    distance = path.distance
    for match in options:
        if not path.used & _bits(match):
            longer.append(_extended(path, match, distance))
            distance += abs(match.start - match.reference_start)
    chunks = path.chunks + (path.end >= 0)
    longer.append(path._replace(chunks=chunks, distance=distance, end=-1))


def _extended(path: _Path, match: Match, distance: int) -> _Path:
    return _Path(
        path.uncovered - _covered(match),
        path.chunks + (path.end >= 0 and path.end != match.start),
        distance,
        match.reference_start + match.reference_length,
        match.start + match.length,
        path.used | _bits(match),
        (*path.matches, match),
    )


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


def _bits(match: Match) -> int:
    return ((1 << match.length) - 1) << match.start
