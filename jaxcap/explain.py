"""A caption looked at: how sure the model was of each word, where it looked, and what it meant."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Bool, Float, Int
from PIL import Image

from jaxcap.errors import UserError
from jaxcap.models.captioning import CaptionModel, caption_logp
from jaxcap.models.memory import Memory
from jaxcap.models.seen import SEEN, maps, said
from jaxcap.models.shown import Shown


class Reading(NamedTuple):
    """What teacher forcing leaves of K captions of an image.

    Attributes:
      logps: the log-probability of each token.
      maps: the weights of each layer's heads over the memory's tokens; L is 0 where none look.
      vectors: what the decoder put out for each token, just before the vocabulary.
      boxes: what each token of the memory is of (see `Memory.places`).
      image: which of the record's images that is.
    """

    logps: Float[Array, "K T"]
    maps: Float[Array, "L K H T S"]
    vectors: Float[Array, "K T D"]
    boxes: Float[Array, "S 4"]
    image: Int[Array, " S"]


def read(
    model: CaptionModel,
    variables: Any,
    shown: Mapping[str, Array],
    tokens: Int[Array, "K T"],
    bos: int,
) -> Reading:
    """K captions of one image in one pass.

    Args:
      model: that reads them.
      variables: its own.
      shown: a batch of one record.
      tokens: of the captions, each of which begins behind BOS.
      bos: its id.
    """
    inputs = jnp.roll(tokens, 1, axis=-1).at[:, 0].set(bos)[None]

    def look(model: CaptionModel) -> tuple[Memory, Array]:
        memory = model.encode(Shown.of(shown))
        return memory, model.decoder(memory, inputs)

    (memory, logits), seen = model.apply(variables, method=look, mutable=[SEEN])
    (K, T), S = tokens.shape, memory.mask.shape[1]
    layers = [layer[0] for layer in maps(seen)]
    return Reading(
        logps=caption_logp(logits, tokens[None])[0],
        maps=jnp.stack(layers) if layers else jnp.zeros((0, K, 0, T, S)),
        vectors=said(seen)[0],
        boxes=memory.places()[0],
        image=jnp.arange(S) * memory.images // S,
    )


@dataclass(frozen=True, eq=False)
class Explanation:
    """A caption of one record, word by word.

    Attributes:
      text: the caption.
      tokens: T of it, as `jaxcap.captioner.Caption` has them: without the prompt, with EOS.
      probabilities: of each token after those before it.
      maps: how much each head of each layer looked at each token of the memory. A row adds up to
        1, or to less where the caption's own words were looked at too. L is 0 for a decoder that
        does not look.
      boxes: what each token of the memory is of: left, top, right and bottom, in shares of the
        sides of its picture.
      image: which of the record's images that is.
      vectors: what the decoder put out for each token, just before the vocabulary.
      pictures: of each image what the model was shown, upright and in RGB.
    """

    text: str
    tokens: tuple[str, ...]
    probabilities: Float[np.ndarray, " T"]
    maps: Float[np.ndarray, "L H T S"]
    boxes: Float[np.ndarray, "S 4"]
    image: Int[np.ndarray, " S"]
    vectors: Float[np.ndarray, "T D"]
    pictures: Sequence[Image.Image]

    @classmethod
    def of(
        cls,
        reading: Reading,
        chosen: slice,
        text: str,
        tokens: tuple[str, ...],
        pictures: Sequence[Image.Image],
    ) -> "Explanation":
        """What a reading of one caption says of those of its tokens that are `chosen`."""
        return cls(
            text=text,
            tokens=tokens,
            probabilities=np.exp(np.asarray(reading.logps)[0, chosen]),
            maps=np.asarray(reading.maps)[:, 0, :, chosen],
            boxes=np.asarray(reading.boxes),
            image=np.asarray(reading.image),
            vectors=np.asarray(reading.vectors, np.float32)[0, chosen],
            pictures=pictures,
        )

    def weights(
        self, layer: int | None = None, head: int | None = None
    ) -> Float[np.ndarray, "T S"]:
        """How much each token looked at each token of the memory.

        Args:
          layer: one of L, from 0; by default the mean of all.
          head: one of H, from 0; by default the mean of all.

        Raises:
          UserError: the decoder does not look, or has no such layer or head.
        """
        if not len(self.maps):
            raise UserError(
                "This decoder looks at no parts of the image when it says a word, so there is "
                "nothing to show of where it looked. One whose model.decoder.fusion is 'cross', "
                "or a Transformer's 'prefix', does; how alike its words are can be shown of any."
            )
        chosen = self.maps
        for axis, (name, number) in enumerate((("layer", layer), ("head", head))):
            if number is not None:
                count = chosen.shape[axis]
                if not 0 <= number < count:
                    raise UserError(
                        f"There is no {name} {number} that looks at the image; there are {count}, "
                        "counted from 0."
                    )
                chosen = chosen.take([number], axis=axis)
        return chosen.mean(axis=(0, 1))

    @property
    def placed(self) -> Bool[np.ndarray, " S"]:
        """True for a token of a part of its image; one of all of it tells no place."""
        return np.any(~np.isclose(self.boxes, (0, 0, 1, 1)), axis=-1)

    def on_image(
        self, weights: Float[np.ndarray, "T S"], height: int, width: int, image: int = 0
    ) -> Float[np.ndarray, "T {height} {width}"]:
        """The weights painted over an image, from `weights()`: see `paint`.

        Tokens of the whole image are left out: they would brighten every place alike.
        """
        here = self.placed & (self.image == image)
        return paint(weights[:, here], self.boxes[here], height, width)

    def similarity(self) -> Float[np.ndarray, "T T"]:
        """The cosine between the vectors of every two tokens."""
        lengths = np.linalg.norm(self.vectors, axis=-1, keepdims=True)
        unit = self.vectors / np.maximum(lengths, np.finfo(np.float32).tiny)
        return np.clip(unit @ unit.T, -1, 1)


def paint(
    weights: Float[np.ndarray, "T S"], boxes: Float[np.ndarray, "S 4"], height: int, width: int
) -> Float[np.ndarray, "T {height} {width}"]:
    """The weights as pictures: a pixel has the sum of those of the boxes that cover it.

    A box at the edge of a pixel counts as far as it covers it. The cells of a grid cover each place
    once, so there a pixel has the weight of its cell; regions may overlap, and what lies in two of
    them was looked at twice.

    Args:
      weights: of S boxes, T times.
      boxes: left, top, right and bottom, in shares of the picture's sides.
      height, width: of the picture, in pixels.
    """
    across = _covered(boxes[:, 0], boxes[:, 2], width)
    down = _covered(boxes[:, 1], boxes[:, 3], height)
    return np.einsum("ts,sh,sw->thw", weights, down, across, optimize=True)


def _covered(
    first: Float[np.ndarray, " S"], last: Float[np.ndarray, " S"], pixels: int
) -> Float[np.ndarray, "S {pixels}"]:
    """The share of each pixel of a row that lies between the first and the last place."""
    left = np.arange(pixels, dtype=np.float32)[None]
    begins = np.maximum(first[:, None] * pixels, left)
    return np.clip(np.minimum(last[:, None] * pixels, left + 1) - begins, 0, 1)
