"""Bland & Altman: how far two methods differ (Lancet 1986; Stat Methods Med Res 1999;8:135-160)."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from .distributions import normal_quantile, student_quantile
from .intervals import CONFIDENCE, Estimate, Interval, mean, mean_and_sd

# Limits that hold 95 % of the differences (section 2.1 of the paper of 1999).
REACH = normal_quantile(0.975)


@dataclass(frozen=True)
class Agreement:
    """Bias and limits of agreement, each with its 95 % interval; `sd` is of the differences."""

    n: int
    bias: Estimate
    sd: float
    lower: Estimate
    upper: Estimate


def bland_altman(first: Sequence[float], second: Sequence[float]) -> Agreement:
    """Return the agreement of paired values; differences are first - second.

    The variance of a limit is s² (1/n + 1.96² / (2 (n - 1))), its interval uses Student's t with
    n - 1 degrees of freedom (1999, section 2.2).

    Raises:
        ValueError: fewer than two pairs.
    """
    differences = [a - b for a, b in zip(first, second, strict=True)]
    n = len(differences)
    average, spread = mean_and_sd(differences)
    error = spread * math.sqrt(1 / n + REACH**2 / (2 * (n - 1)))
    half = student_quantile((1 + CONFIDENCE) / 2, n - 1) * error

    def limit(value: float) -> Estimate:
        return Estimate(value, Interval(value - half, value + half))

    return Agreement(
        n,
        mean(differences),
        spread,
        limit(average - REACH * spread),
        limit(average + REACH * spread),
    )
