"""The settings of a search: everything that the compiled decoding program depends on."""

import hashlib
from dataclasses import asdict, dataclass, fields
from numbers import Integral, Real
from typing import Any

from jaxcap.errors import UserError, did_you_mean

KINDS: dict[Any, tuple[type, str]] = {  # of a value, by the type of its field
    int: (Integral, "a whole number"),
    float: (Real, "a number"),
    bool: (bool, "True or False"),
}
NUMBERS = (Integral, Real)  # which a bool is for Python, and for nobody else
DIVERSITY = 0.5  # of diverse captions: what Vijayakumar et al. found best, 0.2 to 0.8


@dataclass(frozen=True)
class Search:
    """How captions are searched for. Lengths count the tokens after the prompt.

    The rules see the whole history: BOS, the prompt and what was said since. The same settings of
    Transformers' `generate` find the same captions with the same scores.

    Attributes:
      beams: K, the token streams of an image: 1 is greedy search, more is beam search.
      sample: draw each of the K streams from the model instead of searching for the best.
      max_len: tokens at most, EOS included.
      min_len: tokens before EOS is allowed.
      min_words, max_words: of a whole caption, its prompt's words counted; 0 is off.
      length_penalty: a caption's score is its log-probability / length ** length_penalty.
      early_stopping: True stops an image at its Kth finished beam; False when no live beam could
        beat the worst finished one at its present length; "never" at any length up to `max_len`.
      groups: G, which divides K: the beams search in G groups of K / G, each with a pool and an
        end of its own, one after the other at each step (Vijayakumar et al., arXiv 1610.02424).
      diversity: a token's log-probability is lowered by this much for each beam of the earlier
        groups that goes on with the token at the same step.
      no_repeat_ngram: no n-gram of this size occurs twice; 0 allows all.
      repetition_penalty: what makes words already said less likely, if above 1: negative scores
        are multiplied by it, others divided. Beams score by log-probability, else by logit.
      bad_words: sequences of ids that never occur; EOS alone may.
      suppress: ids that are never chosen; None is what the tokenizer bans (pad, BOS, unknown).
      forced_bos: the id that a caption without a prompt begins with.
      forced_eos: the id at the last place of a caption that is as long as it may be.
      temperature, top_k, top_p: of sampling; 0 and 1.0 keep the whole vocabulary.
    """

    beams: int = 1
    sample: bool = False
    max_len: int = 32
    min_len: int = 0
    min_words: int = 0
    max_words: int = 0
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    groups: int = 1
    diversity: float = 0.0
    no_repeat_ngram: int = 0
    repetition_penalty: float = 1.0
    bad_words: tuple[tuple[int, ...], ...] = ()
    suppress: tuple[int, ...] | None = None
    forced_bos: int | None = None
    forced_eos: int | None = None
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        checks = {
            "beams": (self.beams >= 1, "at least 1"),
            "max_len": (self.max_len >= 1, "at least 1"),
            "min_len": (0 <= self.min_len <= self.max_len, f"from 0 to max_len ({self.max_len})"),
            "min_words": (self.min_words >= 0, "0 (off) or more"),
            "max_words": (
                self.max_words == 0 or self.max_words >= max(self.min_words, 1),
                f"0 (off) or at least min_words ({self.min_words})",
            ),
            "early_stopping": (
                isinstance(self.early_stopping, bool) or self.early_stopping == "never",
                "True, False or 'never'",
            ),
            "groups": (
                self.groups == 1
                or (self.groups > 1 and self.beams % self.groups == 0 and not self.sample),
                f"1 (off) or, without sampling, a divisor of beams ({self.beams})",
            ),
            "diversity": (
                self.diversity == 0 or (self.diversity > 0 and self.groups > 1),
                "0 (off) or, with groups above 1, more",
            ),
            "no_repeat_ngram": (self.no_repeat_ngram >= 0, "0 (off) or more"),
            "repetition_penalty": (self.repetition_penalty > 0, "above 0"),
            "bad_words": (
                isinstance(self.bad_words, tuple)
                and all(word != () and _are_ids(word) for word in self.bad_words),
                "a tuple of tuples of one or more ids",
            ),
            "suppress": (self.suppress is None or _are_ids(self.suppress), "a tuple of ids"),
            "forced_bos": self._may_be_forced(self.forced_bos),
            "forced_eos": self._may_be_forced(self.forced_eos),
            "temperature": (self.temperature > 0, "above 0 (for the best token: beams=1)"),
            "top_k": (self.top_k >= 0, "0 (off) or more"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
        }
        for name, (fine, expected) in checks.items():
            if not fine:
                raise UserError(f"search.{name} is {getattr(self, name)!r}; expected {expected}.")

    def _may_be_forced(self, token: int | None) -> tuple[bool, str]:
        fine = token is None or (_are_ids((token,)) and token not in (self.suppress or ()))
        return fine, f"an id that may be chosen (search.suppress: {self.suppress})"

    @classmethod
    def of(cls, **settings: Any) -> "Search":
        """The search of these settings; lists, as JSON has them, may stand for tuples.

        Raises:
          UserError: for an unknown setting, with the nearest known one, or a value of another type
            or out of range.
        """
        known = {field.name: KINDS.get(field.type, (object, "")) for field in fields(cls)}
        for name, value in settings.items():
            if name not in known:
                raise UserError(f"Search has no setting {name!r}. {did_you_mean(name, known)}")
            kind, expected = known[name]
            if not isinstance(value, kind) or (kind in NUMBERS and isinstance(value, bool)):
                raise UserError(f"search.{name} is {value!r}; expected {expected}.")
        return cls(**{name: _with_tuples(value) for name, value in settings.items()})

    def check_vocabulary(self, words: int) -> None:
        """Refuse ids that a vocabulary of so many words does not have.

        Raises:
          UserError: with the first such setting.
        """
        ids = {
            "bad_words": sum(self.bad_words, ()),
            "suppress": self.suppress,
            "forced_bos": (self.forced_bos or 0,),
            "forced_eos": (self.forced_eos or 0,),
        }
        for name, found in ids.items():
            if max(found or (), default=0) >= words:
                raise UserError(
                    f"search.{name} is {getattr(self, name)!r}; expected ids that the model's "
                    f"vocabulary has, 0 to {words - 1}."
                )

    @property
    def reorders(self) -> bool:
        """Whether streams may continue one another (beams), or each goes its own way."""
        return self.beams > 1 and not self.sample

    @property
    def counts_words(self) -> bool:
        """Whether a rule asks how many words were said: the loop is then given `Words`."""
        return bool(self.min_words or self.max_words)

    def signature(self) -> str:
        """Settings that differ from greedy search, for the protocol of a score.

        Of ids it has the count and a digest.
        """
        default, mine = asdict(Search()), asdict(self)
        kept = {"beams", "max_len"} | {name for name in mine if mine[name] != default[name]}
        return ",".join(f"{name}={_short(mine[name])}" for name in mine if name in kept)


def diverse(num: int) -> dict[str, Any]:
    """The settings that find `num` captions which say different things, each in a group alone."""
    return {"beams": num, "groups": num, "diversity": DIVERSITY} if num > 1 else {}


def _are_ids(ids: Any) -> bool:
    return isinstance(ids, tuple) and all(isinstance(id, int) and id >= 0 for id in ids)


def _with_tuples(value: Any) -> Any:
    return tuple(map(_with_tuples, value)) if isinstance(value, list | tuple) else value


def _short(value: Any) -> str:
    if not isinstance(value, tuple):
        return str(value)
    return f"{len(value)}@{hashlib.sha256(str(value).encode()).hexdigest()[:8]}"
