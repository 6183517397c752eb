"""A captioner of three steps on the shapes, and pictures for it: what the doors are tried on."""

from pathlib import Path

import numpy as np
from ml_collections import ConfigDict

from jaxcap.config import base
from jaxcap.models.vit import SIZES
from jaxcap.train import train

# Compiling the layers of a real one is most of the time of a test.
SIZES["tiny"] = {"width": 16, "depth": 1, "heads": 2, "mlp_width": 64}
SOURCE = "shapes:size=32,train=64,val=4"


def get_config(arg: str = "") -> ConfigDict:
    """The config; with `random`, one that draws all that training can draw."""
    config = base()
    config.steps = 3
    config.batch_size = 8
    config.data.source = SOURCE
    config.data.image_size = 32
    config.data.captions = 2
    config.data.max_len = 24
    config.tokenizer.min_count = 1
    config.model.encoder = {"name": "vit", "size": "tiny", "patch": 16}
    config.model.decoder = {
        "name": "transformer",
        "width": 16,
        "depth": 1,
        "heads": 2,
        "mlp_width": 32,
    }
    if arg == "random":
        config.data.crop = 0.5
        config.model.encoder.dropout = config.model.decoder.dropout = 0.2
    config.search = {"beams": 1, "max_len": 6}
    config.eval.batch_size = 8
    return config


def train_tiny(folder: Path) -> None:
    train(get_config(), folder)


def photographs(count: int) -> list[np.ndarray]:
    rng = np.random.default_rng(0)
    return [rng.integers(0, 256, (40, 50, 3), np.uint8) for _ in range(count)]
