"""What configs have in common that train a run further."""

from typing import Any

from ml_collections import ConfigDict

from jaxcap.config import base
from jaxcap.run import Run

CAPTIONER = ("model", "tokenizer", "search", "seed")
FRAME = ("image_size", "fit", "resize", "resample")
SHOWN = (*FRAME, "images", "regions", "features", "region_features", "max_len")


def started_from(run: str) -> ConfigDict:
    """The config of a run, for another that starts from it; flags may change all its fields.

    Raises:
      UserError: it is no run.
    """
    config = base()
    with config.ignore_type():
        config.update(without_empty(Run(run).config().to_dict()))
    config.init_from = run
    config.model.word_vectors = ""  # words start as those of the run
    return config


def finetuned(run: str) -> ConfigDict:
    """The config of a run that starts from another, on other data and with settings of its own.

    What makes the captioner is the other's: its model, words, search, and what it is shown.

    Raises:
      UserError: it is no run.
    """
    said = Run(run).config().to_dict()
    config = base()
    with config.ignore_type():
        config.update({name: without_empty(said[name]) for name in CAPTIONER})
        config.data.update({name: said["data"][name] for name in SHOWN})
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


def without_empty(value: Any) -> Any:
    """Without the fields that were left empty: those keep the type that they are to have."""
    if isinstance(value, dict):
        return {name: without_empty(inner) for name, inner in value.items() if inner is not None}
    return value


def self_critical(config: ConfigDict) -> ConfigDict:
    """The config of a trained model, that is to be trained further on CIDEr.

    AdamW at a constant low rate, and samples that are sharper than what smoothed labels leave.
    """
    config.objective.samples = 5
    config.objective.temperature = 0.5
    config.objective.scheduled_sampling = 0.0
    config.objective.max_kl = 50.0
    config.objective.min_entropy = 0.02
    config.optim.kind = "adamw"
    config.optim.lr = 1e-4
    config.optim.schedule = "constant"
    config.optim.warmup = 20
    config.optim.weight_decay = 0.0
    config.optim.b1, config.optim.b2, config.optim.eps = 0.9, 0.98, 1e-8
    config.optim.clip = 1.0
    config.eval.every = config.checkpoint_every = 200  # the best is to be found, and kept
    return config
