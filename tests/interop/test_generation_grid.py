"""What generation_config.json asks of `generate` it asks of the search: the same captions."""

from functools import cache, partial
from types import SimpleNamespace

import jax
import numpy as np
import pytest
from generated import expect
from showing import rows
from sources import photographs, roles_of

from jaxcap.decode import Search
from jaxcap.decode.captions import captioner
from jaxcap.interop.generation import search_settings
from jaxcap.models.shown import Shown

PHOTOS = photographs(20)
NAMES = ("vit+gpt2", "vit+bert")  # of the first, one id begins, ends and fills a row
SEARCHES = [
    {"num_beams": 1},
    {"num_beams": 1, "max_length": 12},
    {"num_beams": 2, "max_new_tokens": 6},
    {"num_beams": 3, "length_penalty": 0.0},
    {"num_beams": 3, "early_stopping": True},
    {"num_beams": 4, "early_stopping": "never", "length_penalty": 2.0},
    {"num_beams": 4, "length_penalty": -1.0},
    {"num_beams": 5, "max_new_tokens": 4, "early_stopping": True, "length_penalty": 0.6},
    {"num_beams": 6, "max_length": 6},
]


def rules(eos):
    return [
        {},
        {"no_repeat_ngram_size": 1},
        {"repetition_penalty": 1.4},
        {"repetition_penalty": 0.6, "no_repeat_ngram_size": 2},
        {"min_length": 4, "forced_eos_token_id": eos},
        {"min_new_tokens": 3, "forced_bos_token_id": 7},
        {"suppress_tokens": [5, 11], "bad_words_ids": [[9], [14, 15], [21, 8, 30]]},
    ]


GRID = [  # both captioners meet each search and each rule
    pytest.param(name, search, rules(roles_of(name)["eos"])[j], id=f"{name}-{i}-{j}")
    for i, search in enumerate(SEARCHES)
    for j in range(len(rules(0)))
    for name in NAMES[(i + j) % 2 :][:1]
]


@pytest.fixture(scope="module")
def shown(pairs):
    """By name: a captioner that has seen PHOTOS, and what the original says of them."""

    @cache
    def make(name):
        theirs, ours = pairs(name).theirs, pairs(name).ours
        pixels = theirs.pixels(PHOTOS)

        def generate(num_beams, **rest):
            count = {"num_beams": num_beams, "num_return_sequences": num_beams}
            return theirs.generate(pixels, **count, **rest)

        batch = rows([ours.shown(photo) for photo in PHOTOS])
        features = jax.jit(partial(ours.model.apply, method="features"))
        return SimpleNamespace(
            ours=ours,
            shown={
                "memory": features(ours.variables, Shown.of(batch)).tokens[:, None],
                "present": batch["present"],
            },
            settings=theirs.model.generation_config.to_dict(),
            generate=generate,
            plain=cache(generate),
        )

    return make


@pytest.mark.parametrize(("name", "search", "rule"), GRID)
def test_captions_and_scores_are_theirs(name, search, rule, shown):
    it = shown(name)
    ours, fields = it.ours, {**it.settings, **search, **rule}
    find = captioner(ours.model, ours.tokenizer, Search.of(**search_settings(fields, "it")))
    batch = {
        **it.shown,
        "prompt": np.zeros((len(PHOTOS), 0), np.int32),
        "prompt_len": np.zeros(len(PHOTOS), np.int32),
        "index": np.arange(len(PHOTOS), dtype=np.int32),
    }
    found = jax.jit(find)(ours.variables, batch)
    plain = it.plain(**search)
    expected = it.generate(**search, **rule) if rule else plain
    expect(found, [()] * len(PHOTOS), expected, ours.tokenizer.pad)
    if rule:
        assert words(expected) != words(plain)
    else:
        assert len(set(words(expected))) > len(PHOTOS) / 3
        assert len({len(caption) for caption in words(expected)}) > 3


def words(found):
    return [caption for captions in found for _, caption in captions]
