"""PureT: Swin, a refining encoder of shifted windows, the whole image fused into each layer.

Wang et al., arXiv 2203.15350.

Command   python -m jaxcap.main --config=configs/puret.py --workdir=runs/puret
          with COCO in Karpathy's split in datasets/coco (see configs/coco.py) and a directory in
          the Hugging Face layout, weights/swin-large-patch4-window12-384
Try it    --config=configs/puret.py:runlocal, a minute on 2 CPU cores
Published COCO Karpathy test: BLEU-1..4 77.8 61.7 47.8 36.9, METEOR 28.9, CIDEr 122.4 by
          cross-entropy; 82.1 67.3 52.0 40.9, 30.2 and 138.2 by CIDEr
Score     of this config not measured; benchmarks/flickr8k_systems.py has it on Flickr8k

The same: Swin-L, frozen, at 384 pixels: 12 x 12 cells; a dense layer to 512; three refining layers
of windows of 6, every second one shifted, with the mean of the cells as a token of its own that
sees all of them; three decoder layers, in each of which the words first meet that token; 8 heads,
2,048, norms behind, dropout 0.1; Adam with the rate of Vaswani et al., up to 4.4e-4 at step
10,000; smoothing 0.1; 10 images with 5 captions a step, 20 epochs; beams of 5, no length norm.
Different: the published attention of the whole counts itself four times, once a window; positions
of words are learned; dropout falls on the words too, and not behind the last layer; gradients are
clipped by their norm; nothing is dropped from the frozen Swin.
"""

from ml_collections import ConfigDict

from jaxcap.recipes import on_coco, tried_out


def get_config(arg: str = "") -> ConfigDict:
    """The published sizes, or `:runlocal`."""
    local = arg == "runlocal"
    layers = {
        "width": 32 if local else 512,
        "depth": 2 if local else 3,
        "heads": 2 if local else 8,
        "mlp_width": 64 if local else 2048,
        "dropout": 0.1,
    }
    config = on_coco(image_size=384, batch_size=10, captions=5, epochs=20)
    config.data.max_len = 17
    config.tokenizer.min_count = 5
    config.model.encoder = {"init_from": "weights/swin-large-patch4-window12-384"}
    config.model.stage = {"name": "refine", **layers, "window": 2 if local else 6}
    config.model.bridge = {"project": False, "norm": False}
    config.model.decoder = {
        "name": "transformer",
        **layers,
        "fuses_whole": True,
        "norm": "post",
        "activation": "relu",
        "epsilon": 1e-5,
        "tied": False,
    }
    config.objective.smoothing = 0.1
    config.optim.kind = "adam"
    config.optim.eps = 1e-9
    config.optim.lr = 512**-0.5 * 10_000**-0.5
    config.optim.schedule = "rsqrt"
    config.optim.warmup = 10_000
    config.optim.weight_decay = 0.0
    config.optim.clip = 0.1
    config.search = {"beams": 5, "max_len": 17, "length_penalty": 0.0}
    if local:
        config.model.encoder = {"name": "swin", "width": 8, "depths": (1, 1), "heads": (2, 2)}
        config.model.encoder["window"] = 4
        tried_out(config, image_size=32)
    return config
