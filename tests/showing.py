"""Images, or memories of them, as a model is shown them: one a record."""

import jax
import jax.numpy as jnp

from jaxcap.models.memory import Memory
from jaxcap.models.shown import Shown


def pictures(images) -> Shown:
    """Pixels, uint8 [B, h, w, 3]."""
    return Shown(present=jnp.ones((len(images), 1), bool), image=jnp.asarray(images)[:, None])


def memories(memory: Memory) -> Shown:
    """What an encoder made of them."""
    present = jnp.ones((len(memory.mask), 1), bool)
    return Shown(present, memory=memory.tokens[:, None], real=memory.mask[:, None])


def rows(photos) -> dict[str, jax.Array]:
    """What `Captioner.shown` made of each photograph, as a batch."""
    return {name: jnp.stack([photo[name] for photo in photos]) for name in photos[0]}
