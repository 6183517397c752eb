"""Parameters for tests; random in every leaf, for zeros and ones would hide that they are used."""

import jax
import jax.numpy as jnp
import numpy as np


def drawn(init, *args):
    """What `init` would make of a key and these, with other numbers."""
    shapes = {"params": jax.eval_shape(init, jax.random.key(0), *args)["params"]}
    rng = np.random.default_rng(1)
    return jax.tree.map(
        lambda leaf: jnp.asarray(rng.normal(0, 0.7, leaf.shape).astype(np.float32)), shapes
    )
