"""Discrete image tokens: a captioner that reads an image as 256 codes, and nothing else of it.

The line of DALL-E (Ramesh et al., arXiv 2102.12092), turned round: a Transformer that writes the
text after the image.

Command   python -m jaxcap.main --config=configs/dalle.py:codes --workdir=runs/codes
          python -m jaxcap.main --config=configs/dalle.py:runs/codes --workdir=runs/dalle
          trains the VAE and then a captioner over its codes; without an argument, both together
Try it    --config=configs/dalle.py:runlocal, a minute on 2 CPU cores
Published no figure of captions: DALL-E draws images of a text
Hardware  2 CPU cores
Time      32 and 35 minutes, beside three other jobs
Score     exact_match 0.970, seen 0.990 and held out 0.950 (val, 600 records, drawn from the 4
          likeliest words, seed 0), in two runs; both together are not measured.
          runs/codes/reconstructions.png shows what the codes keep of an image, at every checkpoint

The same: a VAE with a discrete content, drawn by the Gumbel-softmax at a temperature that falls
from 1 to 1/16; a Transformer that reads nothing but its codes; what is written is drawn from the
likeliest (top-k).
Different: text after image; a continuous style beside the content, and a divergence for each; 3 x 3
codes are read together; sizes, data and optimizer are for small drawings. The captions' gradient
does not reach the VAE.
"""

from ml_collections import ConfigDict

from jaxcap.config import base
from jaxcap.recipes import tried_out


def get_config(arg: str = "") -> ConfigDict:
    """Both together; `:codes` the VAE alone; `:RUN` the captioner over a VAE that was trained.

    `:runlocal`, or behind a comma, to try it.
    """
    what, local = arg.removesuffix("runlocal").removesuffix(","), arg.endswith("runlocal")
    run = "" if what == "codes" else what
    config = base()
    config.init_from = run
    config.data.source = "shapes"
    config.data.image_size = 64
    config.data.captions = 4
    config.data.max_len = 20
    config.tokenizer.min_count = 1
    config.tokenizer.records = 500  # have all the words
    config.steps = 1500 if what == "codes" else 3000
    config.batch_size = 32
    config.model.encoder = {"name": "discrete_vae"}
    config.model.stage = {"name": "halve"}
    config.model.bridge = {"depth": 0 if local else 2, "heads": 4, "mlp_width": 256}
    config.model.decoder = {
        "name": "transformer",
        "width": 64,
        "depth": 1 if local else 2,
        "heads": 4,
        "mlp_width": 256,
        "canon": 3,
    }
    config.objective.captions = 0.0 if what == "codes" else 1.0
    config.objective.smoothing = 0.0
    config.optim.kind = "muon"
    config.optim.lr = 6e-3
    config.optim.warmup = 100
    config.optim.weight_decay = 0.05
    config.optim.ema = 0.998
    config.eval.every = 1000
    if what == "codes":  # what captions read stays as it is, and the last step is the best
        config.optim.parts = (("^encoder/embedding$", 0.0), ("^encoder/", 1.0), ("", 0.0))
        config.eval.every, config.checkpoint_every = config.steps, 250
    if run:
        config.optim.parts = (("^encoder/embedding$", 1.0), ("^encoder/", 0.0))
        config.objective.images = 0.0
    config.eval.batch_size = 120
    config.log_every = 100
    config.search = {"sample": True, "top_k": 4, "max_len": 19}
    if local:
        tried_out(config, image_size=32)
    return config
