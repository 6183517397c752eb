"""The words of a text as METEOR counts them: small letters, marks apart, hyphens and dots gone.

Where it cuts was read off texts given to its program, and holds for any that is made of Penn
Treebank words in small letters. Commas and apostrophes in rows, which no such word has, it cuts
otherwise.
"""

import re
from collections.abc import Set

# The letters that stay together: Latin and Cyrillic. Each other letter is a word of its own.
_LETTER = "a-zA-ZÀ-ÖØ-öø-žЀ-ԧᴀ-ᵿꙀ-ꙮ꙾-ꚗ"

_TYPEWRITTEN = str.maketrans(
    {
        "`": "'",
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        "\N{EN DASH}": " - ",
    }
)

# In order. Where a pattern takes what is on both sides, a mark one letter further on is left as it
# is: a-b-c is "a b-c".
_CUTS = [
    (re.compile(pattern), replacement)
    for pattern, replacement in (
        (r"\.\.+", r" \g<0> "),
        (rf"([{_LETTER}0-9.])--?([{_LETTER}0-9])", r"\1 \2"),  # t-shirt: two words
        (rf"[^{_LETTER}0-9\s.,'-]", r" \g<0> "),  # any other mark
        (r"(?<![0-9]),|,(?![0-9])", " , "),  # 10,000 is one word
        (r"--", "-"),
        (rf"(?<![{_LETTER}0-9])'|'(?![{_LETTER}0-9])|(?<=[{_LETTER}])'(?=[0-9])", " ' "),  # 're
        (r"([0-9])'([0-9])", r"\1 ' \2"),
        (rf"([{_LETTER}])'([{_LETTER}])", r"\1 '\2"),  # o 'clock
        (r"(?<=[0-9])'s", " 's"),
    )
]
_ACRONYM = re.compile(rf"\S*[{_LETTER}]\S*")
_PLAIN = re.compile(r"[a-z0-9\s]*")


def meteor_words(text: str, abbreviations: Set[str]) -> list[str]:
    """Cuts one text.

    Args:
      text: small letters, words with spaces between. Penn Treebank words that hold marks are cut.
      abbreviations: words that keep the stop after them, without it.
    """
    if _PLAIN.fullmatch(text):
        return text.split()
    text = f" {text.translate(_TYPEWRITTEN)} ".replace("''", '"')
    for pattern, replacement in _CUTS:
        text = pattern.sub(replacement, text)
    tokens = text.split()
    words = []
    for token, following in zip(tokens, [*tokens[1:], ""], strict=True):
        before = token[:-1]
        if not token.endswith(".") or not before.strip("."):
            words.append(token)
        elif "." in before and _ACRONYM.fullmatch(before):
            words.append(token.replace(".", ""))  # u.s. and p.m.
        elif before in abbreviations or "a" <= following[:1] <= "z":
            words.append(token)
        else:
            words += [before, "."]
    return words


def read_abbreviations(lines: list[str]) -> frozenset[str]:
    """The words that keep their stop, from METEOR's list; those in capitals are never met."""
    return frozenset(line.split()[0] for line in lines if line.strip() and line[0] != "#")
