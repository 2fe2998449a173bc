"""The factor that turns a mean count per field into cells per microliter."""

from __future__ import annotations

import math
from collections.abc import Sequence

from .distributions import student_quantile
from .intervals import CONFIDENCE, Estimate, Interval, mean_and_sd

# Below this no spread can be told. About 30 are wanted: see counting/services/calibrations.py.
FEWEST = 5


def factor(means: Sequence[float], values: Sequence[float]) -> Estimate:
    """Return analyser values per mean count per field, with the 95 % interval.

    means: mean counts per field, one per sample; values: the analyser's cells per microliter.
    The factor is the ratio of the sums, which is the best straight line through the origin where
    the scatter of a count grows with the count (Cochran 1977, Sampling Techniques, chapter 6);
    its error is the jackknife's (Tukey 1958; Efron & Tibshirani 1993, chapter 11), with
    Student's t.

    Raises:
        ValueError: fewer than `FEWEST` samples, or no cells in all but one of them.
    """
    n = len(means)
    if n < FEWEST:
        raise ValueError(f"A factor needs {FEWEST} samples or more.")
    sum_x, sum_y = math.fsum(means), math.fsum(values)
    lefts = [(sum_x - x, sum_y - y) for x, y in zip(means, values, strict=True)]
    if any(x <= 0 for x, _ in lefts):
        raise ValueError("Nearly all samples are empty: no factor can be worked out.")
    without = [y / x for x, y in lefts]
    _, spread = mean_and_sd(without)
    error = spread * (n - 1) / math.sqrt(n)
    half = student_quantile((1 + CONFIDENCE) / 2, n - 1) * error
    value = sum_y / sum_x
    return Estimate(value, Interval(max(0.0, value - half), value + half))
