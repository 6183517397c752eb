"""Where a decoder looked, and what it said there: what it leaves behind for whoever asks.

An attention layer sows its weights over the tokens of the memory into the collection `SEEN`, and
the end of the decoder the vector that it has for each word; ask with
`model.apply(..., mutable=[SEEN])`.
"""

import re
from collections.abc import Mapping
from typing import Any

from flax.traverse_util import flatten_dict
from jaxtyping import Array, Float

SEEN = "seen"
WEIGHTS, DRAWN, SAID = "weights", "drawn_logp", "said"


def maps(collections: Mapping[str, Any]) -> list[Float[Array, "B K H T S"]]:
    """The weights of each layer's heads, from the first layer to the last; none look with none."""
    return [x if x.ndim == 5 else x[:, :, None] for x in _sown(collections, WEIGHTS)]


def draws(collections: Mapping[str, Any]) -> Float[Array, "B K T"] | None:
    """The log-probability of each place that hard attention drew, if there is any."""
    found = _sown(collections, DRAWN)
    return found[0] if found else None


def said(collections: Mapping[str, Any]) -> Float[Array, "B K T D"]:
    """The vector for each word, whose products with the vocabulary are its scores."""
    return _sown(collections, SAID)[0]


def _sown(collections: Mapping[str, Any], name: str) -> list[Array]:
    sown = flatten_dict(collections.get(SEEN, {}))
    return [sown[path][0] for path in sorted(sown, key=_in_order) if path[-1] == name]


def _in_order(path: tuple[str, ...]) -> list[Any]:
    """By the numbers of layers, where "layers_10" comes after "layers_9"."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", "/".join(path))]
