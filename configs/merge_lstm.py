"""Merge: the LSTM knows words alone, and the image joins what it says (arXiv 1708.02043).

Command   python -m jaxcap.main --config=configs/merge_lstm.py --workdir=runs/merge_lstm
          with Flickr8k in datasets/flickr8k (see configs/flickr8k.py) and the weights of Keras'
          VGG16, without its top, in weights/vgg16.h5
Try it    --config=configs/merge_lstm.py:runlocal, a minute on 2 CPU cores
Published Tanti et al., Flickr8k test: BLEU-4 17.9, CIDEr 47.0 (mean of three runs; arXiv 1708.02043
          with its code); 17.8 and 46.9 of the GRU of arXiv 1703.09137
Score     of this config not measured; benchmarks/flickr8k_systems.py has it with another encoder

The same: words of 256 that occur 3 times, an LSTM of 256 from a state of zeros; no dropout, no
decay; Adam at 1e-3, 50 pairs a step; beams of 3.
Different: the image is the pooled map of VGG's last convolution, layer-normed, where they take its
second dense layer, divided by its length; it is added to the output before the vocabulary, which
is their concatenation with a matrix in two factors; ten epochs, and not as many as the loss of the
photographs for development falls in.
"""

from ml_collections import ConfigDict

from jaxcap.config import base
from jaxcap.recipes import tried_out


def get_config(arg: str = "") -> ConfigDict:
    """The published sizes, or `:runlocal`."""
    local = arg == "runlocal"
    config = base()
    config.data.source = "flickr8k:datasets/flickr8k"
    config.data.image_size = 224
    config.data.captions = 1
    config.data.max_len = 20
    config.tokenizer.min_count = 3
    config.batch_size = 50
    config.steps = 6_000  # ten epochs of pairs
    config.model.encoder = {"name": "vgg16", "init_from": "weights/vgg16.h5"}
    config.model.bridge = {"pool": True}
    config.model.decoder = {"name": "recurrent", "fusion": "merge", "width": 16 if local else 256}
    config.objective.smoothing = 0.0
    config.optim.kind = "adam"
    config.optim.b2 = 0.999
    config.optim.lr = 1e-3
    config.optim.schedule = "constant"
    config.optim.warmup = 0
    config.optim.weight_decay = 0.0
    config.optim.clip = 0.0
    config.optim.ema = 0.0
    config.optim.parts = (("^encoder/", 0.0),)
    config.eval.every = 600
    config.search = {"beams": 3, "max_len": 20, "length_penalty": 0.0}
    if local:
        config.model.encoder = {"name": "vgg16", "widths": (8, 16), "depths": (1, 1)}
        tried_out(config, image_size=32)
    return config
