"""Captions a second of ViT-B/16 + GPT-2, beside `generate` of Transformers on the same weights.

python benchmarks/captioning.py [--batches 1 8] [--peers float32 ...] [--rounds 5] [--out DIR]

Weights are drawn at random and every caption has 20 tokens, so that both do the same work; the
tokens that they say are compared. It needs PyTorch: pip install -e ".[torch]".
"""

import argparse
import copy
import tempfile
from collections.abc import Callable
from pathlib import Path

import jax
import numpy as np
import torch
import transformers as hf
from tokenizers import Tokenizer, models, pre_tokenizers
from turns import by_turns, write

from jaxcap.captioner import Captioner
from jaxcap.decode import Search
from jaxcap.decode.captions import captioner
from jaxcap.interop.convert import convert
from jaxcap.models.product import for_steps

PEERS = {  # how `generate` is run: type, and whether its forward pass is by torch.compile
    "float32": (torch.float32, False),
    "float32, compiled": (torch.float32, True),
    "bfloat16": (torch.bfloat16, False),
}
BEAMS, TOKENS, SIDE = 4, 20, 224
SEARCH = {"beams": BEAMS, "max_len": TOKENS, "min_len": TOKENS}


def published(folder: Path) -> hf.VisionEncoderDecoderModel:
    """The captioner of Transformers, and all that somebody publishes beside it, in a folder."""
    torch.manual_seed(0)
    config = hf.VisionEncoderDecoderConfig.from_encoder_decoder_configs(
        hf.ViTConfig(), hf.GPT2Config()
    )
    model = hf.VisionEncoderDecoderModel(config).eval()
    end = model.config.decoder.eos_token_id
    roles = {"bos_token_id": end, "eos_token_id": end, "pad_token_id": end}
    model.generation_config = hf.GenerationConfig(
        **roles,
        decoder_start_token_id=end,
        num_beams=BEAMS,
        max_new_tokens=TOKENS,
        min_new_tokens=TOKENS,
    )
    model.save_pretrained(folder)
    hf.ViTImageProcessorPil().save_pretrained(folder)
    words = {"<end>" if i == end else f"w{i}": i for i in range(config.decoder.vocab_size)}
    backend = Tokenizer(models.WordLevel(words))
    backend.pre_tokenizer = pre_tokenizers.WhitespaceSplit()
    ends = dict.fromkeys(("bos_token", "eos_token", "pad_token"), "<end>")
    hf.PreTrainedTokenizerFast(tokenizer_object=backend, **ends).save_pretrained(folder)
    return model


def ours(run: Captioner, batch: int, images: np.ndarray) -> Callable[[], np.ndarray]:
    """Tokens of the best captions, from uint8 pixels."""
    variables = for_steps(run.variables)
    find = jax.jit(captioner(run.model, run.tokenizer, Search.of(**SEARCH)))
    shown = {
        "image": images[:batch, None],
        "present": np.ones((batch, 1), bool),
        "prompt": np.zeros((batch, 0), np.int32),
        "prompt_len": np.zeros(batch, np.int32),
        "index": np.arange(batch, dtype=np.int32),
    }
    return lambda: np.asarray(find(variables, shown).tokens[:, 0])


def peer(model: hf.VisionEncoderDecoderModel, name: str) -> hf.VisionEncoderDecoderModel:
    """A copy of the model that is run in one of the ways of `PEERS`."""
    dtype, compiled = PEERS[name]
    model = copy.deepcopy(model).to(dtype)
    if compiled:
        model.forward = torch.compile(model.forward, dynamic=True)  # captions grow
    return model


def theirs(
    model: hf.VisionEncoderDecoderModel, batch: int, images: np.ndarray
) -> Callable[[], np.ndarray]:
    """Tokens of the best captions, from pixels that are normalised already."""
    pixels = hf.ViTImageProcessorPil()(list(images[:batch]), return_tensors="pt").pixel_values
    dtype = next(model.parameters()).dtype

    def call() -> np.ndarray:
        with torch.inference_mode():
            return model.generate(pixels.to(dtype)).numpy()

    return call


def main() -> None:
    """Print a table, and write captioning.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--batches", type=int, nargs="+", default=[1, 8])
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"))
    args = parser.parse_args()
    images = np.random.default_rng(0).integers(0, 256, (max(args.batches), SIDE, SIDE, 3), np.uint8)
    with tempfile.TemporaryDirectory() as folder:
        eager = published(Path(folder) / "published")
        convert(Path(folder) / "published", Path(folder) / "run")
        run = Captioner.load(Path(folder) / "run")
    peers = {name: peer(eager, name) for name in args.peers}
    rows = []
    for batch in args.batches:
        contenders = {"jaxcap, float32": ours(run, batch, images)}
        for name, model in peers.items():
            contenders[f"Transformers, {name}"] = theirs(model, batch, images)
        times = by_turns(contenders, args.rounds, warm=1)
        said = [call() for call in contenders.values()]
        same = np.mean(said[0] == said[1][:, 1:])  # of the first peer
        base = times["jaxcap, float32"].median
        for name, each in times.items():
            print(f"batch {batch}, {name}: {batch / each.median:.2f} images/s, {each.told()}")
        print(f"  the same tokens: {same:.1%}")
        rows.append(
            {
                "batch": batch,
                "same_tokens": float(same),
                "times": {name: each._asdict() for name, each in times.items()},
                "ratio": {name: each.median / base for name, each in times.items()},
            }
        )
    write("captioning", {"beams": BEAMS, "tokens": TOKENS, "rows": rows}, args.out)


if __name__ == "__main__":
    main()
