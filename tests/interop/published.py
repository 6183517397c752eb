"""Sources and runs with random weights: PyTorch did not write them, and nobody trained them."""

from functools import partial
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import transformers as hf
from ml_collections import ConfigDict
from sources import SIDE, config_of, photographs, processor_of, roles_of, save_tokenizer

from jaxcap.config import base
from jaxcap.experiment import Experiment
from jaxcap.interop.captioners import blueprint
from jaxcap.interop.source import open_folder
from jaxcap.interop.table import store
from jaxcap.interop.weight_files import read_weights, write_weights
from jaxcap.models import build
from jaxcap.models.words import TILE
from jaxcap.run import Run
from jaxcap.state import init_variables, new_state, of_role

LONGEST = 9  # tokens of a caption, with that of the start
OF_IMAGE = "cross_attention/out/kernel"  # what says what is seen


def publish(name: str, folder: Path) -> None:
    """A captioner of `sources.NAMES`, or another pair, in the Hugging Face layout."""
    config_of(name).save_pretrained(folder)
    processor_of(name).save_pretrained(folder)
    save_tokenizer(name, folder)
    ids = {f"{role}_token_id": id for role, id in roles_of(name).items()}
    ids["decoder_start_token_id"] = roles_of(name)["bos"]
    hf.GenerationConfig(num_beams=3, max_length=LONGEST, **ids).save_pretrained(folder)
    plan = blueprint(open_folder(folder).config, {}, name)
    config = base()
    config.data.image_size, config.data.max_len = SIDE, LONGEST - 1
    for role, part in plan.parts().items():
        config.model[role] = ConfigDict(part.settings)
    model = build(config.model, plan.vocab_size, LONGEST)
    shapes, _ = jax.eval_shape(partial(init_variables, model, config), jax.random.key(0))
    arrays, tensors = random_arrays(shapes, plan.vocab_size), {}
    for role, part in plan.parts().items():
        found = store(of_role(arrays, role), part.table, plan.vocab_size)
        tensors |= {part.prefix + name: tensor for name, tensor in found.items()}
    write_weights(folder, tensors)


def publish_part(name: str, role: str, folder: Path) -> dict[str, np.ndarray]:
    """The encoder of a pair, or its decoder, alone: a language model has seen no image."""
    whole = folder.with_name(f"{folder.name} and the other")
    publish(name, whole)
    tensors = {
        tensor.removeprefix(f"{role}."): array
        for tensor, array in read_weights(whole).items()
        if tensor.startswith(f"{role}.") and "cross" not in tensor
    }
    write_weights(folder, tensors)
    getattr(config_of(name), role).save_pretrained(folder)
    if role == "encoder":
        processor_of(name).save_pretrained(folder)
    else:
        save_tokenizer(name, folder)
    return tensors


def train_at_random(run: Run, experiment: Experiment, ends: float, seed: int = 0) -> None:
    """What training leaves behind after a step, but for the scores; `ends` as in `lift`."""
    shapes, stats = experiment.abstract_variables
    params = random_arrays(shapes, experiment.model.decoder.vocab_size, seed)
    lift(params, experiment.tokenizer.eos, ends)
    state = new_state(params, random_arrays(stats, 0), experiment.config, experiment.optimizer)
    run.save(state.replace(step=jnp.asarray(1)))
    run.save_config(experiment.config)
    run.close()


def lift(params: dict[str, np.ndarray], token: int, by: float) -> None:
    """Make a token likelier by about so many nats."""
    if "decoder/words/bias" in params:
        params["decoder/words/bias"][token] += by
    else:  # by what all hidden states have in common
        table = "unembedding" if "decoder/words/unembedding" in params else "embedding"
        shift = params["decoder/last_norm/bias"]
        params[f"decoder/words/{table}"][token] += by * shift / np.square(shift).sum()


def random_arrays(shapes, vocab: int, seed: int = 0) -> dict[str, np.ndarray]:
    """By path, at a scale where captions differ; the rows beyond the vocabulary are zero."""
    rng, arrays = np.random.default_rng(seed), {}
    for path, leaf in shapes.items():
        scale = 1.0 if path.endswith(OF_IMAGE) else 0.25
        array = rng.normal(float(path.endswith("scale")), scale, leaf.shape).astype(np.float32)
        if path.startswith("decoder/words/") and leaf.shape[0] % TILE == 0:
            array[vocab:] = 0
        arrays[path] = array
    return arrays


SEES = {"name": "vit", "width": 32, "depth": 1, "heads": 2, "mlp_width": 48, "patch": 8}
SWIN = {"name": "swin", "width": 16, "depths": (1, 2), "heads": (2, 4), "window": 3, "patch": 4}
SPEAKS = {"name": "transformer", "width": 32, "depth": 1, "heads": 2, "mlp_width": 48}
GPT2 = {**SPEAKS, "scaled_words": False, "vocab_bias": False}
BARE, UNEQUAL = ({"project": wide, "norm": False} for wide in (False, True))
BERT = {
    **SPEAKS,
    "width": 48,
    "norm": "post",
    "activation": "gelu",
    "scaled_words": False,
    "normed_words": True,
    "segments": 2,
    "head_activation": "gelu",
}
MADE = {  # captioners that Transformers knows: the model, and what else of the config differs
    "siglip+gpt2": {
        "model": {"encoder": SEES, "decoder": GPT2, "bridge": BARE},
        "tokenizer": {"kind": "bpe", "vocab_size": 400},
        "search": {"suppress": (0, 1, 3, *range(7, 263))},  # lone bytes
    },
    "vit+bert": {
        "model": {
            "encoder": {**SEES, "tokens": ("class",), "activation": "gelu"},
            "decoder": BERT,
            "bridge": UNEQUAL,
        },
        "tokenizer": {"kind": "word", "min_count": 1},
        "data": {"fit": "short", "resize": 36, "resample": "bilinear"},
    },
    "swin+gpt2": {
        "model": {
            "encoder": {**SWIN, "mean": (0.4, 0.5, 0.6)},
            "decoder": {**GPT2, "tied": False, "epsilon": 1e-3},
            "bridge": BARE,
            "lora": (("decoder/.*(out|up)/kernel", 2),),
        },
        "tokenizer": {"kind": "hf"},
    },
}
ENDS = {"siglip+gpt2": 1.5, "vit+bert": -4.0, "swin+gpt2": 3.0}  # see `lift`


def made(name: str, folder: Path) -> Run:
    """One of MADE in a new run directory; a tokenizer of the kind hf is that of vit+gpt2."""
    config = base()
    config.steps = 1
    config.batch_size = config.eval.batch_size = 8
    config.data.source, config.data.image_size = f"shapes:size={SIDE},train=40,val=4", SIDE
    config.data.max_len = 12
    config.search = ConfigDict({"beams": 3, "max_len": 10})
    for part, settings in MADE[name].items():
        config[part].update(settings)
    if config.tokenizer.kind == "hf":
        config.tokenizer.path = str(folder.with_name("tokenizer"))
        save_tokenizer("vit+gpt2", folder.with_name("tokenizer"))
    run = Run(folder)
    train_at_random(run, Experiment.open(config, run), ENDS[name])
    return run


def photo_table(folder: Path) -> str:
    """Eight photographs, two of them to evaluate on, and captions of the words of `sources`."""
    folder.mkdir()
    rows = ["image,caption,split"]
    for i, photo in enumerate(photographs(8)):
        photo.save(folder / f"{i}.png")
        rows.append(f"{i}.png,w{i + 4} w{i + 5},{'val' if i > 5 else 'train'}")
    (folder / "table.csv").write_text("\n".join(rows))
    return f"csv:{folder / 'table.csv'}"
