"""Write golden.json: what Transformers' `generate` finds with the toy tables.

It needs PyTorch, and is run by hand when a setting is added or Transformers changes its search:

    PYTHONPATH=tests python tests/decode/make_golden_searches.py
"""

import json
from dataclasses import asdict
from pathlib import Path

import torch
import transformers
from peer import generate
from toy import APART, EOS, SHARED, endings

from jaxcap.decode import Search

SEED, WORDS = 9, 12
PROMPTS = [(), (5,), (5, 6), ()]
CASES = [
    (Search(max_len=6), APART),
    (Search(max_len=6, repetition_penalty=2.0, no_repeat_ngram=2, length_penalty=0.0), APART),
    (Search(max_len=6, repetition_penalty=2.0, min_len=2), SHARED),
    (Search(beams=3, max_len=6), APART),
    (Search(beams=3, max_len=6, length_penalty=-1.0, early_stopping=True), APART),
    (Search(beams=4, max_len=6, length_penalty=2.0, early_stopping="never"), APART),
    (Search(beams=3, max_len=6, no_repeat_ngram=2, min_len=4, suppress=(0, 1)), APART),
    (Search(beams=3, max_len=6, repetition_penalty=0.5, early_stopping=True), APART),
    (Search(beams=3, max_len=5, bad_words=((4,), (5, 6), (EOS,), (9, 3, 3))), APART),
    (Search(beams=3, max_len=5, forced_bos=7, forced_eos=EOS), APART),
    (Search(beams=2, max_len=6, repetition_penalty=1.5, forced_eos=EOS), SHARED),
    (Search(beams=5, max_len=6, no_repeat_ngram=1, length_penalty=0.0), SHARED),
]


def case(search: Search, roles: tuple[int, int, int]) -> dict:
    found = generate(endings(len(PROMPTS), WORDS, SEED), search, PROMPTS, roles)
    default = asdict(Search())
    settings = {name: value for name, value in asdict(search).items() if value != default[name]}
    captions = [[(round(score, 6), said) for score, said in captions] for captions in found]
    return {"search": settings, "roles": roles, "captions": captions}


if __name__ == "__main__":
    golden = {
        "transformers": transformers.__version__,
        "torch": torch.__version__,
        "seed": SEED,
        "words": WORDS,
        "prompts": PROMPTS,
        "cases": [case(*each) for each in CASES],
    }
    text = json.dumps(golden, separators=(",", ":")).replace('{"search"', '\n{"search"')
    Path(__file__).with_name("golden.json").write_text(text + "\n", encoding="utf-8")
