"""What configs of published systems have in common: their data, and how they are tried out."""

from ml_collections import ConfigDict

from jaxcap.config import base

PAIRS = 566_435  # of an image and a caption, about, in Karpathy's split for training


def on_coco(image_size: int, batch_size: int, captions: int, epochs: float) -> ConfigDict:
    """A config on COCO in Karpathy's split, as `jaxcap prepare` writes it, with a frozen encoder.

    Args:
      image_size: pixels a side.
      batch_size: images in a step.
      captions: of an image in a step; 1 is a batch of pairs.
      epochs: passes over all pairs, with 20 evaluations.
    """
    config = base()
    config.data.source = "tfds:datasets/coco"
    config.data.image_size = image_size
    config.data.captions = captions
    config.data.max_len = 20
    config.data.workers = 8
    config.batch_size = batch_size
    config.steps = round(epochs * PAIRS / (batch_size * captions))
    config.optim.parts = (("^encoder/", 0.0),)
    config.optim.ema = 0.0
    config.objective.smoothing = 0.0
    config.eval.every = config.checkpoint_every = max(config.steps // 20, 1)
    return config


def tried_out(config: ConfigDict, image_size: int) -> ConfigDict:
    """The config on a few drawn shapes, for a few steps: whether it runs, not how well.

    Args:
      config: of a model that is small, or its compilation is most of the time.
      image_size: pixels a side.
    """
    config.data.source = f"shapes:size={image_size},train=32,val=2"
    config.data.image_size = image_size
    config.data.workers = 0
    config.tokenizer.kind = "word"
    config.tokenizer.min_count = 1
    config.batch_size = 8
    config.steps = 3
    config.optim.warmup = 1
    config.eval.every = config.checkpoint_every = config.steps
    config.eval.batch_size = 8
    config.search.beams, config.search.max_len = 2, 8
    return config
