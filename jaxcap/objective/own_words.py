"""Scheduled sampling: in training a captioner also reads words that it would have said itself.

Bengio et al., arXiv 1506.03099, in the two passes of Duckworth et al., arXiv 1906.04331, which
need no loop over words: the first tells what the model would say after each true word, the second
reads some of that in place of the true words. So it is the same for every decoder.
"""

import jax
import jax.numpy as jnp
import numpy as np
from jaxtyping import Array, Float, Int

from jaxcap.data.text import Tokenizer


def with_own_words(
    inputs: Int[Array, "B K T"],
    logits: Float[Array, "B K T V"],
    share: Float[Array, ""],
    tokenizer: Tokenizer,
    key: Array,
) -> Int[Array, "B K T"]:
    """The input words, of which a share is drawn from what the model said of the one before.

    As in a search, BOS and a prompt are given, and banned ids are never said.

    Args:
      inputs: BOS, then the true words.
      logits: of each next word, by a first pass over the inputs.
      share: of the words, on average.
      tokenizer: that knows which ids are which.
      key: a random key.
    """
    banned, given = (
        jnp.asarray(np.isin(np.arange(logits.shape[-1]), ids))
        for ids in (tokenizer.banned, tokenizer.given)
    )
    chances = jnp.where(banned[None, None, None], -jnp.inf, logits)
    said = jax.random.categorical(jax.random.fold_in(key, 0), chances).astype(inputs.dtype)
    own = jnp.concatenate([inputs[..., :1], said[..., :-1]], axis=-1)
    coin = jax.random.bernoulli(jax.random.fold_in(key, 1), share, inputs.shape)
    return jnp.where(coin & ~given[inputs], own, inputs)
