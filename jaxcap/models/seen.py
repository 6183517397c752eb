"""Where a decoder looked: what its attention layers leave behind for whoever asks.

An attention layer sows its weights over the tokens of the memory into the collection `SEEN`; ask
with `model.apply(..., mutable=[SEEN])`.
"""

import re
from collections.abc import Mapping
from typing import Any

from flax.traverse_util import flatten_dict
from jaxtyping import Array, Float

SEEN = "seen"
WEIGHTS, DRAWN = "weights", "drawn_logp"


def maps(collections: Mapping[str, Any]) -> list[Float[Array, "B K H T S"]]:
    """The weights of each layer's heads, from the first layer to the last; none look with none."""
    return [x if x.ndim == 5 else x[:, :, None] for x in _sown(collections, WEIGHTS)]


def draws(collections: Mapping[str, Any]) -> Float[Array, "B K T"] | None:
    """The log-probability of each place that hard attention drew, if there is any."""
    found = _sown(collections, DRAWN)
    return found[0] if found else None


def _sown(collections: Mapping[str, Any], name: str) -> list[Array]:
    sown = flatten_dict(collections.get(SEEN, {}))
    return [sown[path][0] for path in sorted(sown, key=_in_order) if path[-1] == name]


def _in_order(path: tuple[str, ...]) -> list[Any]:
    """By the numbers of layers, where "layers_10" comes after "layers_9"."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", "/".join(path))]
