"""Show and Tell: an LSTM that reads the image as its first word (Vinyals et al., arXiv 1411.4555).

Command   python -m jaxcap.main --config=configs/show_and_tell.py --workdir=runs/show_and_tell
          with COCO in Karpathy's split in datasets/coco (see configs/coco.py) and the weights of
          Keras' InceptionV3 in weights/inception_v3.h5
Try it    --config=configs/show_and_tell.py:runlocal, a minute on 2 CPU cores
Published COCO BLEU-4 27.7, METEOR 23.7, CIDEr 85.5, with GoogLeNet; about 32, 25.7 and 99.8 in
          2016 (arXiv 1609.06647), with Inception V3 that is trained too, scheduled sampling and an
          ensemble
Score     of this config not measured; benchmarks/flickr8k_systems.py has it on Flickr8k

The same: the pooled map of Inception V3, projected without an activation, is read before BOS by one
LSTM of 512; words of 512; dropout 0.3 on words and output; SGD from 2.0, halved every 8 epochs,
clipped at 5, of pairs; a million steps; beams of 3. All as in im2txt.
Different: the image itself is not dropped from; parameters start as the layers have it; crops are
of other sizes, and images are neither flipped nor distorted in their colours; Karpathy's split; the
encoder stays frozen, where im2txt trains it for two million steps more (`optim.parts`, with
`init_from` of this run).
"""

from ml_collections import ConfigDict

from jaxcap.recipes import PAIRS, on_coco, tried_out


def get_config(arg: str = "") -> ConfigDict:
    """The published sizes, or `:runlocal`."""
    local = arg == "runlocal"
    config = on_coco(image_size=299, batch_size=32, captions=1, epochs=1_000_000 * 32 / PAIRS)
    config.data.crop = 0.8
    config.tokenizer.min_count = 4
    config.model.encoder = {"name": "inception_v3", "init_from": "weights/inception_v3.h5"}
    config.model.bridge = {"pool": True, "project": False, "norm": False}
    config.model.decoder = {
        "name": "recurrent",
        "fusion": "prefix",
        "width": 16 if local else 512,
        "dropout": 0.3,
    }
    config.optim.kind = "sgd"
    config.optim.b1 = 0.0
    config.optim.lr = 2.0
    config.optim.schedule = "step"
    config.optim.decay = 0.5
    config.optim.decay_every = 8 * PAIRS // 32
    config.optim.warmup = 0
    config.optim.weight_decay = 0.0
    config.optim.clip = 5.0
    config.search = {"beams": 3, "max_len": 20, "length_penalty": 0.0}
    if local:
        del config.model.encoder["init_from"]
        tried_out(config, image_size=75)
    return config
