"""What a picture of shapes shows: things of a colour, a shape, a size and a place, at random.

Lengths are in units of a frame of 64 by 64, x to the right and y down; a painter scales them. A
scene is drawn again until nothing in it is arguable: the things stay apart, and the direction
from any one to any other (from the centre of the frame, where a thing is alone) is clear. No two
things of a scene have both their colour and their shape in common.

The centres are on a grid of eight units, so that a ViT with patches as wide cuts a thing into the
same parts wherever it is, and learns the shapes within minutes on a CPU.

Training never shows the combinations in `HELD_OUT_OBJECTS` and `HELD_OUT_RELATIONS`, though it
shows every colour, shape, size and relation in them in other company.
"""

from itertools import permutations
from math import ceil
from random import Random
from typing import NamedTuple, TypeVar

FRAME = 64.0
COLOURS = ("red", "green", "blue", "yellow", "purple", "pink", "cyan", "white")
SHAPES = ("circle", "square", "triangle", "cross", "ring", "diamond")
RADII = {"small": (4.6, 5.4), "large": (9.0, 10.5)}
COUNTS = (1, 2, 2, 3)

GRID = 8.0  # the centres are this far apart, along each axis
REACH = 1.2  # no point of a thing is farther from its centre than this many of its radii
GAP = 3.0  # between two things, and half of it between a thing and the edge
CLEAR = 1.5  # a direction is clear where one axis differs by this many times the other
ASIDE = 16.0  # so far from the centre of the frame a thing is clearly out of the middle

# Of a centre, on either axis: by how many places of the grid it stays from the edges.
PLACES = tuple(
    tuple(GRID * i for i in range(first, int(FRAME / GRID) - first + 1))
    for first in range(int(FRAME / GRID / 2) + 1)
)

HELD_OUT_OBJECTS = frozenset(
    {("red", "triangle"), ("green", "circle"), ("blue", "cross"), ("yellow", "square")}
)
# Each stands for its inverse too: a circle left of a square is a square right of a circle.
HELD_OUT_RELATIONS = frozenset(
    {
        ("circle", "left", "square"),
        ("triangle", "left", "cross"),
        ("cross", "above", "circle"),
        ("square", "above", "triangle"),
    }
)

T = TypeVar("T")


class Thing(NamedTuple):
    """One coloured shape; `x` and `y` are its centre."""

    colour: str
    shape: str
    size: str
    radius: float
    x: float
    y: float


Scene = tuple[Thing, ...]


def relation(a: Thing, b: Thing) -> str:
    """Where `a` is, seen from `b`: "left", "right", "above", "below"; "" where arguable."""
    return direction(a.x - b.x, a.y - b.y)


def direction(dx: float, dy: float) -> str:
    """The name of the way to the right and down that far, as `relation` has it."""
    if abs(dx) >= CLEAR * abs(dy):
        return "left" if dx < 0 else "right"
    if abs(dy) >= CLEAR * abs(dx):
        return "above" if dy < 0 else "below"
    return ""


def place(thing: Thing) -> str:
    """Where a thing is in the frame: "middle" or the name of a direction; "" where arguable."""
    dx, dy = thing.x - FRAME / 2, thing.y - FRAME / 2
    far = max(abs(dx), abs(dy))
    if far == 0:
        return "middle"
    return direction(dx, dy) if far >= ASIDE else ""


def is_held_out(scene: Scene) -> bool:
    """Whether the scene shows a combination that training never shows."""
    return any((thing.colour, thing.shape) in HELD_OUT_OBJECTS for thing in scene) or any(
        (a.shape, relation(a, b), b.shape) in HELD_OUT_RELATIONS for a, b in permutations(scene, 2)
    )


def draw_scene(rng: Random, held_out: bool) -> Scene:
    """A scene of one to three things that `is_held_out` or not, as asked."""
    count = pick(rng, COUNTS)
    while True:
        scene = draw_of(rng, count)
        if is_held_out(scene) == held_out:
            return scene


def draw_of(rng: Random, count: int) -> Scene:
    """Any scene of so many things."""
    return _put(rng, _draw_things(rng, count))


def places(radius: float) -> tuple[float, ...]:
    """Where, on either axis, the centre of a thing of that radius may be."""
    return PLACES[ceil((REACH * radius + GAP / 2) / GRID)]


def apart(a: Thing, b: Thing) -> bool:
    """Whether two things are far enough from each other."""
    return (a.x - b.x) ** 2 + (a.y - b.y) ** 2 >= (REACH * (a.radius + b.radius) + GAP) ** 2


def pick(rng: Random, items: tuple[T, ...]) -> T:
    """One of the items, by `random()` alone: its stream is the same on every Python version."""
    return items[int(rng.random() * len(items))]


def _draw_things(rng: Random, count: int) -> Scene:
    """Things that differ in colour or shape, still without a place."""
    things: dict[tuple[str, str], Thing] = {}
    while len(things) < count:
        colour, shape, size = pick(rng, COLOURS), pick(rng, SHAPES), pick(rng, tuple(RADII))
        low, high = RADII[size]
        radius = low + (high - low) * rng.random()
        things.setdefault((colour, shape), Thing(colour, shape, size, radius, 0.0, 0.0))
    return tuple(things.values())


def _put(rng: Random, things: Scene) -> Scene:
    """The things at places where nothing is arguable."""
    # A thing alone is as often in the middle as on any one side, though the middle is small.
    alone = pick(rng, ("middle", "left", "right", "above", "below"))
    while True:
        scene: Scene = ()
        for thing in things:
            thing = _put_one(rng, thing)
            if not all(apart(thing, other) and relation(thing, other) for other in scene):
                break
            scene += (thing,)
        if len(scene) == len(things) and (len(scene) > 1 or place(scene[0]) == alone):
            return scene


def _put_one(rng: Random, thing: Thing) -> Thing:
    x, y = (pick(rng, places(thing.radius)) for _ in range(2))
    return thing._replace(x=x, y=y)
