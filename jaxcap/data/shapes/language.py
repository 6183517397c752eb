"""Every true caption of a scene, at three levels; the grammar of the data set.

    objects     OBJECT and OBJECT and ...           a red circle and a blue square
    attributes  THING and THING and ...             a small red circle and a large blue square
    layout      THING PLACE                         a small red circle on the left
                THING RELATION THING                a small red circle left of a large blue square
                THING RELATION THING and            a small red circle left of a large blue square
                  RELATION THING                      and above a small green triangle

where an OBJECT is "a COLOUR SHAPE" and a THING is "a SIZE COLOUR SHAPE". Of three things the
layout tells where the first is, seen from each of the others.

The things come in any order, and the relations turn with it. A caption says small and large, or
little and big, throughout; its places and relations are the words of one of two rows as well. So
n things have n! captions of the first level, twice as many of the second and four times as many
of the third: at most 24, of at most 21 words.
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
    {"left": "to the left of", "right": "to the right of", "above": "over", "below": "under"},
)
PLACE_WORDS = (
    {
        "left": "on the left",
        "right": "on the right",
        "above": "at the top",
        "below": "at the bottom",
        "middle": "in the middle",
    },
    {
        "left": "on the left side",
        "right": "on the right side",
        "above": "near the top",
        "below": "near the bottom",
        "middle": "in the center",
    },
)


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
    return tuple(
        _layout(order, sizes, relations, places)
        for order in orders
        for sizes in SIZE_WORDS
        for relations, places in zip(RELATION_WORDS, PLACE_WORDS, strict=True)
    )


def _object(thing: Thing, sizes: dict[str, str]) -> str:
    return f"a {sizes[thing.size]} {thing.colour} {thing.shape}"


def _layout(
    order: Scene, sizes: dict[str, str], relations: dict[str, str], places: dict[str, str]
) -> str:
    first, *others = order
    if not others:
        return f"{_object(first, sizes)} {places[place(first)]}"
    told = (f"{relations[relation(first, other)]} {_object(other, sizes)}" for other in others)
    return f"{_object(first, sizes)} {' and '.join(told)}"
