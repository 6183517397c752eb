"""Images, or memories of them, as a model is shown them: one a record."""

import jax
import jax.numpy as jnp

from jaxcap.models.memory import Memory
from jaxcap.models.shown import Shown


def pictures(images) -> Shown:
    """Pixels, uint8 [B, h, w, 3]."""
    return Shown(present=jnp.ones((len(images), 1), bool), image=jnp.asarray(images)[:, None])


def memories(memory: Memory) -> Shown:
    """What there is of them before, of which some may be nothing: features of regions."""
    present, everywhere = jnp.ones((len(memory.mask), 1), bool), jnp.asarray([0.0, 0, 1, 1])
    boxes = jnp.broadcast_to(everywhere[None, None, None], (*memory.mask[:, None].shape, 4))
    features, real = memory.tokens[:, None], memory.mask[:, None]
    return Shown(present, features=features, boxes=boxes, real=real)


def rows(photos) -> dict[str, jax.Array]:
    """What `Captioner.shown` made of each photograph, as a batch."""
    return {name: jnp.stack([photo[name] for photo in photos]) for name in photos[0]}
