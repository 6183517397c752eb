"""Where the model looked for each word of a caption, as numbers for a page to draw."""

from typing import Any

import numpy as np
from jaxtyping import Float

from jaxcap.caption import Caption
from jaxcap.captioner import Captioner
from jaxcap.data.frame import Frame
from jaxcap.data.image import upright_size

SIDE = 24  # rows and columns of a map


def looks(captioner: Captioner, image: bytes, caption: Caption) -> dict[str, Any]:
    """The words of a caption, without its end, each with its log-probability and a map.

    A map is of what the model was shown, and its brightest place is 255; there is none where the
    decoder does not look. `shown` is what that was of the upright photograph: left, top, right and
    bottom in shares of its sides; below 0 or above 1 lies a frame that it was filled up with.
    """
    explanation = captioner.explain(image, caption)
    tokens = list(explanation.tokens)
    if caption.ids and caption.ids[-1] == captioner.tokenizer.eos:
        tokens.pop()
    maps: list[Any] = [None] * len(tokens)
    if len(explanation.maps) and explanation.placed.any():
        weights = explanation.weights()[: len(tokens)]
        maps = [_bytes(each) for each in explanation.on_image(weights, SIDE, SIDE)]
    window = Frame.of(captioner.config.data).window(upright_size(image))
    return {
        "words": [
            {"word": word, "logprob": logprob, "map": map_}
            for word, logprob, map_ in zip(tokens, caption.logprobs, maps, strict=False)
        ],
        "shown": window.tolist(),
    }


def _bytes(map_: Float[np.ndarray, "h w"]) -> list[list[int]]:
    peak = max(float(map_.max()), 1e-9)
    return np.rint(map_ * (255 / peak)).astype(int).tolist()
