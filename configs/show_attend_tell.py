"""Show, Attend and Tell: an LSTM that looks at the image for each word (arXiv 1502.03044).

Command   python -m jaxcap.main --config=configs/show_attend_tell.py --workdir=runs/soft
          `:hard` draws one place a word; with COCO in Karpathy's split in datasets/coco (see
          configs/coco.py) and the weights of Keras' VGG16, without its top, in weights/vgg16.h5
Try it    --config=configs/show_attend_tell.py:runlocal or :hard,runlocal, a minute on 2 CPU cores
Published Xu et al., soft | hard: Flickr8k BLEU-4 19.5 | 21.3, METEOR 18.9 | 20.3;
          COCO BLEU-4 24.3 | 25.0, METEOR 23.9 | 23.0
Score     of this config not measured; benchmarks/flickr8k_systems.py has it on Flickr8k

The same: the 14 x 14 map of VGG's last convolution; words of 512, an LSTM of 1,800 that starts from
the mean of the map; attention of 512 by the state before the word; a gate on what is seen; the
word, the state and what is seen meet before the vocabulary; dropout 0.5; Adam at 2e-4, 64 pairs a
step. Hard attention learns by REINFORCE with a moving average as its baseline, and by entropy; half
of the time it sees the mean, as it always does when it captions: so does the published code. The
weights of these terms, and of the doubly stochastic one, are that code's 0.1, 0.002 and 1; it
divides the captions' loss by the 64 of a batch, and the terms by nothing, so here they are 64 times
as high, and the last by the 11.5 tokens of a caption less, for a loss of tokens.
Different: dropout falls on words and before the vocabulary, and not on the state between; `:hard`
has no doubly stochastic term; one layer makes the state at the start, and one the keys; 16 layers
of VGG for 19; the toss between a drawn place
and the mean is of an image and not of a batch.
"""

from ml_collections import ConfigDict

from jaxcap.recipes import on_coco, tried_out


def get_config(arg: str = "") -> ConfigDict:
    """Soft attention, or `:hard`; `:runlocal` or `:hard,runlocal` to try it."""
    hard, local = "hard" in arg.split(","), "runlocal" in arg.split(",")
    config = on_coco(image_size=224, batch_size=64, captions=1, epochs=20)
    config.tokenizer.min_count = 5
    config.model.encoder = {"name": "vgg16", "init_from": "weights/vgg16.h5"}
    config.model.bridge = {"project": False, "norm": False}
    config.model.decoder = {
        "name": "recurrent",
        "width": 32 if local else 1800,
        "word_width": 16 if local else 512,
        "attention_width": 16 if local else 512,
        "starts": True,
        "gated": True,
        "deep_output": True,
        "hard": hard,
        "dropout": 0.5,
    }
    if hard:
        config.objective.reinforce, config.objective.entropy = 0.1 * 64, 0.002 * 64
    else:
        config.objective.doubly_stochastic = 1 * 64 / 11.5
    config.optim.kind = "adam"
    config.optim.b2 = 0.999
    config.optim.lr = 2e-4
    config.optim.schedule = "constant"
    config.optim.warmup = 0
    config.optim.weight_decay = 0.0
    config.optim.clip = 0.0
    config.search = {"beams": 5, "max_len": 20, "length_penalty": 0.0}
    if local:
        config.model.encoder = {"name": "vgg16", "widths": (8, 16), "depths": (1, 1)}
        tried_out(config, image_size=32)
    return config
