"""ViT and GPT-2, joined by attention, or by a prefix in the manner of ClipCap.

Command   python -m jaxcap.main --config=configs/vit_gpt2.py --workdir=runs/vit_gpt2
          `:prefix` shows the image before the caption; with COCO in Karpathy's split in
          datasets/coco (see configs/coco.py) and directories in the Hugging Face layout,
          weights/vit-base-patch16-224-in21k and weights/gpt2
Try it    --config=configs/vit_gpt2.py:runlocal or :prefix,runlocal, a minute on 2 CPU cores
Published nlpconnect/vit-gpt2-image-captioning has no scores; ClipCap (Mokady et al., arXiv
          2111.09734), COCO Karpathy test: BLEU-4 32.2, CIDEr 108.4, with GPT-2 tuned
Score     not measured

The same: ViT-B/16 at 224 pixels, its 197 tokens as they are, fresh cross-attention in each layer of
GPT-2, everything trained at 3e-5, as in the example of Transformers. `:prefix`: the image stands
before the caption in GPT-2's own attention; AdamW at 2e-5, 5,000 steps of warm-up, then linearly
down to 0, 40 pairs, ten epochs.
Different: of ClipCap, ViT's tokens through one dense layer where it maps CLIP's vector to ten, and
captions end by a token that is trained. A published captioner of either kind is read by
`jaxcap convert`.
"""

from ml_collections import ConfigDict

from jaxcap.recipes import on_coco, tried_out

VIT, GPT2 = "weights/vit-base-patch16-224-in21k", "weights/gpt2"


def get_config(arg: str = "") -> ConfigDict:
    """Cross-attention, or `:prefix`; `:runlocal` or `:prefix,runlocal` to try it."""
    prefix, local = "prefix" in arg.split(","), "runlocal" in arg.split(",")
    if prefix:
        config = on_coco(image_size=224, batch_size=40, captions=1, epochs=10)
    else:
        config = on_coco(image_size=224, batch_size=64, captions=4, epochs=1)
    config.tokenizer.kind, config.tokenizer.path = "hf", GPT2
    config.model.encoder = {"init_from": VIT}
    config.model.bridge = {"project": prefix, "norm": False}
    config.model.decoder = {"init_from": GPT2, "fusion": "prefix" if prefix else "cross"}
    config.optim.kind = "adamw"
    config.optim.b2 = 0.999
    config.optim.lr = 2e-5 if prefix else 3e-5
    config.optim.schedule = "linear"
    config.optim.final_lr = 0.0
    config.optim.warmup = 5000 if prefix else 0
    config.optim.weight_decay = 0.0
    config.optim.clip = 0.0
    config.optim.parts = (("^encoder/", 0.0),) if prefix else ()
    config.search = {"beams": 5 if prefix else 4, "max_len": 16}
    if local:
        config.model.encoder = {"name": "vit", "size": "mini", "patch": 8, "tokens": ("class",)}
        config.model.decoder = {
            "name": "transformer",
            "width": 64,
            "depth": 1,
            "heads": 2,
            "mlp_width": 128,
            "fusion": config.model.decoder.fusion,
            "scaled_words": False,
            "vocab_bias": False,
            "epsilon": 1e-5,
        }
        tried_out(config, image_size=32)
    return config
