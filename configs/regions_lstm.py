"""Bottom-up and top-down: features of regions, and two LSTMs with the look between (1707.07998).

Command   python -m jaxcap.main --config=configs/regions_lstm.py --workdir=runs/regions_lstm
          with COCO in Karpathy's split in datasets/coco (see configs/coco.py) and the bottom-up
          features of its images, a .npz each, in datasets/regions
Try it    --config=configs/regions_lstm.py:runlocal, a minute on 2 CPU cores: regions of pixels
Published Anderson et al., COCO Karpathy test: BLEU-4 36.2, METEOR 27.0, CIDEr 113.5 by
          cross-entropy; 36.3, 27.7 and 120.1 by CIDEr
Score     of this config not measured; benchmarks/flickr8k_systems.py has it over a grid

The same: up to 100 regions of 2,048 features, as they are; an LSTM of 1,000 that reads the word,
the mean of the regions and what the second LSTM last said; additive attention of 512; a second
LSTM of 1,000; words of 1,000; no dropout; SGD with momentum, from 0.01 down to 0 in 60,000 steps
of 100 pairs, decay 5e-4, clipped at 10; beams of 5.
Different: attention has biases; decay is apart from the gradient, and ten times as high, for there
it went through the momentum.
"""

from ml_collections import ConfigDict

from jaxcap.recipes import PAIRS, on_coco, tried_out


def get_config(arg: str = "") -> ConfigDict:
    """The published sizes, or `:runlocal`."""
    local = arg == "runlocal"
    config = on_coco(image_size=224, batch_size=100, captions=1, epochs=60_000 * 100 / PAIRS)
    config.tokenizer.min_count = 5
    config.data.region_features = "datasets/regions"
    config.data.regions = 100
    config.data.features = 2048
    config.model.encoder = {"name": "given"}
    config.model.bridge = {"project": False, "norm": False}
    config.model.decoder = {
        "name": "recurrent",
        "width": 16 if local else 1000,
        "depth": 2,
        "looks": 1,
        "attention_width": 16 if local else 512,
    }
    config.optim.kind = "sgd"
    config.optim.b1 = 0.9
    config.optim.lr = 0.01
    config.optim.schedule = "linear"
    config.optim.final_lr = 0.0
    config.optim.warmup = 0
    config.optim.weight_decay = 5e-3
    config.optim.clip = 10.0
    config.optim.parts = ()
    config.search = {"beams": 5, "max_len": 20, "length_penalty": 0.0}
    if local:
        config.data.region_features, config.data.features, config.data.regions = "", 0, 3
        config.model.encoder = {"name": "vgg16", "widths": (8, 16), "depths": (1, 1)}
        config.model.stage = {"name": "regions"}
        config.model.bridge["geometry"] = True
        tried_out(config, image_size=32)
    return config
