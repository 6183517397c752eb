"""COCO in Karpathy's split: a ViT and a Transformer, trained together from nothing.

ViT-B/16 and 6 layers; `:L`, ViT-L/16 and 12 layers; `:g`, ViT-g/14 and 12 layers.

Command   python -m jaxcap.main --config=configs/coco.py --workdir=runs/coco
          on a TFDS data set of Karpathy's split, which one command makes of the downloads:
          jaxcap prepare karpathy:dataset_coco.json,IMAGES datasets/coco
Hardware  one H200 or a TPU v5e-16; batch and mesh are config lines, and with
          --config.mesh.fsdp=16 sixteen chips share out the parameters
Time      1.4e18 FLOPs by count: an hour on an H200 at 40% of its bfloat16 peak; not measured
Score     not measured yet
Try it    jaxcap prepare shapes:size=96,train=16,val=4,test=4 datasets/tiny, then the command with
          --config=configs/coco.py:runlocal --config.data.source=tfds:datasets/tiny
"""

from typing import Any

from ml_collections import ConfigDict

from jaxcap.config import base
from jaxcap.errors import UserError, did_you_mean

SIZES: dict[str, dict[str, Any]] = {  # of the image and its encoder, and of the decoder
    "": {"image": 256, "encoder": "B", "patch": 16, "width": 512, "depth": 6, "heads": 8},
    "L": {"image": 256, "encoder": "L", "patch": 16, "width": 1024, "depth": 12, "heads": 16},
    "g": {"image": 252, "encoder": "g", "patch": 14, "width": 1024, "depth": 12, "heads": 16},
    "runlocal": {"image": 256, "encoder": "mini", "patch": 16, "width": 64, "depth": 2, "heads": 8},
}


def get_config(arg: str = "") -> ConfigDict:
    """The full run, `:L`, `:g`, or `:runlocal`."""
    if arg not in SIZES:
        raise UserError(f"There is no coco.py:{arg}. {did_you_mean(arg, SIZES)}")
    size, local = SIZES[arg], arg == "runlocal"
    config = base()
    config.data.source = "tfds:datasets/coco"
    config.data.image_size = size["image"]
    config.data.crop = 0.6
    config.data.captions = 5
    config.data.max_len = 32
    config.data.workers = 0 if local else 12
    config.tokenizer.kind = "bpe"
    config.tokenizer.vocab_size = 8192
    config.batch_size = 8 if local else 512
    config.steps = 2 if local else 13_300  # 60 epochs
    config.model.dtype = "float32" if local else "bfloat16"
    config.model.scan = config.model.remat = not local
    config.model.encoder = {
        "name": "vit",
        "size": size["encoder"],
        "patch": size["patch"],
        "dropout": 0.1,
    }
    config.model.decoder = {
        "name": "transformer",
        "width": size["width"],
        "depth": size["depth"],
        "heads": size["heads"],
        "mlp_width": 4 * size["width"],
        "dropout": 0.1,
    }
    config.optim.lr = 5e-4
    config.optim.warmup = 1 if local else 1500
    config.optim.weight_decay = 0.05
    config.optim.ema = 0.9998
    config.eval.every = 2 if local else 1330
    config.eval.batch_size = 8 if local else 256
    config.checkpoint_every = 2 if local else 665
    config.search = {"beams": 3, "max_len": 24}
    return config
