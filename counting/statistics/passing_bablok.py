"""Passing & Bablok's line: robust, and with both sides in error.

Passing & Bablok, J Clin Chem Clin Biochem 1983;21:709-720.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import accumulate, combinations

from .distributions import normal_quantile
from .intervals import CONFIDENCE, Estimate, Interval

# Counts repeat, so that thousands of fields are some hundred different points. Of more than this
# many, evenly spread ones are taken: half a million slopes already fix the line.
MOST_POINTS = 1000


@dataclass(frozen=True)
class Line:
    """second = intercept + slope * first."""

    n: int
    slope: Estimate
    intercept: Estimate


def passing_bablok(first: Sequence[float], second: Sequence[float]) -> Line | None:
    """Return the line through paired values, or None where the data do not fix one.

    The slope is the median of all pairwise slopes, shifted by the number of those below -1; its
    interval is by rank (equations 2 to 7 of the paper), and few slopes have no such rank: then the
    data bound it on neither side, and there is no line. Pairs of equal points say nothing; one
    above the other means an infinite slope.
    """
    pairs = _thinned(list(zip(first, second, strict=True)))
    n = len(pairs)
    weights = _slopes(Counter(pairs))
    slopes = sorted(weights)
    upto = list(accumulate(weights[slope] for slope in slopes))
    total = upto[-1] if upto else 0
    shift = sum(weight for slope, weight in weights.items() if slope < -1)

    def ranked(rank: int) -> float:
        return slopes[bisect_left(upto, rank)]

    spread = normal_quantile((1 + CONFIDENCE) / 2) * math.sqrt(n * (n - 1) * (2 * n + 5) / 18)
    lowest = math.floor((total - spread) / 2 + 0.5)
    first_rank, last_rank = lowest + shift, total - lowest + 1 + shift
    if not 1 <= first_rank <= last_rank <= total:
        return None
    low, high = ranked(first_rank), ranked(last_rank)
    # The mean of the two middle ones where their number is even.
    middle = [ranked((total + 1) // 2 + shift), ranked(total // 2 + 1 + shift)]
    slope = sum(middle) / 2
    if not all(map(math.isfinite, (slope, low, high))):
        return None
    return Line(
        n,
        Estimate(slope, Interval(low, high)),
        Estimate(
            _intercept(pairs, slope), Interval(_intercept(pairs, high), _intercept(pairs, low))
        ),
    )


def _thinned(pairs: list[tuple[float, float]]) -> list[tuple[float, float]]:
    points = sorted(set(pairs))
    if len(points) <= MOST_POINTS:
        return pairs
    kept = {points[i * len(points) // MOST_POINTS] for i in range(MOST_POINTS)}
    return [pair for pair in pairs if pair in kept]


def _slopes(points: Counter[tuple[float, float]]) -> Counter[float]:
    """Return how often each slope occurs between two points, each as often as it was measured."""
    weights: Counter[float] = Counter()
    for ((x1, y1), many1), ((x2, y2), many2) in combinations(points.items(), 2):
        if x1 != x2:
            slope = (y2 - y1) / (x2 - x1)
            if slope != -1:
                weights[slope] += many1 * many2
        else:
            weights[math.inf] += many1 * many2
    return weights


def _intercept(pairs: list[tuple[float, float]], slope: float) -> float:
    rests = sorted(y - slope * x for x, y in pairs)
    half = len(rests) // 2
    return rests[half] if len(rests) % 2 else (rests[half - 1] + rests[half]) / 2
