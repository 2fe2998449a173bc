"""Measures against numbers worked out by hand."""

from __future__ import annotations

import math

import pytest

from ml import metrics

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
            "r2": 1 - 14 / 50,
            "weighted_ape": 6 / 40,
            "aggregate_accuracy": 1 - 2 / 40,
            "constant_mae": 10 / 4,
        },
        abs=1e-6,
    )


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
