"""The settings of a request: what they are called, how far they go, and the search they make."""

import math
import reprlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from jaxcap.decode import Search
from jaxcap.decode.search import diverse
from jaxcap.errors import did_you_mean
from jaxcap.serve.errors import ApiError
from jaxcap.serve.limits import FIELD, Limits

KINDS = {int: "a whole number", float: "a number", bool: "true or false", str: "text"}
WORDS = 1000  # more than any captioner says
COLDEST = 0.01  # a temperature that no logit overflows at


@dataclass(frozen=True)
class Setting:
    """One that a request may have.

    Attributes:
      kind: the type of its value.
      about: a sentence.
      least, most: of a number.
    """

    kind: type
    about: str
    least: float = -math.inf
    most: float = math.inf

    def read(self, name: str, value: Any) -> Any:
        """A value from JSON, or from the text of a form.

        Raises:
          ApiError: it is of another type or out of range.
        """
        read = _typed(self.kind, value)
        if read is None or (self.kind in (int, float) and not self.least <= read <= self.most):
            span = f" from {self.least:g} to {self.most:g}" if self.kind in (int, float) else ""
            told = reprlib.repr(value)  # repr fails on lists in lists in lists without an end
            raise ApiError(
                "bad_setting", f"{name} is {told:.60}; expected {KINDS[self.kind]}{span}."
            )
        return read


@dataclass(frozen=True)
class Asked:
    """What is asked for of an image. Equal ones may share a batch.

    Attributes:
      num: captions.
      prompt: what they begin with.
      search: fields of `jaxcap.decode.Search`, sorted by name.
      explain: whether the best caption is explained.
    """

    num: int
    prompt: str
    search: tuple[tuple[str, Any], ...]
    explain: bool = field(default=False, compare=False)

    @property
    def draws(self) -> bool:
        """Whether captions are drawn at random."""
        return bool(dict(self.search)["sample"])


def settings(limits: Limits) -> dict[str, Setting]:
    """All that a request for captions may have, by name."""
    return {
        "beams": Setting(int, "1 is greedy search.", 1, limits.beams),
        "num": Setting(int, "Captions of an image, at most as many as beams.", 1, limits.num),
        "min_words": Setting(int, "Of a caption; 0 is any.", 0, WORDS),
        "max_words": Setting(int, "Of a caption; 0 is any.", 0, WORDS),
        "length_penalty": Setting(
            float, "A score is the log-probability / length ** this; more is longer.", -2, 4
        ),
        "temperature": Setting(
            float, "0 searches; above 0 draws num captions at that temperature.", 0, 4
        ),
        "prefix": Setting(str, "What every caption begins with."),
        "diverse": Setting(bool, "num captions that say different things; beams is then num."),
        "explain": Setting(bool, "Of the best caption, where the model looked for each word."),
    }


def defaults(search: Search) -> dict[str, Any]:
    """The settings of a request that has none, by the search of a run."""
    return {
        "beams": search.beams,
        "num": 1,
        "min_words": search.min_words,
        "max_words": search.max_words or None,
        "length_penalty": search.length_penalty,
        "temperature": search.temperature if search.sample else 0,
    }


def read_settings(given: Mapping[str, Any], usual: Mapping[str, Any], limits: Limits) -> Asked:
    """What the settings of a request ask for; null is as good as none.

    Args:
      given: its settings, from JSON or from a form.
      usual: of the captioner, see `defaults`.
      limits: of the server.

    Raises:
      ApiError: unknown, of another type, out of range, or two that exclude each other.
    """
    known = settings(limits)
    for name in given:
        if name not in known:
            hint = did_you_mean(name[:60], known)
            raise ApiError("bad_setting", f"There is no setting {name[:60]!r}. {hint}")
    read = {name: known[name].read(name, x) for name, x in given.items() if x is not None}
    value = {**usual, **read}
    num, temperature = value["num"], value["temperature"]
    prompt = value.get("prefix", "")
    if len(prompt.encode()) > FIELD:
        raise ApiError("bad_setting", f"prefix is longer than {FIELD:,} bytes.")
    beams = value["beams"] if "beams" in read else max(value["beams"], num)
    search = {
        "beams": beams,
        "sample": temperature > 0,
        "min_words": value["min_words"],
        "max_words": value["max_words"] or 0,
        "length_penalty": float(value["length_penalty"]),
    }
    if temperature > 0:
        if temperature < COLDEST:
            raise ApiError("bad_setting", f"temperature is 0 (a search) or at least {COLDEST}.")
        alone = {"beams": num, "groups": 1, "diversity": 0.0}
        search |= {"temperature": float(temperature), **alone}
    if value.get("diverse"):
        if temperature > 0:
            raise ApiError(
                "bad_setting", "diverse is of a search, and a temperature above 0 draws captions."
            )
        search |= diverse(num)
    return Asked(num, prompt, tuple(sorted(search.items())), value.get("explain", False))


def _typed(kind: type, value: Any) -> Any:
    """The value as its type; None where it is none."""
    if kind is str:
        return value if isinstance(value, str) else None
    if kind is bool:
        text = str(value).lower() if isinstance(value, bool | str) else ""
        return {"true": True, "false": False}.get(text)
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
        if kind is float:
            return number if math.isfinite(number) else None
        return int(value) if number.is_integer() else None
    except (ValueError, OverflowError):
        return None
