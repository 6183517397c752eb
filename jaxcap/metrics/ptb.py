"""The words of a caption as the COCO scores count them: Penn Treebank words, punctuation dropped.

Where the rules come from. The cuts are the published conventions of the Penn Treebank ("do n't",
"the dog 's ball", "can not", -LRB- for a bracket), and the dropped punctuation is the COCO
scorer's published list. What neither says, such as the stop of "Miami U. pushes" and of "the Wii
U.", was read off captions whose words by the scorer's own tokenizer are known: some 71,000 of
Flickr8k, Flickr30k and COCO. The tests ask for equality on every one. Nothing was taken from the
source or the grammar of a tokenizer.

What the captions do not confirm, as none has it, and is convention alone: 'tis, gonna and its
like, 'em, '80s, No. 7, .5, square brackets and braces, typographic quotes and dashes, and the
abbreviations other than Mr., Dr., Jr., St. and Ave.

What is not covered, so that the scorer may cut it differently: web and mail addresses, hashtags,
emoticons, dates and telephone numbers, "w/", other abbreviations, a sentence that ends in an
initial with another after it, letters written with separate accents, languages other than
English.
"""

import html
import re

ABBREVIATIONS = (
    *("mr", "mrs", "ms", "dr", "prof", "rev", "capt", "sgt", "lt", "jr", "sr", "st"),
    *("ave", "blvd", "rd", "mt", "inc", "ltd", "co", "vs", "etc"),
)
_CLITICS = "s|m|d|re|ve|ll"

# The marks that may hold the letters and digits of one word together.
_JOINT = "|".join(
    (
        r"[-./]",  # t-shirt, 4-wheeler, 3.5, statefarm.com, and/or, 1/2
        r"(?<=\d)[,:](?=\d)",  # 10,000 and 12:45, but bats , balls
        rf"'(?!(?:{_CLITICS})\b)",  # o'clock and n't, but dog 's
    )
)

# In order: at each place of a caption the first rule that fits takes its text as one token.
# Small letters stand for capitals too, except inside (?-i:...).
_RULES = {
    # can not, gon na: two words written as one. The second half is then a plain word.
    "fused": r"\b(?:can(?=not\b)|(?:gon|wan)(?=na\b)|got(?=ta\b)|(?:gim|lem)(?=me\b))",
    # 't is, 't was.
    "it is": r"'t(?=(?:is|was)\b)",
    # slip 'n' slide, get 'em, the '80s: the apostrophe belongs to the word.
    "elided": r"'(?:n'|em\b|\d0s\b)",
    # do n't, ca n't: what comes before n't, which is then a word of its own.
    "negated": r"\w+(?=n't\b)",
    # dog 's, they 're, joined to the word before or not.
    "clitic": rf"'(?:{_CLITICS})\b",
    # d.c., t.v., s.c.u.b.a., 6 p.m.: the last stop stays, even at the end of the caption.
    "acronym": r"\b(?:[^\W\d_]\.){2,}(?!\w)",
    # Mr. Potato Head, 11th St.: likewise.
    "abbreviation": rf"\b(?:{'|'.join(ABBREVIATIONS)})\.(?!\w)",
    # No. 7, but "it says no."
    "numero": r"\bno\.(?=\s*\d)",
    # Miami U. pushes, N. Astor, "B.": an initial keeps its stop where anything follows. The
    # pronoun is no initial, and the stop that ends the caption is the caption's: the Wii U.
    "initial": r"\b(?-i:[A-HJ-Z])\.(?!\w)(?=\s*\S)",
    # A&M, m&m s: ampersands join capitals only, and at & t is three tokens.
    "ampersand": r"(?-i:[A-Z]+&[A-Z]+)",
    # .5: a number that begins with its point.
    "decimal": r"(?<!\.)\.\d+",
    # All other words.
    "word": rf"\w+(?:(?:{_JOINT})\w+)*",
    # Any other mark, one by one: $ 37,000, i = on. A run of stops or dashes needs no rule of its
    # own, as all of it is dropped however it is cut.
    "mark": r"[^\w\s]",
}
_SCANNER = re.compile("|".join(f"(?:{rule})" for rule in _RULES.values()), re.IGNORECASE)

_TYPEWRITTEN = str.maketrans(
    {
        "\N{LEFT SINGLE QUOTATION MARK}": "'",
        "\N{RIGHT SINGLE QUOTATION MARK}": "'",
        "\N{LEFT DOUBLE QUOTATION MARK}": '"',
        "\N{RIGHT DOUBLE QUOTATION MARK}": '"',
        "\N{EN DASH}": "--",
        "\N{EM DASH}": "--",
        "\N{HORIZONTAL ELLIPSIS}": "...",
    }
)
BRACKETS = {"(": "-lrb-", ")": "-rrb-", "{": "-lcb-", "}": "-rcb-", "[": "-lsb-", "]": "-rsb-"}

# The scorer's list, by single characters: '' and `` are what a Treebank makes of ", and -- and ...
# are cut into their characters here. Its brackets are missing because they are missed there too:
# it lists them in capitals, and compares them with words already in small letters.
DROPPED = frozenset("'\"`.?!,:-;")


def ptb_words(caption: str) -> list[str]:
    """The words of one caption, in small letters and without punctuation.

    A caption without words, such as "..." or the empty one, gives an empty list. Line ends are
    spaces, HTML escapes (&amp;) are the characters they stand for, and typographic quotes and
    dashes are their typewriter forms. Captions do not depend on each other.
    """
    tokens = _SCANNER.findall(html.unescape(caption).translate(_TYPEWRITTEN))
    return [BRACKETS.get(token, token.lower()) for token in tokens if token not in DROPPED]
