"""A step of self-critical training, beside the usual recipe and beside one of cross-entropy.

python benchmarks/scst.py [--images 64] [--rounds 5] [--out FOLDER]

The model of configs/flickr8k.py over memories of its encoder, five samples of an image and as many
references, float32; n-grams are rare over 6,000 images. The usual recipe is PyTorch's, with
Transformers: `generate` draws the samples, and once more the greedy captions that they are measured
by; CIDEr-D is computed in pure Python; then a pass over the samples, each with a copy of its image,
has the gradient. It needs PyTorch: pip install -e ".[torch]". The weights are random: nearly every
sample of ours has all of its 20 words, as those of the other have. Where the time goes is told by
parts of a step, each called by itself; what they do not account for is the rest.
"""

import argparse
from collections.abc import Callable
from functools import partial
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from typing import Any

import jax
import numpy as np
import torch
import transformers as hf
from ml_collections import ConfigDict
from turns import by_turns, write

from jaxcap.data.text import build_tokenizer
from jaxcap.decode import Search
from jaxcap.decode.captions import find, settled
from jaxcap.metrics.cider import Idf, cider
from jaxcap.models import build
from jaxcap.models.shown import Shown
from jaxcap.objective.self_critical import logp_of, references_of
from jaxcap.optim import optimizer, split
from jaxcap.reward import Reward
from jaxcap.reward.codes import in_rows
from jaxcap.state import init_variables, new_state
from jaxcap.train_step import make_step, trace_step

CONFIG = Path(__file__).parents[1] / "configs" / "flickr8k_scst.py"
CELLS, FEATURES, WORDS, TOKENS, SAMPLES, REFERENCES = 10, 1280, 2539, 20, 5, 5
COUNTED, LONGEST = 6000, 44  # images whose references n-grams are rare over; words of a reference
Call = Callable[[], object]


def data(images: int) -> tuple[np.ndarray, list[list[list[str]]]]:
    """Memories, and references of 8 to 14 words: of these images first, and then of others."""
    rng = np.random.default_rng(0)
    memory = rng.standard_normal((images, 1, CELLS, CELLS, FEATURES), np.float32)
    captions = [
        [
            [f"w{word}" for word in rng.zipf(1.3, rng.integers(8, 15)) % WORDS]
            for _ in range(REFERENCES)
        ]
        for _ in range(max(images, COUNTED))
    ]
    return memory.astype(np.float16), captions


def config_of(samples: int) -> ConfigDict:
    """That of configs/flickr8k_scst.py, drawing so many captions; with 0 it learns the data's."""
    spec = spec_from_file_location("config", CONFIG)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config()
    config.init_from = ""
    config.objective.samples = samples
    return config


def ours(
    memory: np.ndarray, captions: list[list[list[str]]], samples: int
) -> tuple[Call, dict[str, Call]]:
    """A step; and, of one that draws, its parts."""
    config = config_of(samples)
    tokenizer = build_tokenizer("word", [" ".join(f"w{word}" for word in range(WORDS))])
    model = build(config.model, tokenizer.vocab_size, config.data.max_len + 1)
    params, stats = jax.jit(partial(init_variables, model, config))(jax.random.key(0))
    trained, _ = split(params, config.optim.parts)
    tx = optimizer(config.optim, config.steps, trained)
    state = new_state(params, stats, config, tx)
    batch: dict[str, Any] = {
        "memory": memory,
        "present": np.ones((len(memory), 1), bool),
        "index": np.arange(len(memory), dtype=np.int32),
    }
    reward = None
    if samples:
        texts = [[" ".join(words) for words in each] for each in captions]
        reward = Reward.of(config.reward, tokenizer, tokenizer.vocab_size, texts)
        rows = [words for each in captions[: len(memory)] for words in each]
        codes, real = in_rows(rows, LONGEST)
        shape = (len(memory), REFERENCES, LONGEST)
        batch |= {
            "prompt": np.zeros((len(memory), 0), np.int32),
            "prompt_len": np.zeros(len(memory), np.int32),
            "reference_codes": np.stack([half.reshape(shape) for half in codes], axis=-1),
            "reference_real": real.reshape(shape),
        }
    else:
        rows = (len(memory), SAMPLES, TOKENS)
        tokens = np.random.default_rng(1).integers(4, tokenizer.vocab_size, rows, np.int32)
        batch |= {"tokens": tokens, "mask": np.ones(rows, bool)}
    step = make_step(model, config, tx, tokenizer, reward)
    compiled = trace_step(step, state, batch).lower().compile()

    def call() -> None:
        nonlocal state
        state, metrics = compiled(state, batch)
        jax.block_until_ready(metrics)

    if reward is None:
        return call, {}
    variables = jax.tree.map(np.asarray, state.variables(state.trained))

    def searched(how: Search) -> Callable[..., Any]:
        how = settled(how, tokenizer)
        return jax.jit(
            lambda variables, memory, batch: find(
                model, tokenizer, how, variables, memory, batch, jax.random.key(0)
            )
        )

    # All that a step is given is given here too: what a program had for a constant it would fold.
    encode = jax.jit(lambda v, batch: model.apply(v, Shown.of(batch), method="encode"))
    draw = searched(Search(beams=samples, sample=True, max_len=TOKENS))
    greedy = searched(Search(max_len=TOKENS))
    first = jax.jit(
        lambda v, batch, tokens, mask: logp_of(model, v, batch, tokens, mask, tokenizer.bos)
    )
    worth = jax.jit(lambda batch, tokens, mask: reward(tokens, mask, references_of(batch)))
    encoded = encode(variables, batch)
    tokens = np.asarray(draw(variables, encoded, batch).tokens)
    mask = np.ones(tokens.shape, bool)
    parts = {
        "encode": partial(encode, variables, batch),
        "draw the samples": partial(draw, variables, encoded, batch),
        "the greedy captions": partial(greedy, variables, encoded, batch),
        "the first model, one caption each": partial(
            first, variables, batch, tokens[:, :1], mask[:, :1]
        ),
        "reward": partial(worth, batch, tokens, mask),
    }
    return call, {name: partial(_done, part) for name, part in parts.items()}


def _done(part: Call) -> None:
    jax.block_until_ready(part())


class Theirs(torch.nn.Module):
    """The same model of PyTorch's and Transformers' parts."""

    def __init__(self) -> None:
        super().__init__()
        model = config_of(SAMPLES).model
        bridge, decoder = model.bridge, model.decoder
        self.project = torch.nn.Linear(FEATURES, decoder.width)
        self.bridge = torch.nn.TransformerEncoderLayer(
            decoder.width, bridge.heads, bridge.mlp_width, bridge.dropout, batch_first=True
        )
        self.words = hf.GPT2LMHeadModel(
            hf.GPT2Config(
                vocab_size=WORDS + 4,
                n_positions=TOKENS + 1,
                n_embd=decoder.width,
                n_layer=decoder.depth,
                n_head=decoder.heads,
                n_inner=decoder.mlp_width,
                add_cross_attention=True,
                bos_token_id=1,
                eos_token_id=2,
                pad_token_id=0,
            )
        )

    def encode(self, cells: torch.Tensor) -> torch.Tensor:
        return self.bridge(self.project(cells))


def theirs(memory: np.ndarray, captions: list[list[list[str]]]) -> tuple[Call, dict[str, Call]]:
    """A step of the usual recipe, and its parts."""
    torch.manual_seed(0)
    model = Theirs().train()
    cells = torch.tensor(memory.reshape(len(memory), CELLS * CELLS, FEATURES)).float()
    adamw = torch.optim.AdamW(model.parameters(), lr=1e-4)
    words = {4 + number: f"w{number}" for number in range(WORDS)}
    idf = Idf.of(captions)
    begin = torch.ones((len(memory), 1), dtype=torch.long)

    def said(seen: torch.Tensor, **how: Any) -> torch.Tensor:
        settings = {"max_new_tokens": TOKENS, "min_new_tokens": TOKENS, **how}
        return model.words.generate(
            begin, attention_mask=torch.ones_like(begin), encoder_hidden_states=seen, **settings
        )[:, 1:]

    def worth(tokens: torch.Tensor) -> torch.Tensor:
        each = len(tokens) // len(memory)
        said = [[words.get(id, "unknown") for id in row] for row in tokens.tolist()]
        scores = [cider(row, captions[place // each], idf) for place, row in enumerate(said)]
        return torch.tensor(scores)

    def best(seen: torch.Tensor) -> torch.Tensor:
        return said(seen, do_sample=False)

    def drawn(seen: torch.Tensor) -> torch.Tensor:
        return said(seen, do_sample=True, top_k=0, num_return_sequences=SAMPLES)

    def call() -> None:
        model.eval()
        with torch.no_grad():
            seen = model.encode(cells)
            greedy, samples = worth(best(seen)), drawn(seen)
        model.train()
        advantage = worth(samples) - greedy.repeat_interleave(SAMPLES)
        seen = model.encode(cells).repeat_interleave(SAMPLES, dim=0)
        inputs = torch.cat([begin.repeat_interleave(SAMPLES, dim=0), samples[:, :-1]], dim=1)
        logits = model.words(inputs, encoder_hidden_states=seen).logits
        logp = logits.log_softmax(-1).gather(-1, samples[..., None])[..., 0]
        loss = -(advantage[:, None] * logp).sum() / samples.numel()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        adamw.step()
        adamw.zero_grad()

    with torch.no_grad():
        seen = model.eval().encode(cells)
        tokens = drawn(seen)
    parts = {
        "draw the samples": partial(drawn, seen),
        "the greedy captions": partial(best, seen),
        "reward, of samples alone": partial(worth, tokens),
    }
    return call, {name: torch.no_grad()(part) for name, part in parts.items()}


def main() -> None:
    """Print the times, and write scst.json."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--images", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=Path("runs/benchmarks"))
    args = parser.parse_args()
    memory, captions = data(args.images)
    step, parts = ours(memory, captions, SAMPLES)
    other, other_parts = theirs(memory, captions)
    contenders = {
        "self-critical": step,
        "cross-entropy": ours(memory, captions, 0)[0],
        "PyTorch": other,
    }
    times = by_turns(contenders, args.rounds, warm=1)
    whole = times["self-critical"].median
    for name, found in times.items():
        print(f"{name}: {found.told()}; {found.median / whole:.2f} of a self-critical step")
    pieces = {
        name: by_turns(each, args.rounds, warm=1)
        for name, each in (("self-critical", parts), ("PyTorch", other_parts))
    }
    for name, each in pieces.items():
        whole = times[name].median
        print(f"Parts of a step, {name}:")
        for part, found in each.items():
            print(f"  {part}: {found.told()}; {found.median / whole:.1%}")
        rest = whole - sum(found.median for found in each.values())
        print(f"  the rest, gradient and update: {rest:.3f} s; {rest / whole:.1%}")
    write("scst", {"images": args.images, "times": times, "parts": pieces}, args.out)


if __name__ == "__main__":
    main()
