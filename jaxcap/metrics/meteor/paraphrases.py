"""The table of paraphrases: 5 million pairs of phrases, of which some captions need few."""

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from itertools import chain
from pathlib import Path

from jaxcap.errors import UserError

# The longest phrase of the table, in words.
_LONGEST = 7
_BLOCK = 1 << 22  # bytes

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
        with gzip.open(path) as file:
            lines = chain.from_iterable(_blocks(file))
            # Entries with one phrase stand together. How likely a paraphrase is does not count.
            for _, phrase, paraphrase in zip(lines, lines, lines, strict=True):
                if phrase != last:
                    last, is_ours, is_theirs = phrase, phrase in ours, phrase in theirs
                if (is_ours and paraphrase in theirs) or (is_theirs and paraphrase in ours):
                    known = table.setdefault(phrase[:-1].decode("utf-8"), set())
                    known.add(paraphrase[:-1].decode("utf-8"))
    except (OSError, EOFError, ValueError, zlib.error) as error:
        raise UserError(
            f"{path}: METEOR's paraphrases cannot be read ({error}). Expected three lines an "
            "entry, compressed by gzip: METEOR needs pip install --force-reinstall pycocoevalcap."
        ) from error
    return table


def _blocks(file: gzip.GzipFile) -> Iterator[Iterable[bytes]]:
    """The lines of a file, many at a time: the gzip module's own reading of them takes longer."""
    while block := file.read(_BLOCK):
        yield io.BytesIO(block + file.readline())


def _phrases(captions: Iterable[Sequence[str]]) -> set[bytes]:
    """All that a table could have, as they stand in the file: bytes with an end of line.

    So no line has to be decoded.
    """
    found = set()
    for words in captions:
        parts = [word.encode(errors="surrogatepass") for word in words]
        for start in range(len(parts)):
            phrase = parts[start]
            found.add(phrase + b"\n")
            for part in parts[start + 1 : start + _LONGEST]:
                phrase += b" " + part
                found.add(phrase + b"\n")
    return found
