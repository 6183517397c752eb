"""Word for word and score for score what the COCO scorer, with its Java, gave on real captions."""

import json

import pytest

from jaxcap.metrics.ptb import ptb_words
from jaxcap.metrics.report import score

SPLITS = ["coco_test_magic", "flickr30k_test_magic"]


@pytest.fixture(scope="module")
def golden(reference_data):
    def read(name):
        return json.loads((reference_data / "golden" / f"{name}.json").read_text())

    return read


def test_words_of_flickr8k(golden):
    pairs = golden("ptb_flickr8k")["pairs"]
    wrong = [pair for pair in pairs if " ".join(ptb_words(pair[0])) != pair[1]]
    assert len(pairs) == 35_000
    assert wrong == []


@pytest.mark.parametrize("split", SPLITS)
def test_words_of_predictions_and_references(golden, split):
    content = golden(split)
    for image, captions in content["references"].items():
        assert [" ".join(ptb_words(c)) for c in captions] == content["ptb_references"][image]
    for image, caption in content["predictions"].items():
        assert " ".join(ptb_words(caption)) == content["ptb_predictions"][image]


@pytest.mark.parametrize("split", SPLITS)
def test_scores(golden, split):
    content = golden(split)
    report = score(content["predictions"], content["references"])
    for name, value in report.corpus.items():
        assert value == pytest.approx(content["expected"][name], abs=1e-9)
        found = {image: scores[name] for image, scores in report.per_image.items()}
        assert found == pytest.approx(content["expected_per_image"][name], abs=1e-6)
