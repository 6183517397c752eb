"""Photographs of your own with captions in a table: the captioner in the box, trained further.

Command   python -m jaxcap.main --config=configs/own.py:my/table.csv --workdir=runs/own
          The table has a header image,caption and a row for each caption; see the README
Hardware  2 CPU cores, 4 GiB of memory
Time      3 min 39 s with 80 photographs of five captions each
Score     of the data

The encoder stays as it is, so its memories are kept. Words are those of the captioner in the box
(2,543, of Flickr8k): others cannot be learnt. To learn other words or with more data train
configs/flickr8k.py on --config.data.source=csv:my/table.csv from the beginning.
"""

from ml_collections import ConfigDict

from jaxcap.boxed import BOXED
from jaxcap.further import finetuned


def get_config(table: str = "table.csv") -> ConfigDict:
    """`table` is a CSV file."""
    config = finetuned(str(BOXED))
    config.data.source = f"csv:{table}"
    config.data.captions = 5
    config.data.cache = "datasets/memories"
    config.steps = 100
    config.batch_size = 32
    config.optim.lr = 3e-4
    config.optim.warmup = 20
    config.optim.parts = (("^encoder/", 0.0),)
    config.eval.every = 50
    return config
