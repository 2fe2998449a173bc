"""Does the bias depend on how much there is to count?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from .intervals import Estimate, mean

# Groups of about equal size, as many as leave this many pairs in each.
GROUPS = 4
FEWEST = 5


@dataclass(frozen=True)
class RangeBias:
    """The bias among pairs whose mean lies from `low` to `high`."""

    low: float
    high: float
    n: int
    bias: Estimate


def bias_by_range(first: Sequence[float], second: Sequence[float]) -> list[RangeBias]:
    """Return the bias (first - second) in groups of about equal size, by the mean of each pair.

    The mean of both stands for the true count, since plotting a difference against one of its
    parts shows a slope where there is none (Bland & Altman, Lancet 1995;346:1085). Pairs of one
    mean stay together. Each bias has Student's 95 % interval.
    """
    pairs = sorted(((a + b) / 2, a - b) for a, b in zip(first, second, strict=True))
    size = max(FEWEST, -(-len(pairs) // GROUPS))
    groups: list[list[tuple[float, float]]] = []
    for pair in pairs:
        full = bool(groups) and len(groups[-1]) >= size and pair[0] != groups[-1][-1][0]
        if not groups or full:
            groups.append([])
        groups[-1].append(pair)
    if len(groups) > 1 and len(groups[-1]) < FEWEST:
        last = groups.pop()
        groups[-1] += last
    return [
        RangeBias(group[0][0], group[-1][0], len(group), mean([d for _, d in group]))
        for group in groups
        if len(group) > 1
    ]
