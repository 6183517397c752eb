"""COCO in Karpathy's split: ViT-B/16 and a 6-layer decoder, trained together from nothing.

Command   python -m jaxcap.main --config=configs/coco.py --workdir=runs/coco
          on a TFDS data set of Karpathy's split, which one command makes of the downloads:
          jaxcap prepare karpathy:dataset_coco.json,IMAGES datasets/coco
Hardware  one H200 or a TPU v5e-16; batch and mesh are config lines
Time      1.2e18 FLOPs by count: an hour on an H200 at 40% of its bfloat16 peak; not measured
Score     not measured yet
Try it    jaxcap prepare shapes:size=96,train=16,val=4,test=4 datasets/tiny, then the command with
          --config=configs/coco.py:runlocal --config.data.source=tfds:datasets/tiny
"""

from ml_collections import ConfigDict

from jaxcap.config import base


def get_config(arg: str = "") -> ConfigDict:
    """The full run, or `:runlocal`."""
    local = arg == "runlocal"
    config = base()
    config.data.source = "tfds:datasets/coco"
    config.data.image_size = 256
    config.data.crop = 0.6
    config.data.captions = 5
    config.data.max_len = 32
    config.data.workers = 0 if local else 12
    config.tokenizer.kind = "bpe"
    config.tokenizer.vocab_size = 8192
    config.batch_size = 8 if local else 512
    config.steps = 2 if local else 13_300  # 60 epochs
    config.model.dtype = "float32" if local else "bfloat16"
    config.model.scan = not local
    config.model.encoder = {
        "name": "vit",
        "size": "mini" if local else "B",
        "patch": 16,
        "dropout": 0.1,
    }
    config.model.decoder = {
        "name": "transformer",
        "width": 64 if local else 512,
        "depth": 2 if local else 6,
        "heads": 8,
        "mlp_width": 128 if local else 2048,
        "dropout": 0.1,
    }
    config.optim.lr = 5e-4
    config.optim.warmup = 1 if local else 1500
    config.optim.weight_decay = 0.05
    config.optim.ema = 0.9998
    config.eval.every = 2 if local else 1330
    config.eval.batch_size = 8 if local else 250
    config.checkpoint_every = 2 if local else 665
    config.search = {"beams": 3, "max_len": 24}
    return config
