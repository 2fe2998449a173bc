"""Each formula against the worked example that its authors, or an official program, published."""

from __future__ import annotations

import math

import pytest

from counting.statistics.bland_altman import bland_altman
from counting.statistics.calibration import factor
from counting.statistics.distributions import (
    beta_quantile,
    chi_square_quantile,
    fisher_quantile,
    student_quantile,
)
from counting.statistics.intervals import binomial, difference_of_means, poisson
from counting.statistics.passing_bablok import passing_bablok
from counting.statistics.reliability import coefficient_of_variation, icc_agreement
from tests.counting.statistics.data import (
    CREATININE,
    MINI_FIRST,
    MINI_SECOND,
    PATCH_NEW,
    PATCH_OLD,
    SHROUT_FLEISS,
    SLEEP_FIRST,
    SLEEP_SECOND,
    WRIGHT_FIRST,
    WRIGHT_SECOND,
)

pytestmark = pytest.mark.once


@pytest.mark.parametrize(
    ("count", "low", "high"),
    # Garwood, Biometrika 1936;28:437-442, as in Altman et al., Statistics with Confidence, 2000.
    [(0, 0, 3.689), (5, 1.623, 11.668), (10, 4.795, 18.390), (50, 37.111, 65.919)]
    + [(20, 12.217, 30.888), (100, 81.364, 121.627)],
)
def test_the_exact_poisson_interval(count: int, low: float, high: float) -> None:
    found = poisson(count)
    assert (found.low, found.high) == (pytest.approx(low, abs=6e-4), pytest.approx(high, abs=6e-4))


@pytest.mark.parametrize(
    ("part", "whole", "low", "high"),
    # Rümke's table for 100 cells, whole percentages rounded outward.
    [(0, 100, 0, 4), (1, 100, 0, 6), (5, 100, 1, 12), (10, 100, 4, 18), (50, 100, 39, 61)],
)
def test_the_limits_of_a_differential(part: int, whole: int, low: int, high: int) -> None:
    found = binomial(part, whole)
    assert (math.floor(100 * found.low), math.ceil(100 * found.high)) == (low, high)


def test_quantiles_are_those_of_the_printed_tables() -> None:
    # Tables of Abramowitz & Stegun 1964, chapter 26.
    assert student_quantile(0.975, 1) == pytest.approx(12.706, abs=5e-4)
    assert student_quantile(0.975, 16) == pytest.approx(2.120, abs=5e-4)
    assert student_quantile(0.025, 30) == pytest.approx(-2.042, abs=5e-4)
    assert student_quantile(0.5, 3) == 0
    assert chi_square_quantile(0.95, 10) == pytest.approx(18.307, abs=5e-4)
    assert chi_square_quantile(0.005, 2) == pytest.approx(0.01003, abs=5e-6)
    assert fisher_quantile(0.95, 5, 10) == pytest.approx(3.326, abs=5e-4)
    assert fisher_quantile(0.975, 1, 5) == pytest.approx(10.007, abs=5e-4)
    assert beta_quantile(0.5, 2, 2) == pytest.approx(0.5)


def test_bland_and_altmans_peak_flow_meters() -> None:
    """Lancet 1986;327:307-310: bias -2.1 (-22.0 to 17.8), SD 38.8; the limits with 1.96 for 2.

    The paper has -79.7 (-114.3 to -45.1) and 75.5 (40.9 to 110.1), with 2 SD and a standard error
    of sqrt(3 s² / n); the paper of 1999 replaced both, which moves them by 1.6.
    """
    found = bland_altman(WRIGHT_FIRST, MINI_FIRST)
    assert found.n == 17
    assert found.bias.value == pytest.approx(-2.1, abs=0.05)
    assert found.sd == pytest.approx(38.8, abs=0.05)
    assert found.bias.interval.low == pytest.approx(-22.0, abs=0.1)
    assert found.bias.interval.high == pytest.approx(17.8, abs=0.1)
    assert found.lower.value == pytest.approx(-79.7 + 0.04 * 38.8, abs=0.1)
    assert found.upper.value == pytest.approx(75.5 - 0.04 * 38.8, abs=0.1)
    assert found.lower.interval.low == pytest.approx(-114.3 + 1.6, abs=1)
    assert found.upper.interval.high == pytest.approx(110.1 - 1.6, abs=1)


def test_bland_and_altmans_blood_pressures() -> None:
    """Stat Methods Med Res 1999;8:135-160, 2.2: 85 people, mean -16.29 mmHg, SD 19.61.

    Limits -54.7 (-61.9 to -47.5) and 22.1 (14.9 to 29.3), bias -20.5 to -12.1.
    """
    shape = [math.sin(i * 2.4) for i in range(85)]
    center = sum(shape) / 85
    spread = math.sqrt(sum((value - center) ** 2 for value in shape) / 84)
    values = [-16.29 + 19.61 * (value - center) / spread for value in shape]
    found = bland_altman(values, [0.0] * 85)
    ends = [
        round(end, 1)
        for part in (found.bias, found.lower, found.upper)
        for end in (part.interval.low, part.interval.high)
    ]
    assert ends == pytest.approx([-20.5, -12.1, -61.9, -47.5, 14.9, 29.3], abs=0.15)
    assert round(found.lower.value, 1) == -54.7
    assert round(found.upper.value, 1) == 22.1


def test_repeatability_of_the_peak_flow_meters() -> None:
    """Lancet 1986: the repeated measurements differ with an SD of 21.6 (Wright) and 28.2 (mini)."""
    for first, second, wanted in (
        (WRIGHT_FIRST, WRIGHT_SECOND, 21.6),
        (MINI_FIRST, MINI_SECOND, 28.2),
    ):
        found = coefficient_of_variation(list(zip(first, second, strict=True)))
        assert found is not None
        average = (sum(first) + sum(second)) / 34
        assert found.value * average * math.sqrt(2) == pytest.approx(wanted, abs=0.05)
        assert found.interval.low < found.value < found.interval.high


def test_passing_and_bablok_on_the_creatinine_data() -> None:
    """Package mcr (Roche) checks itself with these against the program CALANAS.

    Intercept -0.11717 (-0.20011 to -0.02000), slope 1.08801 (1.00000 to 1.17300). The paper rounds
    the rank of a limit where mcr takes the mean of two neighbors: hence the tolerance.
    """
    found = passing_bablok(*zip(*CREATININE, strict=True))
    assert found is not None
    assert found.n == 108
    assert found.slope.value == pytest.approx(1.08800890, abs=1e-5)
    assert found.slope.interval.low == pytest.approx(1.0, abs=1e-9)
    assert found.slope.interval.high == pytest.approx(1.17300462, abs=1e-4)
    assert found.intercept.value == pytest.approx(-0.11717286, abs=1e-5)
    assert found.intercept.interval.low == pytest.approx(-0.20011495, abs=2e-4)
    assert found.intercept.interval.high == pytest.approx(-0.02, abs=1e-9)


def test_shrout_and_fleiss_four_judges() -> None:
    """Psychol Bull 1979;86:420-428: ICC(2,1) = 0.29; 0.019 to 0.761 (McGraw & Wong 1996)."""
    found = icc_agreement(SHROUT_FLEISS)
    assert found is not None
    assert found.value == pytest.approx(0.290, abs=5e-4)
    assert found.interval.low == pytest.approx(0.019, abs=5e-4)
    assert found.interval.high == pytest.approx(0.761, abs=5e-4)


def test_students_sleep_data() -> None:
    """Student 1908; by Welch's method, as R's `t.test(extra ~ group, sleep)` prints it."""
    found = difference_of_means(SLEEP_FIRST, SLEEP_SECOND)
    assert found.value == pytest.approx(-1.58)
    assert found.interval.low == pytest.approx(-3.3654832, abs=1e-6)
    assert found.interval.high == pytest.approx(0.2054832, abs=1e-6)


def test_the_jackknife_of_a_ratio() -> None:
    """Efron & Tibshirani, An Introduction to the Bootstrap, 1993, chapter 10: hormone patches.

    The ratio is -0.0713; its standard error by the bootstrap is 0.105.
    """
    found = factor(PATCH_OLD, PATCH_NEW)
    assert found.value == pytest.approx(-0.0713, abs=5e-5)
    error = (found.interval.high - found.value) / student_quantile(0.975, 7)
    assert error == pytest.approx(0.105, abs=0.002)
