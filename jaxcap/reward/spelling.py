"""From token ids to words, on the device: what a tokenizer's tokens are spelt like.

The words are those that the scores count (`jaxcap.metrics.ptb`): in small letters, without
punctuation. A tokenizer of words has one for each id. The tokens of others are pieces of words:
where one begins is told by the space before it, and marks stand for themselves, or are dropped, or
hold the letters around them together, by the rules of those words.

Not cut as there: "do n't" where a tokenizer has "don" and "'t", words that are two ("can not"), an
initial before a name (its stop is dropped), escapes of HTML, and capitals of two bytes.
"""

from collections.abc import Callable, Mapping
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Int

from jaxcap.data.text import Tokenizer
from jaxcap.metrics.ptb import ABBREVIATIONS, BRACKETS, DROPPED
from jaxcap.reward.codes import END, Codes, Piece

_CLITICS = {"s", "m", "d", "re", "ve", "ll"}  # words of their own, with an apostrophe before them
_JOINTS = frozenset("-./'")  # marks that hold a word together between letters or digits,
_DIGIT_JOINTS = frozenset(",:")  # and between digits only


class Words(NamedTuple):
    """The words of some captions, in a row from the left.

    Attributes:
      codes: of W words.
      real: True where there is one.
    """

    codes: Codes
    real: Bool[Array, "*B W"]


# What there is to know of a token, by what it adds to a caption, and by that in small letters and
# without the space before it.
_TRAITS: dict[str, Callable[[str, str], bool]] = {
    "begins": lambda text, its: text[:1].isspace() or (its[:1] == "'" and its[1:] in _CLITICS),
    "letters": lambda _, its: any(map(_is_letter, its)),  # or digits; else it is a mark
    "says": lambda _, its: not DROPPED.issuperset(its),  # something: no space, no dropped mark
    "joint": lambda _, its: its in _JOINTS | _DIGIT_JOINTS,
    "of_digits": lambda _, its: its in _DIGIT_JOINTS,
    "stop": lambda _, its: its == ".",
    "single": lambda _, its: len(its) == 1 and its.isalpha(),
    "apostrophe": lambda _, its: its == "'",
    "clitic": lambda _, its: its in _CLITICS,
    "digit_first": lambda _, its: its[:1].isdigit(),
    "digit_last": lambda _, its: its[-1:].isdigit(),
}


class Spelling(NamedTuple):
    """Of each of V ids, as numpy arrays.

    Attributes:
      factor, added: its letters (see `jaxcap.reward.codes.Piece`).
      traits: what else is to be known of it, bool [V] each.
      end: the id of EOS.
    """

    factor: Codes
    added: Codes
    traits: Mapping[str, np.ndarray]
    end: int

    @classmethod
    def of(cls, tokenizer: Tokenizer, size: int) -> "Spelling":
        """Of a tokenizer, for a model of `size` words; ids past the tokenizer's say nothing."""
        texts = [*tokenizer.spelt, *[""] * size][:size]
        small = [text.strip().lower() for text in texts]
        traits = {
            name: np.array([has(*each) for each in zip(texts, small, strict=True)])
            for name, has in _TRAITS.items()
        }
        if tokenizer.kind == "word":  # its marks are words too
            traits["begins"] = np.ones(size, bool)
            traits["letters"] = np.array(list(map(bool, small)))
        pieces = np.array(
            [Piece.of(BRACKETS.get(its, its)) for its in small], np.uint32
        )  # [V, 2, 2]
        factor, added = (Codes(*pieces[:, column].T) for column in (0, 1))
        return cls(factor, added, traits, tokenizer.eos)

    def words(self, tokens: Int[Array, "*B T"], real: Bool[Array, "*B T"], end: bool) -> Words:
        """The words of captions, at most T of each.

        Args:
          tokens: of each caption.
          real: True at the tokens of a caption, of which EOS is the last if it has any.
          end: whether EOS is a word of its own.
        """

        def at(trait: str) -> Array:
            return jnp.asarray(self.traits[trait])[tokens]

        is_end = (tokens == self.end) & real
        real &= ~is_end
        letters, spaced = at("letters") & real, at("begins") | ~_before(real)
        clings = letters & ~spaced
        digits = _before(at("digit_last")) & _after(at("digit_first"))
        holds = at("joint") & (digits | ~at("of_digits")) & real
        holds &= ~spaced & _before(letters) & _after(clings)
        owns = at("apostrophe") & real & _after(at("clitic") & clings)
        begins, holds = spaced | owns, holds | owns

        # Whether a stop belongs to an abbreviation is seen when that is spelt: once more, with it.
        short = _any_of(self._spelt(tokens, begins | ~letters & ~holds), ABBREVIATIONS)
        initial = at("single") & _before(holds & at("stop"))
        holds |= at("stop") & real & ~spaced & _before(short | initial)
        part = letters | holds  # of a word of letters; any other mark is a word by itself
        begins |= ~_before(part) | ~part
        codes = self._spelt(tokens, begins)

        says = real & (part | at("says"))
        whole = says & jnp.concatenate([begins[..., 1:], jnp.ones_like(begins[..., :1])], axis=-1)
        if end:
            last = Codes.of_words([END])
            codes = Codes(
                *(jnp.where(is_end, e[0], code) for code, e in zip(codes, last, strict=True))
            )
            whole |= is_end
        order = jnp.argsort(~whole, axis=-1, stable=True)
        first, second, there = (jnp.take_along_axis(x, order, axis=-1) for x in (*codes, whole))
        return Words(Codes(first, second), there)

    def _spelt(self, tokens: Int[Array, "*B T"], begins: Bool[Array, "*B T"]) -> Codes:
        """The code of the word so far, at each token; it begins anew where it is said to."""

        def add(code: Codes, token: tuple[Array, ...]) -> tuple[Codes, Codes]:
            anew, *pieces = token
            so_far = (jnp.where(anew, jnp.uint32(0), half) for half in code)
            first, second = (
                half * factor + added
                for half, factor, added in zip(so_far, pieces[:2], pieces[2:], strict=True)
            )
            return Codes(first, second), Codes(first, second)

        pieces = (jnp.asarray(table)[tokens] for table in (*self.factor, *self.added))
        along = tuple(jnp.moveaxis(x, -1, 0) for x in (begins, *pieces))
        nothing = jnp.zeros(tokens.shape[:-1], jnp.uint32)
        _, codes = jax.lax.scan(add, Codes(nothing, nothing), along)
        return jax.tree.map(lambda x: jnp.moveaxis(x, 0, -1), codes)


def _any_of(codes: Codes, words: tuple[str, ...]) -> Bool[Array, "*B T"]:
    """Whether it is one of these words."""
    same = jnp.zeros(codes.first.shape, bool)
    for first, second in zip(*Codes.of_words(list(words)), strict=True):
        same |= (codes.first == first) & (codes.second == second)
    return same


def _is_letter(letter: str) -> bool:
    """Or a digit, or a byte of a letter that is not of ASCII."""
    return letter.isalnum() or "\udc80" <= letter <= "\udcff"


def _before(x: Bool[Array, "*B T"]) -> Bool[Array, "*B T"]:
    """What the token before has; False where there is none."""
    return jnp.concatenate([jnp.zeros_like(x[..., :1]), x[..., :-1]], axis=-1)


def _after(x: Bool[Array, "*B T"]) -> Bool[Array, "*B T"]:
    """What the token after has; False where there is none."""
    return jnp.concatenate([x[..., 1:], jnp.zeros_like(x[..., :1])], axis=-1)
