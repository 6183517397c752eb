"""Captions as the device has them."""

import jax.numpy as jnp
import numpy as np

from jaxcap.reward.codes import Codes, in_rows
from jaxcap.reward.spelling import Words


def words(text):
    """A caption as its words."""
    return text.split()


def on_device(captions, length=None):
    """Lists of words, [N][...] -> Words [N, W]."""
    codes, real = in_rows(captions, length or max(map(len, captions), default=0))
    return Words(Codes(*map(jnp.asarray, codes)), jnp.asarray(real))


def of_images(captions):
    """Lists of captions, [B][N][...] -> Words [B, N, W]; an image with fewer has empty ones."""
    most = max(map(len, captions))
    rows = [words for each in captions for words in [*each, *[[]] * (most - len(each))]]
    flat = on_device(rows)
    shape = (len(captions), most, -1)
    return Words(Codes(*(half.reshape(shape) for half in flat.codes)), flat.real.reshape(shape))


def as_tokens(tokenizer, texts, length):
    """Texts -> ids and mask, [N, length]."""
    ids = [tokenizer.encode(text) for text in texts]
    tokens = np.zeros((len(ids), length), np.int32)
    real = np.zeros(tokens.shape, bool)
    for row, its in enumerate(ids):
        tokens[row, : len(its)], real[row, : len(its)] = its, True
    return jnp.asarray(tokens), jnp.asarray(real)
