"""What happens between two pictures of a scene: nothing, or one thing of it changes.

A thing moves, appears, disappears, grows or shrinks. It moves so far, and so clearly in one
direction, that nothing is arguable. At least one thing of the scene is in both pictures.

Training never shows the changes in `HELD_OUT_CHANGES`, nor the objects in
`scene.HELD_OUT_OBJECTS`, though it shows every change, colour and shape in other company.
"""

from itertools import product
from random import Random
from typing import NamedTuple

from jaxcap.data.shapes.scene import (
    HELD_OUT_OBJECTS,
    RADII,
    Scene,
    Thing,
    apart,
    direction,
    draw_of,
    pick,
    places,
)

COUNTS = (2, 3)
WAYS = {"left": "left", "right": "right", "up": "above", "down": "below"}  # as `direction` has them
FAR = 16.0  # a thing that moves is then at least so far away, along one axis
SIZES = {"grew": ("small", "large"), "shrank": ("large", "small")}  # before and after
CHANGES = ("nothing", *WAYS, *SIZES, "appeared", "disappeared")
HELD_OUT_CHANGES = frozenset(
    {("circle", "left"), ("square", "up"), ("ring", "disappeared"), ("diamond", "grew")}
)


class Change(NamedTuple):
    """Two scenes, and how the second differs.

    Attributes:
      before, after: their other things are the same, in the same order.
      what: one of `CHANGES`, all of which are equally frequent.
      thing: that changed, as it was before; one that appeared as it is after; None where nothing
        changed.
    """

    before: Scene
    after: Scene
    what: str
    thing: Thing | None


def is_held_out(change: Change) -> bool:
    """Whether what changed, or how it did, is a combination that training never shows."""
    thing = change.thing
    return thing is not None and (
        _is_held_out(thing) or (thing.shape, change.what) in HELD_OUT_CHANGES
    )


def draw_change(rng: Random, held_out: bool) -> Change:
    """A change that `is_held_out`; or one that is not, nor has a held-out object in its scenes."""
    what = pick(rng, CHANGES[1:] if held_out else CHANGES)
    while True:
        change = _change(rng, what, draw_of(rng, pick(rng, COUNTS)))
        if change is None or is_held_out(change) != held_out:
            continue
        if held_out or not any(map(_is_held_out, change.before + change.after)):
            return change


def _is_held_out(thing: Thing) -> bool:
    return (thing.colour, thing.shape) in HELD_OUT_OBJECTS


def _change(rng: Random, what: str, scene: Scene) -> Change | None:
    """It happens to any one of the things; None where that one has no room for it."""
    thing = pick(rng, scene)
    others = tuple(other for other in scene if other is not thing)
    if what == "nothing":
        return Change(scene, scene, what, None)
    if what == "appeared":
        return Change(others, scene, what, thing)
    if what == "disappeared":
        return Change(scene, others, what, thing)
    changed = _resized(rng, thing, what) if what in SIZES else _moved(thing, WAYS[what])
    free = tuple(each for each in changed if all(apart(each, other) for other in others))
    if not free:
        return None
    new = pick(rng, free)
    return Change(scene, tuple(new if each is thing else each for each in scene), what, thing)


def _moved(thing: Thing, way: str) -> list[Thing]:
    """The thing at each place that is far enough that way."""
    room = places(thing.radius)
    steps = ((x, y, x - thing.x, y - thing.y) for x, y in product(room, room))
    return [
        thing._replace(x=x, y=y)
        for x, y, right, down in steps
        if max(abs(right), abs(down)) >= FAR and direction(right, down) == way
    ]


def _resized(rng: Random, thing: Thing, what: str) -> list[Thing]:
    """The thing in its other size, if it was of the first one and the new one has room."""
    before, after = SIZES[what]
    low, high = RADII[after]
    radius = low + (high - low) * rng.random()
    fits = thing.x in places(radius) and thing.y in places(radius)
    return [thing._replace(size=after, radius=radius)] if fits and thing.size == before else []
