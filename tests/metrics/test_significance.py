"""Intervals and p-values against their definitions, and against what is known of them."""

import numpy as np
import pytest

from jaxcap.errors import UserError
from jaxcap.metrics.report import Report, score
from jaxcap.metrics.significance import compared, intervals
from jaxcap.metrics.tallies import Tally


def of_numbers(numbers):
    """A report of one metric, the mean of these numbers."""
    counts = np.asarray(numbers, np.float64)[:, None]
    images = tuple(str(place) for place in range(len(counts)))
    return Report(images, (Tally(("mean",), counts, lambda sums, n: sums / n[:, None]),), {})


def test_the_interval_of_a_mean_is_that_of_its_standard_error():
    numbers = np.random.default_rng(0).normal(3.0, 2.0, 400)
    low, high = intervals(of_numbers(numbers), resamples=2000)["mean"]
    width = 1.96 * numbers.std() / np.sqrt(len(numbers))
    assert low == pytest.approx(numbers.mean() - width, abs=0.02)
    assert high == pytest.approx(numbers.mean() + width, abs=0.02)


def test_a_smaller_level_lies_within_a_greater():
    report = of_numbers(np.random.default_rng(0).normal(size=50))
    (low, high), (lower, higher) = (intervals(report, level=level)["mean"] for level in (0.5, 0.95))
    assert lower < low < high < higher


def test_the_same_seed_draws_the_same():
    report = of_numbers(np.random.default_rng(0).normal(size=50))
    assert intervals(report, 100, seed=1) == intervals(report, 100, seed=1)
    assert intervals(report, 100, seed=1) != intervals(report, 100, seed=2)


def test_a_system_does_not_differ_from_itself():
    report = of_numbers(np.random.default_rng(0).normal(size=50))
    assert compared(report, report)["mean"] == (0.0, 1.0)


def test_exchanges_are_as_rare_as_all_of_them_say():
    """Of eight images, by all 256 exchanges."""
    rng = np.random.default_rng(1)
    mine, theirs = rng.normal(0.7, 1, 8), rng.normal(0, 1, 8)
    signs = 1 - 2 * ((np.arange(256)[:, None] >> np.arange(8)) & 1)
    all_of_them = np.abs((signs * (mine - theirs)).mean(axis=1))
    exact = (all_of_them >= abs((mine - theirs).mean()) - 1e-12).mean()
    found = compared(of_numbers(mine), of_numbers(theirs), resamples=20000)["mean"]
    assert found.difference == pytest.approx((mine - theirs).mean())
    assert found.p == pytest.approx(exact, abs=0.015)
    assert 0.02 < exact < 0.9


def test_under_no_difference_p_is_as_often_small_as_it_says():
    rng = np.random.default_rng(0)
    found = [
        compared(of_numbers(rng.normal(size=30)), of_numbers(rng.normal(size=30)), 200)["mean"].p
        for _ in range(300)
    ]
    assert np.mean(np.array(found) < 0.2) == pytest.approx(0.2, abs=0.07)


def test_scores_of_captions_have_intervals_around_them():
    rng = np.random.default_rng(0)
    words = ["a", "dog", "runs", "on", "the", "grass", "cat"]
    references = {str(n): [" ".join(rng.choice(words, 6)) for _ in range(3)] for n in range(40)}
    said = {image: texts[0].rsplit(" ", int(image) % 3)[0] for image, texts in references.items()}
    worse = dict.fromkeys(references, "the cat of cats")
    report, other = score(said, references), score(worse, references)
    for name, (low, high) in intervals(report, 200).items():
        assert low < report.corpus[name] < high, name
    for name, each in compared(report, other, 200).items():
        assert each.difference == pytest.approx(report.corpus[name] - other.corpus[name])
        assert each.p < 0.02, name


def test_what_one_of_them_lacks_is_not_compared():
    captions = {"1": "a dog runs", "2": "a cat"}
    report = score(captions, {image: [said] for image, said in captions.items()})
    less = Report(report.images, report.tallies[1:], {})
    assert {*report.names} - {*compared(report, less)} == {*report.tallies[0].names}
    assert compared(report, less, 10).keys() == compared(less, report, 10).keys()


def test_other_images_are_not_compared():
    with pytest.raises(UserError, match="the same images"):
        compared(of_numbers([1.0, 2.0]), of_numbers([1.0, 2.0, 3.0]))
