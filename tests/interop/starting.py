"""Experiments whose parts start from published weights."""

import jax
from sources import SIDE

from jaxcap.config import base
from jaxcap.partition import make_mesh


def starting(folder, encoder="vit", decoder="gpt2", **settings):
    """A config of two sources in a folder; the settings are the encoder's own."""
    config = base()
    config.steps, config.batch_size, config.eval.batch_size = 2, 8, 8
    config.data.image_size, config.data.captions, config.data.max_len = SIDE, 1, 8
    config.model.encoder = {"init_from": str(folder / encoder), **settings}
    config.model.bridge = {"project": False, "norm": False}
    config.model.decoder = {"init_from": str(folder / decoder)}
    config.tokenizer.kind, config.tokenizer.path = "hf", str(folder / decoder)
    return config


def one_device():
    """Compiling for several takes longer."""
    return make_mesh({}, jax.devices()[:1])
