"""English stems by Porter's second algorithm, from its description (Porter, Snowball, 2001).

Nothing was taken from an implementation. Newer versions of the algorithm know more exceptions; this
is the one of the years of METEOR 1.5.
"""

import re
from functools import cache

_VOWELS = "aeiouy"
_DOUBLES = ("bb", "dd", "ff", "gg", "mm", "nn", "pp", "rr", "tt")

# Where the first region begins in words that would be cut too early.
_EARLY = ("gener", "commun", "arsen")

_WHOLE_WORDS = {
    "skis": "ski",
    "skies": "sky",
    "dying": "die",
    "lying": "lie",
    "tying": "tie",
    "idly": "idl",
    "gently": "gentl",
    "ugly": "ugli",
    "early": "earli",
    "only": "onli",
    "singly": "singl",
} | {word: word for word in ("sky", "news", "howe", "atlas", "cosmos", "bias", "andes")}

_LEFT_AFTER_PLURALS = frozenset(
    ("inning", "outing", "canning", "herring", "earring", "proceed", "exceed", "succeed")
)

_STEP_2 = {
    "tional": "tion",
    "enci": "ence",
    "anci": "ance",
    "abli": "able",
    "entli": "ent",
    "izer": "ize",
    "ization": "ize",
    "ational": "ate",
    "ation": "ate",
    "ator": "ate",
    "alism": "al",
    "aliti": "al",
    "alli": "al",
    "fulness": "ful",
    "ousli": "ous",
    "ousness": "ous",
    "iveness": "ive",
    "iviti": "ive",
    "biliti": "ble",
    "bli": "ble",
    "fulli": "ful",
    "lessli": "less",
    "ogi": "og",
    "li": "",
}
_STEP_3 = {
    "tional": "tion",
    "ational": "ate",
    "alize": "al",
    "icate": "ic",
    "iciti": "ic",
    "ical": "ic",
    "ful": "",
    "ness": "",
    "ative": "",
}
_STEP_4 = {
    "al": "",
    "ance": "",
    "ence": "",
    "er": "",
    "ic": "",
    "able": "",
    "ible": "",
    "ant": "",
    "ement": "",
    "ment": "",
    "ent": "",
    "ism": "",
    "ate": "",
    "iti": "",
    "ous": "",
    "ive": "",
    "ize": "",
    "ion": "",
}


@cache
def stem(word: str) -> str:
    """The stem of one word in small letters, such as "ride" -> "ride", "riding" -> "ride"."""
    if len(word) <= 2:
        return word
    if word in _WHOLE_WORDS:
        return _WHOLE_WORDS[word]
    word = word.removeprefix("'")
    # A y that is a consonant is written Y until the end.
    word = re.sub(rf"^y|(?<=[{_VOWELS}])y", "Y", word)
    first, second = _regions(word)
    word = _plurals(word)
    if word in _LEFT_AFTER_PLURALS:
        return word
    word = _past_and_progressive(word, first)
    word = re.sub(rf"(?<=.)(?<=[^{_VOWELS}])[yY]$", "i", word) if len(word) > 2 else word
    word = _suffixes(word, _STEP_2, first, second)
    word = _suffixes(word, _STEP_3, first, second)
    word = _suffixes(word, _STEP_4, second, second)
    return _last_letter(word, first, second).replace("Y", "y")


def _regions(word: str) -> tuple[int, int]:
    """Where the two regions begin: each after the first consonant that follows a vowel."""
    after = re.compile(rf"[{_VOWELS}][^{_VOWELS}]")

    def following(start: int) -> int:
        found = after.search(word, start)
        return found.end() if found else len(word)

    early = next((prefix for prefix in _EARLY if word.startswith(prefix)), "")
    first = len(early) or following(0)
    return first, following(first)


def _plurals(word: str) -> str:
    word = re.sub(r"('s'|'s|')$", "", word)
    if word.endswith("sses"):
        return word[:-2]
    if word.endswith(("ied", "ies")):
        return word[:-2] if len(word) > 4 else word[:-1]
    # The s goes where a vowel comes before it, but not right before it.
    if re.search(rf"[{_VOWELS}].+s$", word) and not word.endswith(("us", "ss")):
        return word[:-1]
    return word


def _past_and_progressive(word: str, first: int) -> str:
    suffix = _longest(word, ("eedly", "eed", "ingly", "edly", "ing", "ed"))
    if not suffix:
        return word
    before = word.removesuffix(suffix)
    if suffix.startswith("eed"):
        return before + "ee" if len(before) >= first else word
    if not re.search(rf"[{_VOWELS}]", before):
        return word
    if before.endswith(("at", "bl", "iz")):
        return before + "e"
    if before.endswith(_DOUBLES):
        return before[:-1]
    return before + "e" if first >= len(before) and _ends_in_short_syllable(before) else before


def _ends_in_short_syllable(word: str) -> bool:
    within = rf"[^{_VOWELS}][{_VOWELS}][^{_VOWELS}wxY]$"
    return re.search(rf"{within}|^[{_VOWELS}][^{_VOWELS}]$", word) is not None


def _suffixes(word: str, replacements: dict[str, str], region: int, second: int) -> str:
    """Replaces the longest of the suffixes, if all of it is in the region."""
    suffix = _longest(word, replacements)
    before = word.removesuffix(suffix)
    if not suffix or len(before) < region:
        return word
    preceding = {"ogi": "l", "li": "cdeghkmnrt", "ion": "st"}.get(suffix)
    if preceding and before[-1:] not in set(preceding):
        return word
    if suffix == "ative" and len(before) < second:
        return word
    return before + replacements[suffix]


def _last_letter(word: str, first: int, second: int) -> str:
    before = word[:-1]
    if word.endswith("e"):
        in_first = len(before) >= first and not _ends_in_short_syllable(before)
        return before if len(before) >= second or in_first else word
    return before if word.endswith("ll") and len(before) >= second else word


def _longest(word: str, suffixes: "dict[str, str] | tuple[str, ...]") -> str:
    return max((s for s in suffixes if word.endswith(s)), key=len, default="")
