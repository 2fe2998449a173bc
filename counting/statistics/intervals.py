"""Intervals of counts, shares and what is worked out from them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

from .distributions import beta_quantile, chi_square_quantile, normal_quantile, student_quantile

CONFIDENCE = 0.95
# Beyond this many cells the exact interval and its limit differ by less than a cell in a thousand.
EXACT_UP_TO = 1_000_000
# The part of a model's variance that all fields of a slide share, since one stain and one focus
# mislead it alike. Chosen on sums of held-out training fields (benchmarks/totals.py);
# reports tell it in words (counting/selectors/report_text.py).
SHARED = 0.05


@dataclass(frozen=True)
class Interval:
    """From `low` to `high`."""

    low: float
    high: float

    def times(self, factor: float) -> Interval:
        """Return both ends times a factor above 0."""
        return Interval(self.low * factor, self.high * factor)


@dataclass(frozen=True)
class Estimate:
    """A value and its interval."""

    value: float
    interval: Interval


def poisson(count: float, confidence: float = CONFIDENCE) -> Interval:
    """Return the exact interval of a Poisson count (Garwood 1936): chi-square quantiles / 2."""
    tail = (1 - confidence) / 2
    if count > EXACT_UP_TO:
        half = normal_quantile(1 - tail) * math.sqrt(count)
        return Interval(count - half, count + half)
    low = chi_square_quantile(tail, 2 * count) / 2 if count > 0 else 0.0
    return Interval(low, chi_square_quantile(1 - tail, 2 * count + 2) / 2)


def dispersion(counts: Sequence[float]) -> float:
    """Return how many times the scatter of counts is Poisson's: variance / mean, and 1 or more.

    Less than 1 is taken for chance: cells do not keep a distance from each other.

    Raises:
        ValueError: fewer than two counts.
    """
    average, spread = mean_and_sd(counts)
    return max(1.0, spread**2 / average) if average > 0 else 1.0


def quasi_poisson(count: float, times: float) -> Interval:
    """Return the interval of a count whose variance is `times` a Poisson count's.

    Quasi-Poisson (McCullagh & Nelder 1989, section 6.2): the error grows with the square root of
    the dispersion. It is put in as that many fewer cells, each worth more, so that the exact
    interval still serves and never reaches below 0.
    """
    return poisson(count / times).times(times)


def binomial(part: int, whole: int, confidence: float = CONFIDENCE) -> Interval:
    """Return the exact limits of a share (Clopper & Pearson 1934).

    Hematologists know them from Rümke's table for differential counts.

    Raises:
        ValueError: `part` is not within `whole`, or `whole` is 0.
    """
    if not 0 <= part <= whole or whole == 0:
        raise ValueError("A share needs a part within a whole above 0.")
    tail = (1 - confidence) / 2
    low = beta_quantile(tail, part, whole - part + 1) if part else 0.0
    high = beta_quantile(1 - tail, part + 1, whole - part) if part < whole else 1.0
    return Interval(low, high)


@lru_cache(maxsize=64)
def cells_needed(precision: float) -> int:
    """Return the least count whose exact interval reaches no further than `precision` above it.

    `precision` is a share: 0.1 for ±10 %. The upper side of the interval is the longer one.

    Raises:
        ValueError: `precision` is not above 0.
    """
    if precision <= 0:
        raise ValueError("The precision must be above 0.")

    def reached(count: int) -> bool:
        return poisson(count).high <= (1 + precision) * count

    low, high = 0, 1
    while not reached(high):
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (low, middle) if reached(middle) else (middle, high)
    return high


def widened(estimate: Estimate, below: float, above: float) -> Estimate:
    """Return the estimate with another, independent error added that reaches so far each way.

    The distances are added as the sides of a right angle, each way by itself: the method of
    variance estimates recovery (Zou & Donner 2008).
    """
    value, interval = estimate.value, estimate.interval
    low = value - math.hypot(value - interval.low, below)
    return Estimate(
        value, Interval(max(0.0, low), value + math.hypot(interval.high - value, above))
    )


def deviation_of_sum(deviations: Sequence[float], shared: float, times: float = 1.0) -> float:
    """Return the standard deviation of a sum whose errors are alike in part.

    `shared` is the correlation between any two of them, 0 to 1: that part of their variances adds
    as if they all went the same way, the rest as if each went its own (Kish, Survey Sampling, 1965,
    chapter 5). `times`: of a sum with as many times the terms, all like these.
    """
    squares = times * math.fsum(one**2 for one in deviations)
    linear = times * math.fsum(deviations)
    return math.sqrt((1 - shared) * squares + shared * linear**2)


def product(*factors: Estimate) -> Estimate:
    """Return the product of independent estimates, none below 0.

    By the same method on the logarithms (Zou & Donner 2008). A factor whose lower end is 0 leaves
    no lower bound but 0; one that is 0 itself gives the product of the upper ends.
    """
    value = math.prod(factor.value for factor in factors)
    highest = math.prod(factor.interval.high for factor in factors)
    if value == 0:
        return Estimate(0.0, Interval(0.0, highest))
    above = math.hypot(*(math.log(f.interval.high / f.value) for f in factors))
    low = 0.0
    if all(factor.interval.low > 0 for factor in factors):
        below = math.hypot(*(math.log(f.value / f.interval.low) for f in factors))
        low = value * math.exp(-below)
    return Estimate(value, Interval(low, value * math.exp(above)))


def inverse(estimate: Estimate) -> Estimate:
    """Return 1 / estimate.

    Raises:
        ValueError: the estimate or its lower end is 0: nothing can be divided by it.
    """
    if estimate.interval.low <= 0:
        raise ValueError("Nothing can be divided by an estimate that may be 0.")
    ends = estimate.interval
    return Estimate(1 / estimate.value, Interval(1 / ends.high, 1 / ends.low))


def mean(values: Sequence[float], confidence: float = CONFIDENCE) -> Estimate:
    """Return the mean with Student's interval (Student 1908).

    Raises:
        ValueError: fewer than two values.
    """
    average, spread = mean_and_sd(values)
    quantile = student_quantile((1 + confidence) / 2, len(values) - 1)
    half = quantile * spread / math.sqrt(len(values))
    return Estimate(average, Interval(average - half, average + half))


def mean_and_sd(values: Sequence[float]) -> tuple[float, float]:
    """Return mean and standard deviation (with n - 1 below the line).

    Raises:
        ValueError: fewer than two values.
    """
    n = len(values)
    if n < 2:
        raise ValueError("A spread needs two values or more.")
    average = math.fsum(values) / n
    squares = math.fsum((value - average) ** 2 for value in values)
    return average, math.sqrt(squares / (n - 1))


def difference_of_means(first: Sequence[float], second: Sequence[float]) -> Estimate:
    """Return mean(first) - mean(second) with its 95 % interval (Welch 1947, unequal spreads).

    Raises:
        ValueError: one of them has fewer than two values.
    """
    (mean_1, sd_1), (mean_2, sd_2) = mean_and_sd(first), mean_and_sd(second)
    part_1, part_2 = sd_1**2 / len(first), sd_2**2 / len(second)
    value = mean_1 - mean_2
    if part_1 + part_2 == 0:
        return Estimate(value, Interval(value, value))
    freedom = (part_1 + part_2) ** 2 / (
        part_1**2 / (len(first) - 1) + part_2**2 / (len(second) - 1)
    )
    half = student_quantile((1 + CONFIDENCE) / 2, freedom) * math.sqrt(part_1 + part_2)
    return Estimate(value, Interval(value - half, value + half))
