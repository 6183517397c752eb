"""Every true caption of a change; the grammar of the pairs.

    nothing changed                       nothing is different
    the THING moved left                  the THING went left         (right, up, down)
    a THING appeared                      there is a new THING
    the THING disappeared                 the THING is gone
    the THING grew                        the THING became large
    the THING shrank                      the THING became small

where a THING is "COLOUR SHAPE", or that with its size before the change in front, small or
little, large or big. No two things of a scene have both in common, so that a name is of one.
"""

from jaxcap.data.shapes.change import Change
from jaxcap.data.shapes.language import SIZE_WORDS

TOLD = {
    "nothing": ("nothing changed", "nothing is different"),
    "left": ("the {} moved left", "the {} went left"),
    "right": ("the {} moved right", "the {} went right"),
    "up": ("the {} moved up", "the {} went up"),
    "down": ("the {} moved down", "the {} went down"),
    "appeared": ("a {} appeared", "there is a new {}"),
    "disappeared": ("the {} disappeared", "the {} is gone"),
    "grew": ("the {} grew", "the {} became large"),
    "shrank": ("the {} shrank", "the {} became small"),
}


def change_captions(change: Change) -> tuple[str, ...]:
    """All captions of the change that the grammar has, each once."""
    told, thing = TOLD[change.what], change.thing
    if thing is None:
        return told
    name = f"{thing.colour} {thing.shape}"
    names = (name, *(f"{words[thing.size]} {name}" for words in SIZE_WORDS))
    return tuple(text.format(each) for text in told for each in names)
