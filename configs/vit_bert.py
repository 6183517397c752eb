"""ViT and BERT, which is made a decoder: causal, with fresh attention to the image.

Command   python -m jaxcap.main --config=configs/vit_bert.py --workdir=runs/vit_bert
          with COCO in Karpathy's split in datasets/coco (see configs/coco.py) and directories in
          the Hugging Face layout, weights/vit-base-patch16-224-in21k and weights/bert-base-uncased
Try it    --config=configs/vit_bert.py:runlocal, a minute on 2 CPU cores
Published nobody's scores that could be found; the network is the VisionEncoderDecoderModel of
          Transformers with these two halves
Score     not measured; a smaller BERT on Flickr8k is configs/flickr8k_bert.py

The same: BERT's layers with their norms behind, its tied head with a dense layer before it,
captions from [CLS] to [SEP]. Nobody published hyper-parameters; these are a guess: what is fresh
moves at the full rate, and what ViT and BERT bring at a third.
"""

from ml_collections import ConfigDict

from jaxcap.recipes import on_coco, tried_out

VIT, BERT = "weights/vit-base-patch16-224-in21k", "weights/bert-base-uncased"


def get_config(arg: str = "") -> ConfigDict:
    """The published sizes, or `:runlocal`."""
    config = on_coco(image_size=224, batch_size=64, captions=4, epochs=2)
    config.tokenizer.kind, config.tokenizer.path = "hf", BERT
    config.model.encoder = {"init_from": VIT}
    config.model.bridge = {"project": False, "norm": False}
    config.model.decoder = {"init_from": BERT, "dropout": 0.1}
    config.optim.b2 = 0.999
    config.optim.lr = 1e-4
    config.optim.schedule = "linear"
    config.optim.final_lr = 0.0
    config.optim.warmup = 500
    config.optim.parts = (("cross_", 1.0), ("", 0.3))
    config.search = {"beams": 4, "max_len": 20}
    if arg == "runlocal":
        config.model.encoder = {"name": "vit", "size": "mini", "patch": 8, "tokens": ("class",)}
        config.model.decoder = {
            "name": "transformer",
            "width": 64,
            "depth": 1,
            "heads": 2,
            "mlp_width": 128,
            "norm": "post",
            "activation": "gelu",
            "epsilon": 1e-12,
            "scaled_words": False,
            "normed_words": True,
            "segments": 2,
            "head_activation": "gelu",
            "dropout": 0.1,
        }
        tried_out(config, image_size=32)
    return config
