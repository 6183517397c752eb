"""Every true caption of a scene, at three levels; the grammar of the data set.

    objects     OBJECT and OBJECT and ...           a red circle and a blue square
    attributes  THING and THING and ...             a small red circle and a large blue square
    layout      THING in the middle                 a small red circle in the middle
                THING RELATION the middle           a small red circle left of the middle
                THING RELATION THING                a small red circle left of a large blue square
                THING RELATION THING and            a small red circle left of a large blue square
                  RELATION THING                      and above a small green triangle

where an OBJECT is "a COLOUR SHAPE" and a THING is "a SIZE COLOUR SHAPE". A thing alone is told
from the middle of the picture; of three things the layout tells where the first is, seen from
each of the others.

The things come in any order, and the relations turn with it. A caption says small and large, or
little and big, throughout, and above and below, or over and under. So n things have n! captions
of the first level, twice as many of the second and up to four times as many of the third: at most
24, of at most 17 words.
"""

from itertools import permutations

from jaxcap.data.shapes.scene import Scene, Thing, place, relation

LEVELS = ("objects", "attributes", "layout")

SIZE_WORDS = (
    {"small": "small", "large": "large"},
    {"small": "little", "large": "big"},
)
RELATION_WORDS = (
    {"left": "left of", "right": "right of", "above": "above", "below": "below"},
    {"left": "left of", "right": "right of", "above": "over", "below": "under"},
)
MIDDLE = "the middle"


def true_captions(scene: Scene, level: str) -> tuple[str, ...]:
    """All captions of the scene that the grammar has at this one of the `LEVELS`, each once."""
    orders = tuple(permutations(scene))
    if level == "objects":
        return tuple(
            " and ".join(f"a {thing.colour} {thing.shape}" for thing in order) for order in orders
        )
    if level == "attributes":
        return tuple(
            " and ".join(_object(thing, sizes) for thing in order)
            for order in orders
            for sizes in SIZE_WORDS
        )
    told = (
        _layout(order, sizes, relations)
        for order in orders
        for sizes in SIZE_WORDS
        for relations in RELATION_WORDS
    )
    return tuple(dict.fromkeys(told))


def _object(thing: Thing, sizes: dict[str, str]) -> str:
    return f"a {sizes[thing.size]} {thing.colour} {thing.shape}"


def _layout(order: Scene, sizes: dict[str, str], relations: dict[str, str]) -> str:
    first, *others = order
    if not others:
        where = place(first)
        told = f"in {MIDDLE}" if where == "middle" else f"{relations[where]} {MIDDLE}"
        return f"{_object(first, sizes)} {told}"
    told = " and ".join(
        f"{relations[relation(first, other)]} {_object(other, sizes)}" for other in others
    )
    return f"{_object(first, sizes)} {told}"
