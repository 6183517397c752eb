"""Writes tests/interop/golden, by hand and with PyTorch, for machines that have none of it.

It holds small captioners of Transformers, and what they say of a few images:

    PYTHONPATH=tests python tests/interop/make_golden_captioners.py
"""

import shutil
from pathlib import Path

import numpy as np
import torch
from peers import Peer
from sources import SIDE, WORDS, config_of, photographs

GOLDEN = Path(__file__).parent / "golden"
NAMES = ("vit+gpt2", "blip", "git")
SMALL = {
    "hidden_size": 16,
    "num_hidden_layers": 1,
    "num_attention_heads": 2,
    "intermediate_size": 24,
}


def small(name: str):
    """The config of a captioner of which a file may lie in the repository."""
    config = config_of(name)
    for part in ("encoder", "decoder", "vision_config", "text_config"):
        if hasattr(config, part):
            getattr(config, part).update(SMALL)
    if name == "git":
        config.update(SMALL)
    if name == "blip":
        config.text_config.encoder_hidden_size = SMALL["hidden_size"]
    return config


def make(name: str) -> None:
    """The source, in half precision; and what it says of a few images."""
    folder = GOLDEN / name
    shutil.rmtree(folder, ignore_errors=True)
    peer = Peer(name, small(name))
    peer.model.half()
    peer.publish(folder)
    peer.model.float()
    rng = np.random.default_rng(0)
    images = np.stack([photo.resize((SIDE, SIDE)) for photo in photographs(4)])
    pixels = peer.pixels(list(images))
    tokens = rng.integers(4, WORDS - 1, (len(images), 6)).astype(np.int32)
    found = peer.generate(pixels, num_return_sequences=3)
    captions = np.full((len(images), 3, 9), -1)
    for row, own in zip(captions, found, strict=True):
        for each, (_, caption) in zip(row, own, strict=True):
            each[: len(caption)] = caption
    np.savez_compressed(
        folder / "expected.npz",
        images=images,
        tokens=tokens,
        logits=peer.logits(pixels, torch.from_numpy(tokens).long()).numpy(),
        captions=captions,
        scores=np.array([[score for score, _ in own] for own in found]),
    )


if __name__ == "__main__":
    for name in NAMES:
        make(name)
