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

from jaxcap.errors import UserError
from jaxcap.further import finetuned


def get_config(run: str = "") -> ConfigDict:
    """`run` is the directory of the run."""
    if not run:
        raise UserError("Name a run: --config=configs/finetune.py:RUN")
    return finetuned(run)
