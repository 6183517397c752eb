"""Synonyms: words that share a sense in WordNet, each in any form."""

from collections.abc import Iterator

# WordNet's own rules for the base of an inflected word, whatever its part of speech. The first that
# gives a word of WordNet is taken.
_ENDINGS = (
    ("s", ""),
    ("ses", "s"),
    ("xes", "x"),
    ("zes", "z"),
    ("ches", "ch"),
    ("shes", "sh"),
    ("men", "man"),
    ("ies", "y"),
    ("es", ""),
    ("ed", "e"),
    ("ed", ""),
    ("ing", "e"),
    ("ing", ""),
    ("er", ""),
    ("est", ""),
    ("er", "e"),
    ("est", "e"),
)


class WordNet:
    """The senses of words.

    Args:
      synsets: lines in pairs: a word, the numbers of its senses.
      exceptions: lines in pairs: a word, its forms that follow no rule.
    """

    def __init__(self, synsets: list[str], exceptions: list[str]):
        self._senses = dict(_pairs(synsets))
        self._bases: dict[str, list[str]] = {}
        for base, forms in _pairs(exceptions):
            for form in forms.split():
                self._bases.setdefault(form, []).append(base)

    def senses(self, word: str) -> frozenset[str]:
        """The senses of a word and of its base; none for a word that WordNet has not."""
        forms = [word, *(self._bases.get(word) or self._base(word))]
        return frozenset(sense for form in forms for sense in self._senses.get(form, "").split())

    def _base(self, word: str) -> list[str]:
        # "us" and "glass" are no plurals.
        if len(word) <= 2 or word.endswith("ss"):
            return []
        bases = (
            word.removesuffix(ending) + replacement
            for ending, replacement in _ENDINGS
            if word.endswith(ending)
        )
        return [base for base in bases if base in self._senses][:1]


def _pairs(lines: list[str]) -> Iterator[tuple[str, str]]:
    return zip(lines[::2], lines[1::2], strict=True)
