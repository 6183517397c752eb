"""The one object that joins encoder, bridge and decoder."""

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int, UInt8

from jaxcap.models.memory import Memory
from jaxcap.models.shown import Shown

NEVER = -1e9  # a logit; finite, so that a word that is not asked for can be multiplied away


class CaptionModel(nn.Module):
    """photo -> Memory -> captions, by way of `encoder`, `stage`, `bridge` and `decoder`.

    The encoder and the stage see each image by itself, the bridge all images of a record together.

    Attributes:
      encoder, stage, bridge, decoder: its parts.
      temperature: that logits are divided by; below 1 likely words are likelier.
      never: ids that are never said.
    """

    encoder: nn.Module
    stage: nn.Module | None
    bridge: nn.Module
    decoder: nn.Module
    temperature: float = 1.0
    never: tuple[int, ...] = ()

    def __call__(
        self, shown: Shown, tokens: Int[Array, "B K T"], train: bool = False
    ) -> Float[Array, "B K T V"]:
        """Teacher forcing: logits of each next token for K captions of each record."""
        return self.logits(self.encode(shown, train), tokens, train)

    def features(self, shown: Shown, train: bool = False) -> Memory:
        """The encoder alone, of B * N images: what is kept when it is frozen."""
        kept = shown.kept()
        return self.encoder(shown.images(), train) if kept is None else kept

    def encode(self, shown: Shown, train: bool = False) -> Memory:
        """The memory that the decoder looks at, encoded once for all K captions."""
        memory = self.features(shown, train)
        if self.stage is not None:
            memory = self.stage(memory, shown, train)
        return self.bridge(memory.in_a_row(shown.present), train)

    def logits(
        self, memory: Memory, tokens: Int[Array, "B K T"], train: bool = False
    ) -> Float[Array, "B K T V"]:
        """Teacher forcing, given the memory of `encode`."""
        return self._chances(self.decoder(memory, tokens, train))

    def losses(self, shown: Shown, progress: Float[Array, ""]) -> dict[str, Float[Array, "B N"]]:
        """What the encoder's own objective has of each image that is there, if it has one.

        Args:
          shown: records.
          progress: of the training, 0 to 1.
        """
        own = getattr(self.encoder, "losses", None)
        if own is None or shown.image is None:
            return {}
        present = shown.present.astype(jnp.float32)
        return {
            name: each.reshape(present.shape) * present
            for name, each in own(shown.images(), progress).items()
        }

    @property
    def reconstructs(self) -> bool:
        """Whether the encoder can draw an image again from what it keeps of it."""
        return hasattr(self.encoder, "reconstruct")

    def reconstruct(self, shown: Shown) -> UInt8[Array, "BN h w 3"]:
        """All images, as the encoder draws them again; see `reconstructs`."""
        return self.encoder.reconstruct(shown.images())

    def prefill(self, memory: Memory, k: int, max_len: int) -> tuple[Any, Any]:
        """See the decoder contract in `jaxcap.models`."""
        return self.decoder.prefill(memory, k, max_len)

    def step(
        self, context: Any, state: Any, token: Int[Array, "B K"], position: Int[Array, ""]
    ) -> tuple[Float[Array, "B K V"], Any]:
        """See the decoder contract in `jaxcap.models`."""
        logits, state = self.decoder.step(context, state, token, position)
        return self._chances(logits), state

    def _chances(self, logits: Float[Array, "B K *T V"]) -> Float[Array, "B K *T V"]:
        if self.temperature != 1.0:
            logits = logits / self.temperature
        if self.never:
            never = np.isin(np.arange(logits.shape[-1]), self.never)
            logits = jnp.where(jnp.expand_dims(never, range(logits.ndim - 1)), NEVER, logits)
        return logits


def caption_logp(
    logits: Float[Array, "B K T V"], targets: Int[Array, "B K T"]
) -> Float[Array, "B K T"]:
    """The log-probability of each target token."""
    picked = jnp.take_along_axis(logits, targets[..., None], axis=-1)[..., 0]
    return picked - jax.nn.logsumexp(logits, axis=-1)
