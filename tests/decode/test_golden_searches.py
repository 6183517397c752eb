"""What Transformers' `generate` found once (`make_golden_searches.py`), without PyTorch."""

import json
from pathlib import Path

import pytest
from generated import expect
from toy import endings, run

from jaxcap.decode import Search

GOLDEN = json.loads(Path(__file__).with_name("golden.json").read_text(encoding="utf-8"))


@pytest.mark.parametrize("case", GOLDEN["cases"])
def test_captions_and_scores_are_those_of_transformers(case):
    prompts, roles = GOLDEN["prompts"], tuple(case["roles"])
    table = endings(len(prompts), GOLDEN["words"], GOLDEN["seed"])
    found = run(table, Search.of(**case["search"]), prompts, roles=roles)
    expect(found, prompts, case["captions"], roles[0])


def test_captions_differ_in_length_and_by_setting():
    captions = [case["captions"] for case in GOLDEN["cases"]]
    lengths = {len(said) for case in captions for image in case for _, said in image}
    assert lengths >= {1, 2, 3, 5, 6}
    assert len({str([image[0][1] for image in case]) for case in captions}) == len(captions)
