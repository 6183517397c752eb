"""CPTR: patches in, words out, and no convolution (Liu et al., arXiv 2101.10804).

Command   python -m jaxcap.main --config=configs/cptr.py --workdir=runs/cptr
          with COCO in Karpathy's split in datasets/coco (see configs/coco.py) and a directory in
          the Hugging Face layout, weights/vit-base-patch16-384
Try it    --config=configs/cptr.py:runlocal, a minute on 2 CPU cores
Published COCO Karpathy test: CIDEr 116.5 by cross-entropy; BLEU-4 40.0, METEOR 29.1, CIDEr 129.4 by
          CIDEr
Score     of this config on COCO not measured

The same: ViT-B/16 of 384 pixels, pretrained and trained on; a decoder of 4 layers of 768 with 12
heads over all patches; Adam at 3e-5, halved for the last two of nine epochs, batches of 40; beams
of 3. The sizes of the decoder and the rates are as others quote them; that a batch is of images,
with five captions each, is a guess.
Different: the class token stays among the patches; positions of words are learned. A new decoder
learns slowly at that rate: `optim.parts` can give it another.
"""

from ml_collections import ConfigDict

from jaxcap.recipes import on_coco, tried_out


def get_config(arg: str = "") -> ConfigDict:
    """The published sizes, or `:runlocal`."""
    local = arg == "runlocal"
    config = on_coco(image_size=384, batch_size=40, captions=5, epochs=9)
    config.tokenizer.min_count = 5
    config.model.encoder = {"init_from": "weights/vit-base-patch16-384", "dropout": 0.1}
    config.model.bridge = {"project": False, "norm": False}
    config.model.decoder = {
        "name": "transformer",
        "width": 64 if local else 768,
        "depth": 1 if local else 4,
        "heads": 2 if local else 12,
        "mlp_width": 128 if local else 3072,
        "norm": "post",
        "activation": "relu",
        "tied": False,
        "dropout": 0.1,
    }
    config.objective.smoothing = 0.1
    config.optim.kind = "adam"
    config.optim.b2 = 0.999
    config.optim.lr = 3e-5
    config.optim.schedule = "step"
    config.optim.decay = 0.5
    config.optim.decay_every = config.steps * 7 // 9
    config.optim.warmup = 0
    config.optim.weight_decay = 0.0
    config.optim.parts = ()  # the encoder learns too
    config.model.dtype = "float32" if local else "bfloat16"
    config.search = {"beams": 3, "max_len": 20, "length_penalty": 0.0}
    if local:
        config.model.encoder = {"name": "vit", "size": "mini", "patch": 8, "dropout": 0.1}
        tried_out(config, image_size=32)
    return config
