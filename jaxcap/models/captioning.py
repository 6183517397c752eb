"""The one object that joins encoder, bridge and decoder."""

from collections.abc import Mapping
from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, Int, UInt8

from jaxcap.models.memory import Memory


class CaptionModel(nn.Module):
    """photo -> Memory -> captions; its parts are `encoder`, `bridge` and `decoder` by name.

    Everywhere an image is asked for, the encoder's memory may be given instead: a frozen encoder
    need only see each photograph once.
    """

    encoder: nn.Module
    bridge: nn.Module
    decoder: nn.Module

    def __call__(
        self,
        image: UInt8[Array, "B h w 3"] | Memory,
        tokens: Int[Array, "B K T"],
        train: bool = False,
    ) -> Float[Array, "B K T V"]:
        """Teacher forcing: logits of each next token for K captions of each image."""
        return self.decoder(self.encode(image, train), tokens, train)

    def features(self, image: UInt8[Array, "B h w 3"], train: bool = False) -> Memory:
        """The encoder alone: what is kept when it is frozen."""
        return self.encoder(image, train)

    def encode(self, image: UInt8[Array, "B h w 3"] | Memory, train: bool = False) -> Memory:
        """The memory that the decoder looks at, encoded once for all K captions."""
        memory = image if isinstance(image, Memory) else self.features(image, train)
        return self.bridge(memory, train)

    def prefill(self, memory: Memory, k: int, max_len: int) -> tuple[Any, Any]:
        """See the decoder contract in `jaxcap.models`."""
        return self.decoder.prefill(memory, k, max_len)

    def step(
        self, context: Any, state: Any, token: Int[Array, "B K"], position: Int[Array, ""]
    ) -> tuple[Float[Array, "B K V"], Any]:
        """See the decoder contract in `jaxcap.models`."""
        return self.decoder.step(context, state, token, position)


def caption_logp(
    logits: Float[Array, "B K T V"], targets: Int[Array, "B K T"]
) -> Float[Array, "B K T"]:
    """The log-probability of each target token."""
    picked = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    return picked - jax.nn.logsumexp(logits, axis=-1)


def shown(batch: Mapping[str, Array]) -> Array | Memory:
    """What a batch shows of its images: the kept `memory` of a frozen encoder, or the `image`."""
    if "memory" in batch:
        tokens = batch["memory"]
        return Memory(tokens, jnp.ones(tokens.shape[:2], bool))
    return batch["image"]
