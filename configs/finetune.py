"""A run that starts from any other: an imported captioner, or one that was trained here.

Command   jaxcap convert vit-gpt2-image-captioning runs/vit_gpt2
          python -m jaxcap.main --config=configs/finetune.py:runs/vit_gpt2 --workdir=runs/mine
          --config.data.source=flickr8k:DIR --config.steps=1000
Hardware  what the captioner needs; ViT-B/16 and GPT-2 take 4 GiB with 8 images a step in float32
Time      of the captioner
Score     of the captioner and the data; not measured

With adapters alone (LoRA): --config.model.lora="(('^decoder/.*attention', 8),)" and
--config.optim.parts="(('^lora/', 1.0), ('', 0.0))". Adapters that the other run had are merged.
The other run must stay where it is: the config is read from it whenever the command starts.
"""

from ml_collections import ConfigDict

from jaxcap.config import base
from jaxcap.errors import UserError
from jaxcap.further import without_empty
from jaxcap.run import Run

KEPT = ("model", "tokenizer", "search", "seed")  # of the run, with its data's shape
SHOWN = ("image_size", "fit", "resize", "resample", "images", "regions")
FEATURES = ("features", "region_features")


def get_config(run: str = "") -> ConfigDict:
    """`run` is the directory of the run."""
    if not run:
        raise UserError("Name a run: --config=configs/finetune.py:RUN")
    said = Run(run).config().to_dict()
    config = base()
    with config.ignore_type():
        config.update({name: without_empty(said[name]) for name in KEPT})
        config.data.update({name: said["data"][name] for name in (*SHOWN, *FEATURES, "max_len")})
    config.init_from = run
    config.model.lora = None
    config.model.word_vectors = ""
    config.steps = 1000
    config.batch_size = 32
    config.optim.lr = 3e-5
    config.optim.warmup = 100
    config.optim.b2 = 0.999
    config.optim.ema = 0.0
    config.eval.every = 500
    return config
