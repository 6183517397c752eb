"""The report: its keys and means, its indifference to order, and what it says of bad input."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from meteor_data import write_package

from jaxcap.errors import UserError
from jaxcap.metrics.collapse import collapse
from jaxcap.metrics.meteor import meteor
from jaxcap.metrics.ptb import ptb_words
from jaxcap.metrics.report import exact_match, protocol_of, score

REFERENCES = {
    "1": ["A dog runs over the grass.", "A brown dog in a field"],
    "2": ["Two men play chess in a park .", "Men at a chess board"],
    "3": ["A red bus drives down the wet street", "The bus is red"],
}
PREDICTIONS = {"1": "a dog runs over grass", "2": "Men at a chess board!", "3": "a red bus"}
NAMES = ["Bleu_1", "Bleu_2", "Bleu_3", "Bleu_4", "ROUGE_L", "CIDEr"]

captions = st.lists(
    st.sampled_from(["a", "the", "dog", "bus", "runs", "red", "on"]), min_size=1
).map(" ".join)
splits = st.lists(st.tuples(captions, st.lists(captions, min_size=1, max_size=3)), min_size=1)


def test_has_the_scorers_names_for_the_corpus_and_each_image():
    report = score(PREDICTIONS, REFERENCES)
    assert list(report.corpus) == NAMES
    assert list(report.per_image) == list(REFERENCES)
    assert all(list(scores) == NAMES for scores in report.per_image.values())


def test_words_not_letters_are_compared():
    shouted = {image: caption.upper() + " ..." for image, caption in PREDICTIONS.items()}
    assert score(shouted, REFERENCES).per_image == score(PREDICTIONS, REFERENCES).per_image


def test_a_prediction_that_is_a_reference_scores_one():
    scores = score(PREDICTIONS, REFERENCES).per_image["2"]
    assert [scores[name] for name in NAMES[:5]] == pytest.approx([1] * 5)


def test_meteor_is_a_score_where_its_data_are(tmp_path, monkeypatch):
    """In the COCO scorer's order, and with a word in the signature."""
    monkeypatch.syspath_prepend(tmp_path)
    write_package(tmp_path)
    report = score(PREDICTIONS, REFERENCES, also=["METEOR"])
    assert list(report.corpus) == [*NAMES[:4], "METEOR", *NAMES[4:]]
    predicted = {image: ptb_words(text) for image, text in PREDICTIONS.items()}
    expected = {image: [ptb_words(text) for text in each] for image, each in REFERENCES.items()}
    alone = meteor(predicted, expected)
    assert 0 < alone.corpus < 1
    assert report.corpus["METEOR"] == pytest.approx(alone.corpus)
    found = {image: scores["METEOR"] for image, scores in report.per_image.items()}
    assert found == pytest.approx(alone.per_image)
    assert protocol_of(report) == {"meteor": "1.5,python"}
    assert (report.lacking, protocol_of(score(PREDICTIONS, REFERENCES))) == ({}, {})


def test_damaged_data_of_meteor_cost_only_meteor(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(tmp_path)
    (write_package(tmp_path) / "meteor-1.5.jar").write_bytes(b"no archive")
    report = score(PREDICTIONS, REFERENCES, also=["METEOR"])
    assert report.corpus == score(PREDICTIONS, REFERENCES).corpus
    assert "meteor-1.5.jar: METEOR's data cannot be read" in report.lacking["METEOR"]


def test_meteor_is_a_need_where_they_are_not(monkeypatch):
    """And no 0."""
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    report = score(PREDICTIONS, REFERENCES, also=["METEOR"])
    assert list(report.corpus) == NAMES
    assert report.lacking == {"METEOR": "needs pip install pycocoevalcap"}


@settings(max_examples=30)
@given(splits, st.randoms())
def test_the_order_of_images_changes_nothing(split, random):
    predictions = {str(i): prediction for i, (prediction, _) in enumerate(split)}
    references = {str(i): captions for i, (_, captions) in enumerate(split)}
    report = score(predictions, references)
    order = list(references)
    random.shuffle(order)
    again = score(predictions, {image: references[image] for image in order})
    assert again.corpus == pytest.approx(report.corpus)
    for image in order:
        assert again.per_image[image] == pytest.approx(report.per_image[image])


def test_one_caption_for_all_has_collapsed():
    same = dict.fromkeys(REFERENCES, "a dog in the street")
    found = collapse(same, REFERENCES, seed=0)
    assert found["distinct"] == pytest.approx(1 / 3)
    assert found["CIDEr_shuffled"] == pytest.approx(score(same, REFERENCES).corpus["CIDEr"])


def test_shuffled_captions_score_what_they_score_where_they_land():
    assert collapse(PREDICTIONS, REFERENCES, seed=0)["distinct"] == 1
    found = {collapse(PREDICTIONS, REFERENCES, seed)["CIDEr_shuffled"] for seed in range(30)}
    ids = list(PREDICTIONS)
    possible = [
        score({a: PREDICTIONS[x], b: PREDICTIONS[y], c: PREDICTIONS[z]}, REFERENCES).corpus["CIDEr"]
        for a, b, c in [ids]
        for x, y, z in [(a, b, c), (a, c, b), (b, a, c), (b, c, a), (c, a, b), (c, b, a)]
    ]
    assert len(found) > 1
    assert all(any(one == pytest.approx(other) for other in possible) for one in found)


def test_a_seed_deals_the_same_whatever_the_order_of_the_files():
    reversed_ = dict(reversed(REFERENCES.items()))
    once, again = collapse(PREDICTIONS, REFERENCES, 5), collapse(PREDICTIONS, reversed_, 5)
    assert once == pytest.approx(again)


def test_exact_match_compares_words():
    assert exact_match(PREDICTIONS, REFERENCES) == {"1": False, "2": True, "3": False}


def test_repeated_words_and_broken_endings_are_counted():
    said = {"1": "a dog and a dog", "2": "a dog on the", "3": "", "4": "a dog on the bed"}
    references = {image: ["a dog on a bed"] for image in said}
    found = collapse(said, references, seed=0)
    assert found["repeated"] == found["broken_endings"] == 1 / 4


@pytest.mark.parametrize("call", [score, exact_match, lambda p, r: collapse(p, r, 0)])
@pytest.mark.parametrize(
    ("predictions", "references", "message"),
    [
        (PREDICTIONS | {"9": "x"}, REFERENCES, "1 of 4 predictions are .* without references: '9'"),
        ({"1": "a dog"}, REFERENCES, "2 of 3 images .* no prediction: '2', '3'"),
        ({}, {str(i): ["x"] for i in range(2000)}, "2,000 of 2,000 .*: '0', '1', '10', ..."),
        (PREDICTIONS, REFERENCES | {"2": []}, "1 of 3 images have an empty list .*: '2'"),
        ({}, {}, "no images"),
    ],
)
def test_images_of_one_side_only_are_an_error(call, predictions, references, message):
    with pytest.raises(UserError, match=message):
        call(predictions, references)
