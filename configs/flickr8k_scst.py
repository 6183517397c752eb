"""The captioner of flickr8k.py, trained further on CIDEr itself.

Command   python -m jaxcap.main --config=configs/flickr8k_scst.py:DIR --workdir=runs/flickr8k_scst
          --config.init_from=runs/flickr8k, the run of configs/flickr8k.py; DIR as there
Hardware  2 CPU cores; the memories that the other run kept are read
Needs     pip install 'jaxcap[pretrained]'
"""

from ml_collections import ConfigDict

from configs.flickr8k import get_config as flickr8k
from jaxcap.recipes import self_critical


def get_config(folder: str = "") -> ConfigDict:
    """`folder` is where Flickr8k lies."""
    config = self_critical(flickr8k(folder))
    config.init_from = "runs/flickr8k"
    config.steps = 400
    return config
