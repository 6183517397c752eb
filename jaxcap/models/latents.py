"""What passes between the halves of a variational autoencoder: drawn so that gradients pass too.

A distribution over codes is drawn from by the Gumbel-softmax (Jang et al., arXiv 1611.01144;
Maddison et al., arXiv 1611.00712), a Gaussian by its mean and variance (Kingma and Welling, arXiv
1312.6114). The divergences are of each image, in nats.
"""

import math

import jax
import jax.numpy as jnp
from jaxtyping import Array, Float, PRNGKeyArray


def gumbel_softmax(
    key: PRNGKeyArray, logits: Float[Array, "*places codes"], temperature: Float[Array, ""]
) -> Float[Array, "*places codes"]:
    """Weights of the codes that add up to 1, float32; the colder, the nearer to a single code.

    At any temperature the heaviest code is a draw from the softmax of the logits.
    """
    logits = logits.astype(jnp.float32)
    return jax.nn.softmax((logits + jax.random.gumbel(key, logits.shape)) / temperature)


def reparametrised(
    key: PRNGKeyArray, mean: Float[Array, "B N"], log_variance: Float[Array, "B N"]
) -> Float[Array, "B N"]:
    """A draw from Gaussians, as a function of their means and variances."""
    return mean + jnp.exp(log_variance / 2) * jax.random.normal(key, mean.shape)


def kl_to_uniform(logits: Float[Array, "B h w codes"]) -> Float[Array, "B"]:
    """The divergence of the codes' distributions from one where all are as likely, over cells."""
    logp = jax.nn.log_softmax(logits.astype(jnp.float32))
    of_cells = (jnp.exp(logp) * logp).sum(axis=-1) + math.log(logits.shape[-1])
    return of_cells.sum(axis=(1, 2))


def kl_to_normal(mean: Float[Array, "B N"], log_variance: Float[Array, "B N"]) -> Float[Array, "B"]:
    """The divergence of Gaussians from those of mean 0 and variance 1, summed over them."""
    return (jnp.square(mean) + jnp.exp(log_variance) - 1 - log_variance).sum(axis=-1) / 2


def temperature_at(
    progress: Float[Array, ""], first: float, last: float, cooled: float
) -> Float[Array, ""]:
    """The temperature at a point of training: it falls by equal factors, then stays.

    Args:
      progress: share of the steps done.
      first, last: from where to where.
      cooled: the share of the steps at which it is the last.
    """
    return first * (last / first) ** jnp.minimum(progress / cooled, 1.0)
