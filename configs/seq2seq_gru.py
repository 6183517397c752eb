"""A sequence to a sequence: cells read from both ends, and a GRU with Bahdanau's attention.

Command   python -m jaxcap.main --config=configs/seq2seq_gru.py --workdir=runs/seq2seq_gru
          with COCO in Karpathy's split in datasets/coco (see configs/coco.py) and the weights of
          Keras' ResNet50, without its top, in weights/resnet50.h5
Try it    --config=configs/seq2seq_gru.py:runlocal, a minute on 2 CPU cores
Published TensorFlow's tutorials, which have no scores: "Image captioning with visual attention" of
          2018 to 2022 (the grid, the GRU and its attention) and "Neural machine translation with
          attention" (both ends)
Score     of this config not measured; benchmarks/flickr8k_systems.py has it on Flickr8k

The same: a bidirectional GRU over the source; words of 256, a GRU of 512 with additive attention of
512 by its state before the word; the 5,000 most frequent words, about; Adam at 1e-3, 64 pairs a
step, 20 epochs; no dropout.
Different: the 7 x 7 map of ResNet50 for the 8 x 8 of Inception V3; the GRU remembers (in the
tutorial it is called without the state before the word, so that its memory is what attention
carries over); photographs, not captions, are held out; beams where the tutorial draws; both
directions stand beside each other where it adds them; its dense layers over the cells and before
the vocabulary are left out.
"""

from ml_collections import ConfigDict

from jaxcap.recipes import on_coco, tried_out


def get_config(arg: str = "") -> ConfigDict:
    """The published sizes, or `:runlocal`."""
    local = arg == "runlocal"
    config = on_coco(image_size=224, batch_size=64, captions=1, epochs=20)
    config.tokenizer.min_count = 16
    config.model.encoder = {"name": "resnet", "size": "50", "init_from": "weights/resnet50.h5"}
    config.model.stage = {"name": "bidirectional", "cell": "gru", "width": 8 if local else 256}
    config.model.bridge = {"project": False, "norm": False}
    config.model.decoder = {
        "name": "recurrent",
        "cell": "gru",
        "width": 16 if local else 512,
        "word_width": 8 if local else 256,
    }
    config.optim.kind = "adam"
    config.optim.b2 = 0.999
    config.optim.lr = 1e-3
    config.optim.schedule = "constant"
    config.optim.warmup = 0
    config.optim.weight_decay = 0.0
    config.optim.clip = 0.0
    config.search = {"beams": 3, "max_len": 20}
    if local:
        config.model.encoder = {"name": "resnet", "stem": 8, "widths": (16, 32), "depths": (1, 1)}
        config.model.encoder["layer"] = "basic"
        tried_out(config, image_size=32)
    return config
