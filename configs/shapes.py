"""Coloured shapes, drawn from a seed: a captioner that learns while you watch.

Command   python -m jaxcap.main --config=configs/shapes.py --workdir=runs/shapes
Hardware  2 CPU cores
"""

from ml_collections import ConfigDict

from jaxcap.config import base


def get_config(arg: str = "") -> ConfigDict:
    """The short run, or `:long`."""
    config = base()
    config.data.source = "shapes"
    config.data.image_size = 64
    config.data.captions = 6
    config.data.max_len = 28
    config.steps = 20000 if arg == "long" else 2000
    config.batch_size = 32
    config.model.encoder = {"name": "vit", "size": "mini", "patch": 8}
    config.model.decoder = {
        "name": "transformer",
        "width": 128,
        "depth": 2,
        "heads": 4,
        "mlp_width": 512,
    }
    config.tokenizer.min_count = 1
    config.optim.lr = 2e-3
    config.optim.smoothing = 0.0
    config.eval.every = config.steps
    config.eval.batch_size = 100
    config.search = {"beams": 1}
    return config
