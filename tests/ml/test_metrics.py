"""Measures against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest

from ml import metrics
from tests.counting.statistics.data import MINI_FIRST, WRIGHT_FIRST

# Errors: +1, -2, 0, +3. Sum of true counts 40, of told ones 42; mean 10; squares about it 50.
TRUE, TOLD = [5, 15, 10, 10], [6, 13, 10, 13]


def test_every_measure_is_what_the_hand_says() -> None:
    got = metrics.score(TRUE, TOLD, intervals=False)
    assert got == pytest.approx(
        {
            "n": 4,
            "mean": 10.0,
            "mae": 6 / 4,
            "rmse": math.sqrt(14 / 4),
            "bias": 2 / 4,
            "lower_limit": 1 / 2 - 1.959964 * math.sqrt(13 / 3),
            "upper_limit": 1 / 2 + 1.959964 * math.sqrt(13 / 3),
            "r2": 1 - 14 / 50,
            "weighted_ape": 6 / 40,
            "aggregate_accuracy": 1 - 2 / 40,
            "constant_mae": 10 / 4,
        },
        abs=1e-6,
    )


def test_limits_of_agreement_are_those_that_were_published() -> None:
    """Lancet 1986;327:307-310: bias -2.1, SD 38.8; the paper has -79.7 and 75.5 with 2 SD for 1.96,
    and by Student's t -22.0 to 17.8 for the bias.
    """
    got = metrics.score(MINI_FIRST, WRIGHT_FIRST)
    assert got["bias"] == pytest.approx(-2.1, abs=0.05)
    assert got["lower_limit"] == pytest.approx(-79.7 + 0.04 * 38.8, abs=0.1)
    assert got["upper_limit"] == pytest.approx(75.5 - 0.04 * 38.8, abs=0.1)
    # A bootstrap's are a little narrower for so few.
    assert got["bias_interval"] == pytest.approx([-22.0, 17.8], abs=4)


def test_published_accuracy_hides_what_the_error_shows() -> None:
    """Over- and undercounts cancel: every field is wrong by 10 and the accuracy is 100 %."""
    got = metrics.score([20, 20, 20, 20], [10, 30, 10, 30], intervals=False)
    assert got["aggregate_accuracy"] == 1.0
    assert got["mae"] == 10.0


def test_what_is_not_defined_is_none() -> None:
    got = metrics.score([0, 0, 0], [0, 1, 0])
    assert got["r2"] is None
    assert got["weighted_ape"] is None
    assert got["aggregate_accuracy"] is None
    assert got["r2_interval"] is None
    assert got["mae"] == pytest.approx(1 / 3, abs=1e-6)
    # One field has no spread.
    alone = metrics.score([3], [4])
    assert (alone["lower_limit"], alone["upper_limit_interval"]) == (None, None)


def test_intervals_hold_the_measure_and_shrink_with_fields() -> None:
    few = metrics.score(TRUE * 3, TOLD * 3)
    many = metrics.score(TRUE * 60, TOLD * 60)
    for name in metrics.MEASURES:
        low, high = few[f"{name}_interval"]
        assert low <= few[name] <= high
        narrow = many[f"{name}_interval"]
        assert narrow[1] - narrow[0] < (high - low) / 2
    assert few == metrics.score(TRUE * 3, TOLD * 3)


def test_a_mean_absolute_error_has_the_interval_of_its_standard_error() -> None:
    true = [0] * 400
    told = [0, 2] * 200
    low, high = metrics.score(true, told)["mae_interval"]
    # Standard error of a fair coin's mean times two: 1 / sqrt(400) = 0.05.
    assert (low, high) == pytest.approx((1 - 1.96 * 0.05, 1 + 1.96 * 0.05), abs=0.015)


@pytest.mark.parametrize(("true", "told"), [([], []), ([1, 2], [1])])
def test_lists_that_do_not_match_are_refused(true: list[int], told: list[int]) -> None:
    with pytest.raises(ValueError, match="must be of the same fields"):
        metrics.score(true, told)
