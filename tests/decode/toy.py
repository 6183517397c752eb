"""Toy models: the next word depends on the whole prefix, through a state that beams must carry."""

from itertools import product
from types import SimpleNamespace

import jax
import jax.numpy as jnp
import numpy as np

from jaxcap.decode import Search, decode

PAD, BOS, EOS = 0, 1, 2
APART = (PAD, BOS, EOS)
SHARED = (EOS, EOS, EOS)  # as in GPT-2: padding and beginning are the end
ROWS = 499


def tables(images: int, vocab: int, seed: int = 0) -> np.ndarray:
    """Random logits [images, ROWS, vocab]; a prefix leads to a row."""
    return np.random.default_rng(seed).normal(0, 1.5, (images, ROWS, vocab)).astype(np.float32)


def endings(images: int, vocab: int, seed: int = 0) -> np.ndarray:
    """Tables whose end becomes likelier from image to image, so that captions differ in length."""
    table = tables(images, vocab, seed)
    table[..., EOS] += np.linspace(-3, 3, images)[:, None]
    return table


def next_row(row, token):
    return (row * 31 + token + 7) % ROWS


def step_of(table):
    def step(state, token, t):
        row = next_row(state, token)
        return jax.vmap(lambda logits, rows: logits[rows])(table, row), row

    return step


def search_tables(table, prompt, prompt_len, index, search: Search, roles=APART):
    """`roles` are the ids of padding, beginning and end."""
    pad, bos, eos = roles
    return decode(
        step_of(table),
        jnp.zeros((table.shape[0], search.beams), jnp.int32),
        search,
        prompt=prompt,
        prompt_len=prompt_len,
        keys=jax.vmap(jax.random.fold_in, (None, 0))(jax.random.key(0), index),
        bos=bos,
        eos=eos,
        pad=pad,
    )


compiled = jax.jit(search_tables, static_argnames=("search", "roles"))


def run(table, search, prompts=None, first=0, roles=APART):
    """The captions of each table, as numpy; `first` is the index of the first image."""
    images = len(table)
    prompts = [()] * images if prompts is None else prompts
    lengths = np.array([len(prompt) for prompt in prompts], np.int32)
    prompt = np.zeros((images, max(lengths)), np.int32)
    for row, words in zip(prompt, prompts, strict=True):
        row[: len(words)] = words
    index = np.arange(first, first + images, dtype=np.int32)
    found = compiled(jnp.asarray(table), prompt, lengths, index, search=search, roles=roles)
    return on_host(found)


def on_host(found):
    """Captions with numpy arrays for leaves."""
    return SimpleNamespace(**{name: np.asarray(leaf) for name, leaf in vars(found).items()})


@jax.jit
def _log_softmax(table):
    return jax.nn.log_softmax(table, axis=-1)


class Prefixes:
    """One image's model, the stateless way: the whole prefix -> log-probabilities of the next."""

    def __init__(self, table: np.ndarray):
        self.logits, self.logp = table, np.asarray(_log_softmax(table))

    def __call__(self, prefix: tuple[int, ...]) -> np.ndarray:
        return self.logp[self._row(prefix)]

    def scores(self, prefix: tuple[int, ...]) -> np.ndarray:
        """Logits of the next, which a search that is not of beams chooses by."""
        return self.logits[self._row(prefix)]

    def _row(self, prefix: tuple[int, ...]) -> int:
        row = 0
        for token in (BOS, *prefix):
            row = next_row(row, token)
        return row

    def each(self, prompt: tuple[int, ...], caption: tuple[int, ...]) -> list[float]:
        """The log-probability of each of the caption's tokens."""
        whole = prompt + caption
        return [float(self(whole[:t])[whole[t]]) for t in range(len(prompt), len(whole))]


def every_caption(model: Prefixes, search: Search) -> list[tuple[float, tuple[int, ...]]]:
    """(score, tokens) of each caption there is, best first."""
    vocab = range(model.logp.shape[-1])
    found = []
    for length in range(1, search.max_len + 1):
        for words in product([v for v in vocab if v != EOS], repeat=length - 1):
            for last in vocab if length == search.max_len else [EOS]:
                total = sum(model.each((), (*words, last)))
                found.append((total / length**search.length_penalty, (*words, last)))
    return sorted(found, reverse=True)
