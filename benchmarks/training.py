"""Captions a second in training: five captions an image in one pass, beside a loop of pairs.

python benchmarks/training.py [--images 8] [--rounds 5] [--out FOLDER]

ViT-B/16 and a Transformer of 6 layers over 8,192 words, float32, 20 tokens a caption. The loop is
the usual one in PyTorch, eager and by torch.compile: each caption is a pair with its image, which
is encoded for it alone. It needs PyTorch: pip install -e ".[torch]".
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import torch
import transformers as hf
from turns import by_turns, write

from jaxcap.config import base
from jaxcap.data.text import build_tokenizer
from jaxcap.models import build
from jaxcap.optim import optimizer
from jaxcap.state import init_variables, new_state
from jaxcap.train_step import make_step, trace_step

SIDE, TOKENS, CAPTIONS, WORDS = 224, 20, 5, 8192
WIDTH, DEPTH, HEADS = 768, 6, 12


def ours(images: np.ndarray, tokens: np.ndarray) -> Callable[[], None]:
    """A step over the images with five captions each."""
    config = base()
    config.steps, config.data.max_len = 1000, TOKENS
    config.model.vocab_size = WORDS
    config.model.encoder = {"name": "vit", "size": "B", "patch": 16}
    config.model.decoder = {
        "name": "transformer",
        "width": WIDTH,
        "depth": DEPTH,
        "heads": HEADS,
        "mlp_width": 4 * WIDTH,
        "dropout": 0.1,
    }
    config.objective.smoothing = 0.0
    tokenizer = build_tokenizer("word", ["a"])
    model = build(config.model, tokenizer.vocab_size, config.data.max_len + 1)
    params, stats = jax.jit(lambda key: init_variables(model, config, key))(jax.random.key(0))
    tx = optimizer(config.optim, config.steps, params)
    state = new_state(params, stats, config, tx)
    batch = {
        "image": images[:, None],
        "present": np.ones((len(images), 1), bool),
        "tokens": tokens,
        "mask": np.ones(tokens.shape, bool),
    }
    step = trace_step(make_step(model, config, tx, tokenizer), state, batch).lower().compile()

    def call() -> None:
        nonlocal state
        state, metrics = step(state, batch)
        jax.block_until_ready(metrics)

    return call


def theirs(images: np.ndarray, tokens: np.ndarray, compiled: bool) -> Callable[[], None]:
    """A step over as many pairs as there are images."""
    words = hf.GPT2Config(vocab_size=WORDS, n_embd=WIDTH, n_layer=DEPTH, n_head=HEADS)
    pair = hf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(hf.ViTConfig(), words)
    model = hf.VisionEncoderDecoderModel(pair).train()
    model.config.decoder_start_token_id = model.config.pad_token_id = 0
    run = torch.compile(model) if compiled else model
    adamw = torch.optim.AdamW(model.parameters(), lr=1e-4)
    pixels = torch.tensor(images).permute(0, 3, 1, 2) / 127.5 - 1
    labels = torch.tensor(tokens[:, 0]).long()

    def call() -> None:
        run(pixel_values=pixels, labels=labels).loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adamw.step()
        adamw.zero_grad()

    return call


def main() -> None:
    """Print the rates, and write training.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"))
    args = parser.parse_args()
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (args.images, SIDE, SIDE, 3), np.uint8)
    tokens = rng.integers(4, WORDS, (args.images, CAPTIONS, TOKENS), np.int32)
    contenders = {
        "jaxcap": (ours(images, tokens), CAPTIONS),
        "PyTorch, eager": (theirs(images, tokens, compiled=False), 1),
        "PyTorch, compiled": (theirs(images, tokens, compiled=True), 1),
    }
    times = by_turns({name: call for name, (call, _) in contenders.items()}, args.rounds, warm=1)
    rates = {
        name: args.images * captions / times[name].median
        for name, (_, captions) in contenders.items()
    }
    for name, rate in rates.items():
        ratio = rates["jaxcap"] / rate
        print(f"{name}: {rate:.2f} captions/s (1 / {ratio:.2f}); {times[name].told()}")
    write("training", {"images": args.images, "rates": rates, "times": times}, args.out)


if __name__ == "__main__":
    main()
