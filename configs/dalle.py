"""Discrete image tokens: a captioner that reads an image as 256 codes, and nothing else of it.

The line of DALL-E (Ramesh et al., arXiv 2102.12092), turned round: a Transformer that writes the
text after the image.

Command   python -m jaxcap.main --config=configs/dalle.py --workdir=runs/dalle
          `:codes` trains the VAE alone, `:RUN` a captioner over the codes of such a run
Try it    --config=configs/dalle.py:runlocal, a minute on 2 CPU cores
Hardware  2 CPU cores
Score     not measured yet; runs/dalle/reconstructions.png shows what the codes keep of an image

The VAE has a discrete content, drawn by the Gumbel-softmax at a temperature that falls from 1 to
1/16 as in DALL-E, and a continuous style. It learns from a reconstruction and two divergences; the
captions' gradient does not reach it. The captioner looks at the codes alone, and
captions are drawn from the likeliest words (top-k).
"""

from ml_collections import ConfigDict

from jaxcap.config import base
from jaxcap.recipes import tried_out


def get_config(arg: str = "") -> ConfigDict:
    """Both together; `:codes` the VAE alone; `:RUN` the captioner over a VAE that was trained."""
    local = arg == "runlocal"
    run = "" if arg in ("", "codes", "runlocal") else arg
    config = base()
    config.init_from = run
    config.data.source = "shapes"
    config.data.image_size = 64
    config.data.captions = 4
    config.data.max_len = 20
    config.tokenizer.min_count = 1
    config.tokenizer.records = 500  # have all the words
    config.steps = 3000
    config.batch_size = 32
    config.model.encoder = {"name": "discrete_vae"}
    config.model.bridge = {"depth": 0 if local else 2, "heads": 4, "mlp_width": 256}
    config.model.decoder = {
        "name": "transformer",
        "width": 64,
        "depth": 1 if local else 2,
        "heads": 4,
        "mlp_width": 256,
        "canon": 3,
    }
    config.objective.captions = 0.0 if arg == "codes" else 1.0
    config.objective.smoothing = 0.0
    config.optim.kind = "muon"
    config.optim.lr = 6e-3
    config.optim.warmup = 100
    config.optim.weight_decay = 0.05
    config.optim.ema = 0.998
    config.eval.every = 500
    if arg == "codes":  # what captions read stays as it is, and the last step is the best
        config.optim.parts = (("^encoder/embedding$", 0.0), ("^encoder/", 1.0), ("", 0.0))
        config.eval.every = config.steps
    if run:
        config.optim.parts = (("^encoder/embedding$", 1.0), ("^encoder/", 0.0))
        config.objective.images = 0.0
    config.eval.batch_size = 100
    config.log_every = 100
    config.search = {"sample": True, "top_k": 4, "max_len": 19}
    if local:
        tried_out(config, image_size=32)
    return config
