"""How sure a captioner is of each word, and how much of that it has from the image."""

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING

import jax.numpy as jnp
import numpy as np

from jaxcap.caption import Caption
from jaxcap.data.showing import Arrays
from jaxcap.decode.words import Words

if TYPE_CHECKING:
    from jaxcap.captioner import Captioner

BLANK = {"image": 127, "features": 0}  # what stands for an image that says nothing
LOW = 0.2  # a word below it is marked: one of five such is right, if the captioner knows itself


@dataclass(frozen=True)
class Word:
    """A word of a caption.

    Attributes:
      text: with the marks that follow it.
      logprob: of its tokens together, after all that stands before them.
      image: the same less what it is for a blank image, in nats: what the image had to do with it.
    """

    text: str
    logprob: float
    image: float

    @property
    def probability(self) -> float:
        """Of the word, after those before it."""
        return float(np.exp(self.logprob))

    @property
    def is_low(self) -> bool:
        """Whether it should be looked at."""
        return self.probability < LOW


def words_of(captioner: "Captioner", shown: Arrays, caption: Caption) -> list[Word]:
    """The words of a caption that follow its prompt, without its end.

    Args:
      captioner: whose caption it is.
      shown: what the model was shown of the image.
      caption: of it.
    """
    tokenizer = captioner.tokenizer
    prompt = len(caption.ids) - len(caption.tokens)
    tokens = np.array([[[tokenizer.bos, *caption.ids]]], np.int32)
    begun = Words.of(tokenizer).begun(jnp.asarray(tokens), jnp.int32(tokens.size))
    starts = np.flatnonzero(np.asarray(begun)[0, 0, 1 + prompt :])
    ended = caption.ids[-1:] == (tokenizer.eos,)
    edges = [0, *starts[starts > 0].tolist(), len(caption.tokens) - ended]

    seen = np.array(caption.logprobs)
    gain = seen - captioner.logprobs(blank(shown), caption)
    found = []
    for first, last in pairwise(edges):
        here = slice(first, last)
        text = tokenizer.decode(caption.ids[prompt:][here])
        if text:
            found.append(Word(text, float(seen[here].sum()), float(gain[here].sum())))
    return found


def blank(shown: Arrays) -> Arrays:
    """The same of an image that says nothing: grey, or features that are all zero."""
    nothing = {
        name: np.full_like(shown[name], value) for name, value in BLANK.items() if name in shown
    }
    return {**shown, **nothing}
