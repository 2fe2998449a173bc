"""Quantiles of the distributions that intervals are made of, to about ten digits.

The incomplete gamma and beta functions are summed by their series and continued fractions
(Abramowitz & Stegun 1964, 6.5.29, 6.5.31 and 26.5.8) and turned around by halving.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import lru_cache
from statistics import NormalDist

# Enough halvings that a double can be told no further.
HALVINGS = 200
# Terms of a series: those of the largest counts here (10^6 cells) need some thousands.
TERMS = 100_000
CLOSE = 1e-15
# Stands in for zero in a continued fraction (Lentz 1976).
TINY = 1e-300


def normal_quantile(p: float) -> float:
    """Return the value that a standard normal variable stays below with probability `p`."""
    return NormalDist().inv_cdf(p)


def chi_square_quantile(p: float, freedom: float) -> float:
    """Return the chi-square value at `p` for `freedom` degrees of freedom."""
    return 2 * _turn_around(lambda x: _gamma_below(freedom / 2, x), p, freedom / 2)


def beta_quantile(p: float, a: float, b: float) -> float:
    """Return the value at `p` of the beta distribution with parameters a and b."""
    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if _beta_below(middle, a, b) < p else (low, middle)
    return (low + high) / 2


def fisher_quantile(p: float, above: float, below: float) -> float:
    """Return the F value at `p` for degrees of freedom `above` and `below` the line."""
    # From the smaller tail: near 1 a double has too few digits left.
    share = beta_quantile(1 - p, below / 2, above / 2)
    return below * (1 - share) / (above * share)


@lru_cache(maxsize=1024)
def student_quantile(p: float, freedom: float) -> float:
    """Return Student's t value at `p` for `freedom` degrees of freedom."""
    if p == 0.5:
        return 0.0
    size = math.sqrt(fisher_quantile(1 - 2 * min(p, 1 - p), 1, freedom))
    return size if p > 0.5 else -size


def _turn_around(function: Callable[[float], float], p: float, start: float) -> float:
    high = max(start, 1.0)
    while function(high) < p:
        high *= 2
    low = 0.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        if middle in (low, high):
            break
        low, high = (middle, high) if function(middle) < p else (low, middle)
    return (low + high) / 2


def _gamma_below(a: float, x: float) -> float:
    """Return the regularized lower incomplete gamma function P(a, x)."""
    if x <= 0:
        return 0.0
    front = math.exp(a * math.log(x) - x - math.lgamma(a))
    if x < a + 1:
        term = total = 1 / a
        for n in range(1, TERMS):
            term *= x / (a + n)
            total += term
            if term < total * CLOSE:
                break
        return front * total
    b = x + 1 - a
    c = 1 / TINY
    d = 1 / b
    fraction = d
    for n in range(1, TERMS):
        step = -n * (n - a)
        b += 2
        d = 1 / _not_zero(step * d + b)
        c = _not_zero(b + step / c)
        fraction *= c * d
        if abs(c * d - 1) < CLOSE:
            break
    return 1 - front * fraction


def _beta_below(x: float, a: float, b: float) -> float:
    """Return the regularized incomplete beta function I_x(a, b)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    front = math.exp(
        math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    )
    if x < (a + 1) / (a + b + 2):
        return front * _beta_fraction(x, a, b) / a
    return 1 - front * _beta_fraction(1 - x, b, a) / b


def _beta_fraction(x: float, a: float, b: float) -> float:
    c = 1.0
    d = 1 / _not_zero(1 - (a + b) * x / (a + 1))
    fraction = d
    for n in range(1, TERMS):
        even = n * (b - n) * x / ((a + 2 * n - 1) * (a + 2 * n))
        odd = -(a + n) * (a + b + n) * x / ((a + 2 * n) * (a + 2 * n + 1))
        for step in (even, odd):
            d = 1 / _not_zero(1 + step * d)
            c = _not_zero(1 + step / c)
            fraction *= c * d
        if abs(c * d - 1) < CLOSE:
            break
    return fraction


def _not_zero(value: float) -> float:
    return value if abs(value) > TINY else TINY
