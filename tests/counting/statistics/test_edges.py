"""What the formulas do where the data say little."""

from __future__ import annotations

import math
import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from counting.statistics.bland_altman import bland_altman
from counting.statistics.calibration import factor
from counting.statistics.intervals import (
    Estimate,
    Interval,
    binomial,
    cells_needed,
    deviation_of_sum,
    difference_of_means,
    dispersion,
    inverse,
    poisson,
    product,
    quasi_poisson,
    widened,
)
from counting.statistics.passing_bablok import passing_bablok
from counting.statistics.ranges import bias_by_range
from counting.statistics.reliability import coefficient_of_variation, icc_agreement

pytestmark = pytest.mark.once

COUNTS = st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=2, max_size=40)


def test_cells_needed_is_the_first_count_that_is_precise_enough() -> None:
    for precision in (0.05, 0.1, 0.2, 0.5):
        cells = cells_needed(precision)
        assert poisson(cells).high <= (1 + precision) * cells
        assert poisson(cells - 1).high > (1 + precision) * (cells - 1)
    # A little more than the 384 of the normal approximation, (1.96 / 0.1)².
    assert 400 < cells_needed(0.1) < 440


def test_large_counts_go_over_into_the_normal_interval() -> None:
    below, above = poisson(1_000_000), poisson(1_000_001)
    assert above.high - below.high == pytest.approx(1, abs=3)
    assert above.low - below.low == pytest.approx(1, abs=3)


def test_a_second_error_adds_at_a_right_angle_and_stops_at_zero() -> None:
    start = Estimate(10, Interval(7, 14))
    assert widened(start, 4, 3).interval == Interval(5, 15)
    assert widened(start, 30, 0).interval == Interval(0, 14)


def test_errors_that_are_alike_in_part_add_between_a_right_angle_and_a_line() -> None:
    assert deviation_of_sum([3, 4], 0) == 5
    assert deviation_of_sum([3, 4], 1) == 7
    # Three quarters of 9 + 16 and a quarter of 7 x 7.
    assert deviation_of_sum([3, 4], 0.25) == pytest.approx(math.sqrt(31))
    # Kish's design effect: n equal ones have n (1 + (n - 1) x shared) times the variance of one.
    assert deviation_of_sum([2] * 20, 0.05) == pytest.approx(2 * math.sqrt(20 * (1 + 19 * 0.05)))
    four_times = deviation_of_sum([3, 4] * 4, 0.25)
    assert deviation_of_sum([3, 4], 0.25, times=4) == pytest.approx(four_times)
    assert deviation_of_sum([], 0.05) == 0


def test_products_and_quotients_of_counts() -> None:
    mean = Estimate(2.0, Interval(1.0, 4.0))
    exact = Estimate(3000.0, Interval(3000.0, 3000.0))
    found = product(mean, exact)
    assert (found.value, found.interval.low) == (6000.0, pytest.approx(3000))
    assert found.interval.high == pytest.approx(12000)
    nothing = product(Estimate(0.0, Interval(0.0, 0.3)), exact)
    assert nothing == Estimate(0.0, Interval(0.0, pytest.approx(900)))
    assert inverse(mean) == Estimate(0.5, Interval(0.25, 1.0))
    with pytest.raises(ValueError, match="may be 0"):
        inverse(nothing)


def clumped(draw: random.Random, mean: float, times: float) -> int:
    """Draw a field's count with a variance of `times` the mean: Poisson, its mean a gamma draw."""
    left = math.exp(-draw.gammavariate(mean / (times - 1), times - 1))
    cells, chance = 0, draw.random()
    while chance > left:
        cells, chance = cells + 1, chance * draw.random()
    return cells


def test_the_scatter_between_fields_is_within_the_interval() -> None:
    draw = random.Random(1989)
    slides = [[clumped(draw, 5, 3) for _ in range(20)] for _ in range(600)]
    totals = [(sum(slide), dispersion(slide)) for slide in slides]
    held = {
        "poisson": [poisson(total) for total, _ in totals],
        "quasi": [quasi_poisson(total, times) for total, times in totals],
    }
    share = {
        name: sum(ends.low <= 100 <= ends.high for ends in found) / 600
        for name, found in held.items()
    }
    assert share["poisson"] < 0.8
    assert 0.9 <= share["quasi"] <= 0.98


def test_scatter_never_narrows_an_interval() -> None:
    assert dispersion([5, 5, 5, 5, 6]) == 1
    assert dispersion([0, 0, 0]) == 1
    assert quasi_poisson(10, 1) == poisson(10)
    for count in (0, 1, 40):
        wide, narrow = quasi_poisson(count, 30), poisson(count)
        assert 0 <= wide.low <= narrow.low
        assert wide.high > narrow.high


def test_swapping_the_methods_turns_the_line_around() -> None:
    first = [3, 5, 5, 8, 13, 21, 22, 30]
    second = [4, 4, 6, 9, 12, 25, 20, 33]
    there, back = passing_bablok(first, second), passing_bablok(second, first)
    assert there is not None
    assert back is not None
    ends = (there.slope.interval, back.slope.interval)
    assert ends[0].low == pytest.approx(1 / ends[1].high)
    assert ends[0].high == pytest.approx(1 / ends[1].low)


@given(COUNTS)
def test_estimates_lie_within_their_intervals(pairs: list[tuple[int, int]]) -> None:
    first, second = (list(side) for side in zip(*pairs, strict=True))
    agreement = bland_altman(first, second)
    assert agreement.lower.value <= agreement.bias.value <= agreement.upper.value
    for found in (icc_agreement(pairs), coefficient_of_variation(pairs)):
        if found is not None:
            assert found.interval.low - 1e-9 <= found.value <= found.interval.high + 1e-9


def test_full_agreement_is_told_as_such() -> None:
    counts = [3, 5, 8, 13, 21]
    assert bland_altman(counts, counts).sd == 0
    line = passing_bablok(counts, counts)
    assert line is not None
    assert (line.slope.value, line.intercept.value) == (1, 0)
    icc = icc_agreement([(value, value) for value in counts])
    assert icc == Estimate(1.0, Interval(1.0, 1.0))
    variation = coefficient_of_variation([(value, value) for value in counts])
    assert variation == Estimate(0.0, Interval(0.0, 0.0))
    assert difference_of_means([1.0, 1.0], [1.0, 1.0]).interval == Interval(0, 0)


def test_counts_that_are_all_the_same_fix_nothing() -> None:
    assert passing_bablok([4, 4, 4], [4, 4, 4]) is None
    assert passing_bablok([4, 4, 4], [1, 2, 3]) is None
    assert icc_agreement([(4, 4)] * 3) is None
    assert coefficient_of_variation([(0, 0)] * 3) is None


@pytest.mark.parametrize(
    ("first", "second"),
    [
        # Ten pairs, three of them of the same point: the ranks asked for are -1 and 9 of 7.
        ([0, 0, 0, 1, 2], [0, 0, 0, 1, 2]),
        # Four points that differ: 0 and 7 of 6.
        ([1, 2, 3, 4], [1, 2, 3, 5]),
        # Slopes below -1 move both ranks up, beyond the last.
        ([1, 2, 3, 4, 5, 6], [60, 50, 40, 30, 20, 10]),
    ],
)
def test_too_few_different_values_bound_no_slope(first: list[float], second: list[float]) -> None:
    assert passing_bablok(first, second) is None


def test_too_little_is_refused() -> None:
    for refused in (
        lambda: bland_altman([1], [2]),
        lambda: icc_agreement([(1, 2)]),
        lambda: binomial(3, 2),
        lambda: binomial(0, 0),
        lambda: cells_needed(0),
        lambda: factor([1, 2, 3, 4], [1, 2, 3, 4]),
        lambda: factor([0, 0, 0, 0, 1], [1, 2, 3, 4, 5]),
    ):
        with pytest.raises(ValueError, match=r"\w+ .*\."):
            refused()


def test_a_factor_without_scatter_is_exact() -> None:
    found = factor([1.0, 2.0, 3.0, 4.5, 0.5], [2900.0, 5800.0, 8700.0, 13050.0, 1450.0])
    assert found.value == pytest.approx(2900)
    assert found.interval.low == pytest.approx(2900)
    assert found.interval.high == pytest.approx(2900)


def test_thousands_of_fields_take_a_moment_only() -> None:
    first = [(i * 7919) % 5000 for i in range(5000)]
    second = [value + (i * 104729) % 31 - 15 for i, value in enumerate(first)]
    began = time.process_time()
    line = passing_bablok(first, second)
    assert time.process_time() - began < 5
    assert line is not None
    assert line.slope.value == pytest.approx(1, abs=0.01)


def test_ranges_are_of_about_equal_size_and_keep_equal_means_together() -> None:
    first = [float(n) for n in range(22)]
    second = [n - 1.0 if n < 10 else n + 1.0 for n in range(22)]
    groups = bias_by_range(first, second)
    assert [group.n for group in groups] == [6, 6, 10]
    assert groups[0].bias == Estimate(1.0, Interval(1.0, 1.0))
    assert groups[-1].bias.value == -1
    assert (groups[0].low, groups[-1].high) == (-0.5, 21.5)
    (single,) = bias_by_range([4.0] * 20, [4.0] * 20)
    assert (single.n, single.low, single.high) == (20, 4, 4)
    assert bias_by_range([], []) == []
