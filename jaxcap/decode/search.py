"""The settings of a search: everything that the compiled decoding program depends on."""

from dataclasses import asdict, dataclass, fields
from typing import Any

from jaxcap.errors import UserError, did_you_mean


@dataclass(frozen=True)
class Search:
    """How captions are searched for. Lengths count the tokens after the prompt.

    Attributes:
      beams: K, the token streams of an image: 1 is greedy search, more is beam search.
      sample: draw each of the K streams from the model instead of searching for the best.
      max_len: tokens at most, EOS included.
      min_len: tokens before EOS is allowed.
      length_penalty: a caption's score is its log-probability / length ** length_penalty.
      early_stopping: True stops an image at its Kth finished beam; False when no live beam could
        beat the worst finished one at its present length; "never" at any length up to `max_len`.
      no_repeat_ngram: no n-gram of this size occurs twice; 0 allows all.
      repetition_penalty: log-probabilities of words already said are multiplied by it.
      temperature, top_k, top_p: of sampling; 0 and 1.0 keep the whole vocabulary.
    """

    beams: int = 1
    sample: bool = False
    max_len: int = 32
    min_len: int = 0
    length_penalty: float = 1.0
    early_stopping: bool | str = False
    no_repeat_ngram: int = 0
    repetition_penalty: float = 1.0
    temperature: float = 1.0
    top_k: int = 0
    top_p: float = 1.0

    def __post_init__(self) -> None:
        checks = {
            "beams": (self.beams >= 1, "at least 1"),
            "max_len": (self.max_len >= 1, "at least 1"),
            "min_len": (0 <= self.min_len < self.max_len, "from 0 to max_len - 1"),
            "early_stopping": (
                isinstance(self.early_stopping, bool) or self.early_stopping == "never",
                "True, False or 'never'",
            ),
            "no_repeat_ngram": (self.no_repeat_ngram >= 0, "0 (off) or more"),
            "repetition_penalty": (self.repetition_penalty > 0, "above 0"),
            "temperature": (self.temperature > 0, "above 0 (for the best token: beams=1)"),
            "top_k": (self.top_k >= 0, "0 (off) or more"),
            "top_p": (0 < self.top_p <= 1, "above 0 and at most 1"),
        }
        for name, (fine, expected) in checks.items():
            if not fine:
                raise UserError(f"search.{name} is {getattr(self, name)!r}; expected {expected}.")

    @classmethod
    def of(cls, **settings: Any) -> "Search":
        """The search of these settings.

        Raises:
          UserError: for an unknown setting, with the nearest known one, or a value out of range.
        """
        known = [field.name for field in fields(cls)]
        for name in settings:
            if name not in known:
                raise UserError(f"Search has no setting {name!r}. {did_you_mean(name, known)}")
        return cls(**settings)

    @property
    def reorders(self) -> bool:
        """Whether streams may continue one another (beams), or each goes its own way."""
        return self.beams > 1 and not self.sample

    def signature(self) -> str:
        """Settings that differ from greedy search, for the protocol of a score."""
        default, mine = asdict(Search()), asdict(self)
        kept = {"beams", "max_len"} | {name for name in mine if mine[name] != default[name]}
        return ",".join(f"{name}={mine[name]}" for name in mine if name in kept)
