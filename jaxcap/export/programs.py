"""The two programs of an exported captioner, as `jax.export` serialises them.

Photographs have many sizes, and a program is compiled for each size of its arguments. So what makes
squares of them is a program of its own, small and soon compiled; the captioner knows squares alone.
Each is for all platforms, and for batches of any size.
"""

from collections.abc import Callable, Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import export
from jaxtyping import Array, Int, UInt8

from jaxcap.data.frame import Frame
from jaxcap.data.text import Tokenizer
from jaxcap.decode import Search
from jaxcap.decode.captions import captioner
from jaxcap.export.square import squares
from jaxcap.models.captioning import CaptionModel
from jaxcap.state import nested

PLATFORMS = ("cpu", "cuda", "tpu")


def frame_program(frame: Frame) -> bytes:
    """Photographs, uint8 [B, h, w, 3], and their size, int32 [2] -> squares; see `squares`."""
    photos = jax.ShapeDtypeStruct((*export.symbolic_shape("b, h, w"), 3), jnp.uint8)
    size = jax.ShapeDtypeStruct((2,), jnp.int32)
    with jax.enable_x64(True):
        return _exported(squares(frame), photos, size)


def caption_program(
    model: CaptionModel,
    tokenizer: Tokenizer,
    search: Search,
    prompt: list[int],
    seed: int,
    weights: Mapping[str, np.ndarray],
    side: int,
) -> bytes:
    """Weights, squares uint8 [B, side, side, 3] and index int32 [B] -> the fields of `Captions`.

    The weights are an argument, because what is a constant in a program is one more to compile.

    Args:
      model: that captions.
      tokenizer, search, prompt, seed: see `jaxcap.decode.captions.captioner`.
      weights: of the model, by path.
      side: pixels a side of a square.
    """
    search_for = captioner(model, tokenizer, search, seed)
    given = jnp.asarray(prompt, jnp.int32)

    def caption(
        weights: dict[str, Array], images: UInt8[Array, "B h w 3"], index: Int[Array, " B"]
    ) -> dict[str, Array]:
        B = images.shape[0]
        batch = {
            "image": images[:, None],
            "present": jnp.ones((B, 1), bool),
            "prompt": jnp.broadcast_to(given[None], (B, len(prompt))),
            "prompt_len": jnp.full(B, len(prompt), jnp.int32),
            "index": index,
        }
        found = search_for(nested(weights), batch)
        return {"tokens": found.tokens, "logps": found.logps, "scores": found.scores}

    (b,) = export.symbolic_shape("b")
    shapes = {path: jax.ShapeDtypeStruct(leaf.shape, leaf.dtype) for path, leaf in weights.items()}
    images = jax.ShapeDtypeStruct((b, side, side, 3), jnp.uint8)
    return _exported(caption, shapes, images, jax.ShapeDtypeStruct((b,), jnp.int32))


def _exported(function: Callable[..., Any], *arguments: Any) -> bytes:
    return bytes(export.export(jax.jit(function), platforms=PLATFORMS)(*arguments).serialize())
