"""Vectors of words from a GloVe or word2vec file, as the rows of the table that a decoder reads.

Such a file is text: a word and its numbers a line, and with word2vec a line before them that says
how many words and numbers there are. It may have gigabytes: only the lines of words that the
tokenizer has are kept.
"""

import gzip
import zlib
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import IO, Any

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float

from jaxcap.data.text import Tokenizer
from jaxcap.errors import UserError
from jaxcap.interop.report import Report

TABLE = "decoder/words/embedding"


def start_words(
    path: str, tokenizer: Tokenizer, fresh: Float[Array, "rows D"]
) -> tuple[Float[Array, "rows D"], Report]:
    """The table with the vectors that a file has for words of the tokenizer.

    All of them are multiplied by one number, so that their root mean square is that of the fresh
    rows. What is between words (angles, ratios of lengths) stays as it is in the file; and words
    with and without a vector are of one size, which is that for which the input's scale, the places
    added to it and, where the table is tied, the scores of the next word are made.

    Args:
      path: of the file; with .gz at its end it is read as that.
      tokenizer: of kind "word".
      fresh: the table as it was drawn, float32. Special tokens and words that the file lacks keep
        their rows.

    Returns:
      The table, and what became of its words.

    Raises:
      UserError: another kind of tokenizer, vectors of another width, none of the words, or a
        damaged file.
    """
    if tokenizer.kind != "word":
        raise UserError(
            f"model.word_vectors={path!r} has vectors of whole words, but tokenizer.kind is "
            f"{tokenizer.kind!r}. Set tokenizer.kind='word', or leave model.word_vectors empty."
        )
    special = tokenizer.backend.get_added_tokens_decoder()
    ids = {word: id for word, id in tokenizer.backend.get_vocab().items() if id not in special}
    found = read_word_vectors(Path(path), ids, fresh.shape[1])
    vectors = np.array(list(found.values()), np.float32)
    if not vectors.any():
        raise UserError(
            f"{path} has a vector for none of the tokenizer's {len(ids)} words, such as "
            f"{min(ids)!r}. Is it of their language, and text (word2vec also writes binary files)?"
        )
    size = _rms(fresh[: tokenizer.vocab_size]) / _rms(jnp.asarray(vectors))
    rows = np.array([ids[word] for word in found])
    report = Report(loaded={TABLE: path}, words={path: (len(found), len(ids))})
    return fresh.at[rows].set(vectors * size), report


def read_word_vectors(
    file: Path, words: Collection[str], width: int
) -> dict[str, Float[np.ndarray, "D"]]:
    """The vectors, float32, of those of the words that a file has.

    A word of the file is also that of its small letters, unless those stand in a line of their
    own; of several lines of a word the first is taken.

    Args:
      file: text, or .gz of it.
      words: in small letters and without spaces.
      width: D.

    Raises:
      UserError: it is not there, its vectors have another width, or a line of one of the words is
        damaged; with the file and the line.
    """
    spelled: dict[str, np.ndarray] = {}
    folded: dict[str, np.ndarray] = {}
    for number, line in _lines(file):
        if number == 1:
            fields = line.split()[1:]
            header = len(fields) == 1 and line.replace(" ", "").isdecimal()
            its = int(fields[0]) if header else len(_numbers(file, 1, fields, len(fields)))
            if its != width:
                raise UserError(
                    f"{file} has vectors of {its} numbers, and the words of the decoder have "
                    f"{width}. Set model.decoder.width={its} (model.decoder.word_width of a "
                    f"recurrent one), or take vectors of {width} numbers."
                )
            if header:
                continue
        if line.partition(" ")[0].lower() not in words:
            continue
        word, *fields = line.rsplit(" ", width)  # in GloVe's 840B some words have spaces
        if word.lower() in words or len(fields) < width:
            vector = _numbers(file, number, fields, width)
            (spelled if word in words else folded).setdefault(word.lower(), vector)
    return folded | spelled


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """The numbered lines of a file, read one by one; what is no UTF-8 in them is no word here."""
    opened: Any = gzip.open if file.suffix == ".gz" else open
    try:
        text: IO[str]
        with opened(file, "rt", encoding="utf-8", errors="replace", newline="\n") as text:
            for number, line in enumerate(text, 1):
                yield number, line.rstrip()  # word2vec has a space at the end of each
    except (OSError, EOFError, zlib.error) as error:
        raise UserError(
            f"model.word_vectors={str(file)!r} cannot be read: {error}. Give a whole file of GloVe "
            "or word2vec, as text or .gz."
        ) from error


def _numbers(file: Path, line: int, fields: list[str], width: int) -> np.ndarray:
    """The fields as float32, which are to be `width` finite numbers."""
    try:
        vector = np.array(fields, np.float32)
    except ValueError:
        vector = np.array([])
    if not np.isfinite(vector).all() or vector.size != width or not width:
        raise UserError(
            f"{file}, line {line}: expected a word and {width or 'its'} numbers, found "
            f"{' '.join(fields)[:60]!r} after the word. Mend the line, or take it out."
        )
    return vector


def _rms(x: Float[Array, "..."]) -> Float[Array, ""]:
    return jnp.sqrt(jnp.mean(jnp.square(x)))
