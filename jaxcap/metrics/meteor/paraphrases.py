"""The table of paraphrases: 5 million pairs of phrases, of which some captions need few."""

import gzip
import io
from collections.abc import Iterable, Mapping, Sequence, Set
from pathlib import Path

from jaxcap.errors import UserError

# The longest phrase of the table, in words.
_LONGEST = 7

Paraphrases = Mapping[str, Set[str]]


def read_paraphrases(
    path: Path, predicted: Iterable[Sequence[str]], expected: Iterable[Sequence[str]]
) -> Paraphrases:
    """Phrase -> its paraphrases, as far as one occurs in a prediction and one in a reference.

    Args:
      path: paraphrase-en.gz.
      predicted: the words of the predictions.
      expected: the words of the references.

    Raises:
      UserError: the file cannot be read.
    """
    ours, theirs = _phrases(predicted), _phrases(expected)
    table: dict[str, set[str]] = {}
    last = b""
    is_ours = is_theirs = False
    try:
        # Buffered once more, as the gzip module's own reading of lines takes twice the time.
        with gzip.open(path) as file, io.BufferedReader(file, 1 << 20) as lines:
            # Entries with one phrase stand together. How likely a paraphrase is does not count.
            for _, phrase, paraphrase in zip(lines, lines, lines, strict=True):
                if phrase != last:
                    last, is_ours, is_theirs = phrase, phrase in ours, phrase in theirs
                if (is_ours and paraphrase in theirs) or (is_theirs and paraphrase in ours):
                    known = table.setdefault(phrase[:-1].decode("utf-8"), set())
                    known.add(paraphrase[:-1].decode("utf-8"))
    except (OSError, EOFError, ValueError) as error:
        raise UserError(
            f"{path}: METEOR's paraphrases cannot be read ({error}). Expected three lines an "
            "entry, compressed by gzip: METEOR needs pip install --force-reinstall pycocoevalcap."
        ) from error
    return table


def spans(words: Sequence[str]) -> Iterable[tuple[int, int, str]]:
    """All phrases of a caption that a table could have, by their start and then their length."""
    for start in range(len(words)):
        for length in range(1, min(_LONGEST, len(words) - start) + 1):
            yield start, length, " ".join(words[start : start + length])


def _phrases(captions: Iterable[Sequence[str]]) -> set[bytes]:
    """As they stand in the file: bytes with an end of line, so that no line has to be decoded."""
    return {f"{phrase}\n".encode() for words in captions for _, _, phrase in spans(words)}
