"""Words and n-grams as numbers: two halves of 32 bits, alike on the host and on the device.

A word's code follows from its letters and from nothing else, so no list of words is needed and a
rare word of a reference is as good as any. The code of letters one after the other can be put
together of the codes of its pieces, in whatever pieces a tokenizer has them: see `Piece`. Two
of 10,000 words have the same code with a chance of 3e-12, two of 10 million n-grams of 3e-6.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from jaxtyping import Array, UInt32

from jaxcap.metrics.ptb import ptb_words

ORDER = 4  # n-grams of 1 to so many words
END = "\x03"  # the letter of the word that stands for EOS; no caption has it

Half = UInt32[np.ndarray, "*S"] | UInt32[Array, "*S"]  # both wrap around alike
_BASES = (0x01000193, 0x9E3779B1)
_MIX = ((0x85EBCA6B, 0xC2B2AE35), (0x7FEB352D, 0x846CA68B))
_BITS = 0xFFFFFFFF


class Codes(NamedTuple):
    """Numbers of words or of n-grams, in two halves."""

    first: Half
    second: Half

    @classmethod
    def of_words(cls, words: list[str]) -> "Codes":
        """Of each word."""
        pieces = [Piece.of(word) for word in words]
        return cls(*(np.array([p.added[half] for p in pieces], np.uint32) for half in (0, 1)))


class Piece(NamedTuple):
    """What letters at the end of a word make of its code so far: code * factor + added.

    Attributes:
      factor, added: of each half.
    """

    factor: tuple[int, int]
    added: tuple[int, int]

    @classmethod
    @lru_cache(maxsize=100_000)
    def of(cls, letters: str) -> "Piece":
        """Of some letters; a word's own code is that of all of them, from 0."""
        factor, added = [1, 1], [0, 0]
        for letter in letters.encode(errors="surrogateescape"):
            for half, base in enumerate(_BASES):
                factor[half] = factor[half] * base & _BITS
                added[half] = (added[half] * base + letter + 1) & _BITS
        return cls((factor[0], factor[1]), (added[0], added[1]))


def reference_words(text: str, end: bool) -> list[str]:
    """The words of a reference; where EOS is a word, it is the last."""
    return [*ptb_words(text), *[END] * end]


def in_rows(captions: Sequence[list[str]], length: int) -> tuple[Codes, np.ndarray]:
    """Words as codes [N, length], padded on the right and cut there, and which of them are real."""
    real = np.zeros((len(captions), length), bool)
    for place, words in enumerate(captions):
        real[place, : len(words)] = True
    flat = Codes.of_words([word for words in captions for word in words[:length]])
    halves = [np.zeros(real.shape, np.uint32) for _ in flat]
    for half, codes in zip(halves, flat, strict=True):
        half[real] = codes
    return Codes(*halves), real


def ngrams(words: Codes) -> list[Codes]:
    """Codes of the n-grams that begin at each word of a row, n = 1 to `ORDER`.

    Args:
      words: [..., W].

    Returns:
      [..., W - n + 1] for each n; a row of fewer words than n has none.
    """
    found = []
    for n in range(1, ORDER + 1):
        count = max(words.first.shape[-1] - n + 1, 0)
        found.append(Codes(*(_ngram(words, half, n, count) for half in (0, 1))))
    return found


def _ngram(words: Codes, half: int, n: int, count: int) -> Half:
    row = words[half]
    code = _mixed(row[..., :count] + np.uint32(n), _MIX[half])  # no n-gram begins like a longer one
    for place in range(1, n):
        code = _mixed(code * np.uint32(_BASES[half]) + row[..., place : place + count], _MIX[half])
    return code


def _mixed(code: Half, by: tuple[int, int]) -> Half:
    """One number for another, so that alike ones are far apart (after MurmurHash3's last steps)."""
    code = (code ^ (code >> np.uint32(16))) * np.uint32(by[0])
    code = (code ^ (code >> np.uint32(13))) * np.uint32(by[1])
    return code ^ (code >> np.uint32(16))
