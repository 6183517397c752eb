"""Layer normalisation (Ba et al., arXiv 1607.06450), in float32 whatever the model computes in."""

import flax.linen as nn
import jax
import jax.numpy as jnp
from jaxtyping import Array, Float


class LayerNorm(nn.Module):
    """Zero mean and unit variance over the last dimension, then scale and bias; out in `dtype`.

    Flax's own promotes bfloat16 implicitly, which strict dtypes forbid.
    """

    dtype: str
    epsilon: float = 1e-6

    @nn.compact
    def __call__(self, x: Float[Array, "... D"]) -> Float[Array, "... D"]:
        scale = self.param("scale", nn.initializers.ones, (x.shape[-1],))
        bias = self.param("bias", nn.initializers.zeros, (x.shape[-1],))
        wide = x.astype(jnp.float32)
        centred = wide - wide.mean(axis=-1, keepdims=True)
        variance = jnp.square(centred).mean(axis=-1, keepdims=True)
        y = centred * jax.lax.rsqrt(variance + self.epsilon)
        over = range(x.ndim - 1)
        return (y * jnp.expand_dims(scale, over) + jnp.expand_dims(bias, over)).astype(self.dtype)
