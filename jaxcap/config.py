"""Every field that an experiment may set, with its default."""

import re
from collections.abc import Mapping
from typing import Any

from ml_collections import ConfigDict, config_dict

from jaxcap.errors import UserError, did_you_mean

BASELINES = ("others", "greedy")  # of self-critical training
LEAST = {
    **dict.fromkeys(("log_every", "checkpoint_every", "eval.every", "optim.decay_every"), 1),
    **dict.fromkeys(("batch_size", "accumulate", "eval.batch_size"), 1),
    **dict.fromkeys(("data.captions", "data.max_len", "data.image_size"), 1),
    **dict.fromkeys(("seed", "steps", "optim.warmup"), 0),
    **dict.fromkeys(("data.workers", "data.resize", "eval.images", "profile"), 0),
}
DTYPES = ("float32", "bfloat16", "float16")
DRAWN = ("baseline", "temperature", "min_entropy", "max_kl")  # of the objective, where it draws
REWARDS = ("cider", "bleu", "length", "repeats", "kl")


def base() -> ConfigDict:
    """The settings that a file of `configs/` starts from. It may set these fields and no others."""
    config = ConfigDict()
    config.seed = 0
    config.init_from = ""  # run directory whose model and tokenizer this run starts with
    config.license = ""  # of the weights; by default that of the run that it starts from
    config.steps = config_dict.placeholder(int)  # required
    config.batch_size = 64  # images in one optimizer step, over all devices
    config.accumulate = 1  # parts that a batch is worked through in, one after the other
    config.mesh = ConfigDict({"data": -1, "fsdp": 1, "tensor": 1})

    config.data = ConfigDict()
    config.data.source = config_dict.placeholder(str)  # required; see jaxcap.data.sources
    config.data.train = "train"  # splits
    config.data.eval = "val"
    # What the model is shown of a photograph; see jaxcap.data.frame.Frame.
    config.data.image_size = 224  # pixels a side
    config.data.fit = "squeeze"  # squeeze (all of it, into a square) | short (side to `resize`)
    config.data.resize = 0  # pixels a side before the middle is cut out; 0 is image_size
    config.data.resample = "bicubic"  # nearest | box | bilinear | hamming | bicubic | lanczos
    config.data.crop = 1.0  # least share of the area that a random part has, in training
    config.data.fast = False  # such parts by simplejpeg and cykooz-resizer; see jaxcap.data.parts
    config.data.images = 1  # N, photographs of a record, at most
    config.data.regions = 0  # R, boxes of a photograph, at most; 0 shows none
    config.data.features = 0  # D of the precomputed features of regions, shown in place of pixels
    config.data.region_features = ""  # folder or HDF5 file that has them; see jaxcap.data.regions
    config.data.captions = 5  # K, references of an image in one pass
    config.data.max_len = 32  # tokens of a caption, EOS included
    config.data.workers = 0  # processes that prepare batches; 0 uses threads
    config.data.cache = ""  # folder for the memories of a frozen encoder; "" keeps none

    config.tokenizer = ConfigDict()
    config.tokenizer.kind = "word"  # word | bpe | hf
    config.tokenizer.min_count = 5  # word: rarer words are unknown
    config.tokenizer.vocab_size = 8192  # bpe
    config.tokenizer.records = 0  # word, bpe: of the training split, to be read; 0 is all
    config.tokenizer.path = ""  # hf: the tokenizer's directory

    config.model = ConfigDict()
    config.model.dtype = "float32"  # of the computation; parameters are float32
    config.model.remat = False  # recompute layers in the backward pass, of parts whose class has it
    config.model.scan = False  # layers as one loop, compiled once, of parts whose class has it
    config.model.vocab_size = 0  # words of the decoder; 0 is as many as the tokenizer has
    config.model.word_vectors = ""  # GloVe or word2vec file (text, .gz) that words start with
    # Settings of the class that `name` names, or init_from: a directory in the Hugging Face layout
    # whose network and weights they are (or "imagenet", or a file of Keras or torchvision, of the
    # encoder that `name` names), with other settings that are to differ.
    config.model.encoder = ConfigDict({"name": "vit"}, allow_dotted_keys=False)
    config.model.stage = ConfigDict({"name": ""})  # of each image's memory; "" has none
    config.model.bridge = ConfigDict({"depth": 0})
    config.model.decoder = ConfigDict({"name": "transformer"})
    # (regex on a kernel's path, rank) of low-rank adapters, see jaxcap.lora; the first match wins
    config.model.lora = config_dict.placeholder(tuple)

    config.objective = ConfigDict()
    config.objective.captions = 1.0  # weight of the captions' loss
    config.objective.images = 1.0  # weight of an encoder's own losses, where it has any
    config.objective.smoothing = 0.1  # of labels
    config.objective.doubly_stochastic = 0.0  # weight of looking at every part of an image once
    config.objective.scheduled_sampling = 0.0  # share of own words read at the last step, from 0
    config.objective.reinforce = 0.1  # of hard attention: weight of what its draws learn from
    config.objective.entropy = 0.002  # of hard attention: weight of looking about
    # Self-critical training: so many captions of an image are drawn and learnt from, by what they
    # are worth (config.reward); 0 learns those of the data.
    config.objective.samples = 0
    config.objective.temperature = 1.0  # of the model that draws them and learns of them
    config.objective.baseline = "others"  # that is taken off: others (their mean) | greedy
    config.objective.min_entropy = 0.0  # nats a token, below which the run ends
    config.objective.max_kl = 0.0  # nats a caption from the first model, past which it ends; 0: off

    config.reward = ConfigDict()  # of a drawn caption: weights of its terms
    config.reward.cider = 1.0  # CIDEr-D, 0 to 10
    config.reward.bleu = 0.0  # BLEU-4, 0 to 1
    config.reward.length = 0.0  # the shorter over the longer, of it and its references' mean; to 1
    config.reward.repeats = 0.0  # taken off for each pair of words that stood there before
    config.reward.kl = 0.0  # taken off for each nat that it is likelier than by the first model
    config.reward.eos = True  # its end is a word; without, sentences learn to break off
    config.reward.records = 0  # of the training split, over which n-grams are rare; 0 is all

    config.optim = ConfigDict()
    # adam | adamw | adadelta | rmsprop | sgd | lion | adafactor | muon
    config.optim.kind = "adamw"
    config.optim.lr = 1e-3  # after the warm-up; adadelta's own is 1
    config.optim.warmup = 200  # steps
    config.optim.schedule = "cosine"  # cosine | linear | constant | rsqrt | step, after the warm-up
    config.optim.final_lr = 0.02  # cosine, linear: share of lr at the last step
    config.optim.decay = 0.8  # step: factor on lr every `decay_every` steps after the warm-up
    config.optim.decay_every = 1000
    # Decay of the mean of gradients (adadelta has none); rmsprop, sgd: momentum. 0 is none.
    config.optim.b1 = 0.9
    # Decay of the mean of squares (sgd has none); adafactor: the greatest; lion: of its momentum.
    config.optim.b2 = 0.98
    # Added to the root of the mean of squares (sgd and lion have none); adadelta: added inside the
    # root, 1e-6 in its paper; adafactor: its square is.
    config.optim.eps = 1e-8
    config.optim.weight_decay = 0.01  # times the rate, apart from the gradient; adam has none
    config.optim.clip = 1.0  # global norm; 0 is off
    config.optim.ema = 0.999  # decay of the averaged parameters that are evaluated; 0 is off
    # (regex on the parameter's path, factor on lr); the first match wins, 0 freezes
    config.optim.parts = config_dict.placeholder(tuple)

    config.search = ConfigDict({"beams": 1})  # settings of jaxcap.decode.Search
    config.eval = ConfigDict()
    config.eval.every = 1000  # steps; the end is always evaluated
    config.eval.batch_size = 64
    config.eval.images = 0  # of the split, at the evaluations during training; 0 is all
    config.log_every = 20  # steps
    # Besides metrics.jsonl, see jaxcap.writers: tensorboard | wandb. At each evaluation they get a
    # few captions with their images, and where the decoder looked.
    config.writers = ()
    config.profile = 0  # steps of each start that are traced into the run's profile/; 0 is none
    config.checkpoint_every = 1000  # steps
    config.lock()
    parts = (config.model[part] for part in ("encoder", "stage", "bridge", "decoder"))
    for free in (*parts, config.search):
        free.unlock()  # their fields are those of the class that they name
    return config


def completed(fields: Mapping[str, Any]) -> ConfigDict:
    """The config that a run was saved with; what it has no fields for yet has their defaults.

    A new field of `base` therefore has for its default what was done before there was the field.
    """
    config = ConfigDict(base().to_dict())
    fields = dict(fields)
    if "smoothing" in fields.get("optim", {}):  # where it was before objectives had more terms
        optim = dict(fields["optim"])
        fields |= {"optim": optim, "objective": {"smoothing": optim.pop("smoothing")}}
    with config.ignore_type():  # JSON writes 1.0 as it pleases, and a tuple as a list
        config.update(fields)
    return config


def check(config: ConfigDict) -> None:
    """Refuse a config that leaves a required field empty, or has one that nothing can be made of.

    Raises:
      UserError: with its name.
    """
    empty = [
        name
        for name, value in (("steps", config.steps), ("data.source", config.data.source))
        if value is None
    ]
    if empty:
        raise UserError(
            f"The config leaves {' and '.join(empty)} empty. Set it in the config file, or with "
            f"--config.{empty[0]}=..."
        )
    for name, least in LEAST.items():
        holder, _, field = name.rpartition(".")
        value = (config[holder] if holder else config)[field]
        if value < least:
            never = "; past the last step is never" if name.endswith("every") else ""
            raise UserError(f"{name} is {value}; expected {least} or more{never}.")
    if (dtype := config.model.dtype) not in DTYPES:
        raise UserError(f"There is no model.dtype {dtype!r}. {did_you_mean(dtype, DTYPES)}")
    if not 0 < config.optim.decay <= 1:
        raise UserError(
            f"optim.decay is {config.optim.decay}; expected more than 0, and 1 at most."
        )
    for name, rules in (("optim.parts", config.optim.parts), ("model.lora", config.model.lora)):
        _check_rules(name, rules or ())
    if config.init_from and config.model.word_vectors:
        raise UserError(
            f"model.word_vectors is {config.model.word_vectors!r}, but words start as those of "
            f"{config.init_from} (init_from). Leave one of them empty."
        )
    check_shown(config.data)
    if config.data.fast and config.data.crop == 1:
        raise UserError(
            "data.fast is True, but it is random parts that it makes, and there are none: "
            "data.crop is 1. Set it to less, or leave data.fast False."
        )
    _check_objective(config.objective, config.model.decoder.get("hard", False))
    _check_drawing(config.objective, config.reward)


def check_shown(data: ConfigDict) -> None:
    """Refuse what does not fit together of the fields that say what is shown of a record.

    Raises:
      UserError: with its name.
    """
    least = {"images": 1, "features": 0, "regions": 1 if data.features else 0}
    for name, number in least.items():
        if data[name] < number:
            raise UserError(f"data.{name} is {data[name]}; expected {number} or more.")
    if not 0 < data.crop <= 1:
        raise UserError(f"data.crop is {data.crop}; expected more than 0, and 1 at most.")
    if data.crop < 1 and (data.cache or data.features):
        raise UserError(
            f"data.crop is {data.crop}, but what is kept of a photograph or given of it has no "
            "random parts. Leave data.crop at 1, or data.cache and data.features empty."
        )
    if bool(data.features) != bool(data.region_features):
        raise UserError(
            f"data.features is {data.features} and data.region_features is "
            f"{data.region_features!r}: set both, the width of the features and their files, or "
            "none of them."
        )
    if data.features and data.cache:
        raise UserError(
            f"data.cache is {data.cache!r}, but what it would keep is there already: the features "
            f"in {data.region_features}. Leave it empty."
        )


def _check_objective(objective: ConfigDict, draws: bool) -> None:
    """Refuse weights and shares that are none, and those of draws where no attention is hard."""
    weights = ("captions", "images", "doubly_stochastic", "reinforce", "entropy")
    fine = {name: (objective[name] >= 0, "0 or more") for name in weights}
    fine["smoothing"] = (0 <= objective.smoothing < 1, "0 or more, and less than 1")
    fine["scheduled_sampling"] = (0 <= objective.scheduled_sampling <= 1, "0 to 1")
    for name, (is_fine, expected) in fine.items():
        if not is_fine:
            raise UserError(f"objective.{name} is {objective[name]}; expected {expected}.")
    for name in ("reinforce", "entropy"):
        if not draws and objective[name] != base().objective[name]:
            raise UserError(
                f"objective.{name} is {objective[name]}, and does nothing: it belongs to hard "
                "attention, and the decoder has none. Leave it out, or set model.decoder.hard=True."
            )


def _check_drawing(objective: ConfigDict, reward: ConfigDict) -> None:
    """Refuse settings of self-critical training that no caption could be learnt by."""
    least = 2 if objective.baseline == "others" else 1
    fine = {
        "baseline": (objective.baseline in BASELINES, f"one of {', '.join(BASELINES)}"),
        "samples": (
            objective.samples == 0 or objective.samples >= least,
            f"0 (off), or {least} or more with the baseline {objective.baseline!r}",
        ),
        "scheduled_sampling": (
            not (objective.samples and objective.scheduled_sampling),
            f"0 with objective.samples={objective.samples}: what is learnt from is drawn anyway",
        ),
        "temperature": (objective.temperature > 0, "more than 0"),
        "min_entropy": (objective.min_entropy >= 0, "0 (off) or more"),
        "max_kl": (objective.max_kl >= 0, "0 (off) or more"),
    }
    for name, (is_fine, expected) in fine.items():
        if not is_fine:
            raise UserError(f"objective.{name} is {objective[name]!r}; expected {expected}.")
    for name in REWARDS:
        if reward[name] < 0:
            raise UserError(f"reward.{name} is {reward[name]}; expected 0 or more.")
    if not objective.samples:
        usual = base()
        drawn = [("objective", name, objective, usual.objective) for name in DRAWN]
        drawn += [("reward", name, reward, usual.reward) for name in reward]
        for holder, name, its, theirs in drawn:
            if its[name] != theirs[name]:
                raise UserError(
                    f"{holder}.{name} is {its[name]!r}, and does nothing: it belongs to captions "
                    "that are drawn. Leave it out, or set objective.samples=5."
                )
    elif not (reward.cider or reward.bleu):
        raise UserError(
            "reward.cider and reward.bleu are 0, so that no caption is worth more for what it says "
            "of its image. Set one of them."
        )


def _check_rules(name: str, rules: Any) -> None:
    """Refuse what is no row of pairs (regex, number)."""
    for rule in rules:
        try:
            pattern, number = rule
            re.compile(pattern)
            if isinstance(number, bool) or not isinstance(number, int | float):
                raise TypeError("the second is no number")
        except (TypeError, ValueError, re.error) as error:
            raise UserError(
                f"{name} has {rule!r}, which is no pair of a regex and a number: {error}. Write "
                'pairs, and a comma after each: (("^encoder/", 0.0),).'
            ) from error
