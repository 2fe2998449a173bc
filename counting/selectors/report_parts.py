"""What each field brings to a slide's total: its count, and how far off a model may be.

Formulas and sources: docs/statistics.md.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from counting.statistics.distributions import normal_quantile
from counting.statistics.intervals import (
    SHARED,
    Estimate,
    deviation_of_sum,
    dispersion,
    quasi_poisson,
    widened,
)

from .fields import FieldView

Z_95 = normal_quantile(0.975)
# A prediction's interval covers 90 % of fields (ml/calibrate.py); reports are at 95 %.
TO_95 = Z_95 / normal_quantile(0.95)
# With fewer fields their scatter is not known well enough to be told from chance.
SCATTER_FIELDS = 5


@dataclass(frozen=True)
class Part:
    """One field's count of one type.

    How far off it may be if a model counted: the standard deviation of its error; a prediction of
    before deviations were kept has its own reach each way instead, at 95 %.
    """

    value: int
    counted: bool
    deviation: float = 0.0
    below: float = 0.0
    above: float = 0.0


def part_of(view: FieldView, code: str) -> Part | None:
    """Return a field's part: its reference count where it has one, else its prediction."""
    if view.reference is not None and code in view.reference.counts:
        return Part(int(view.reference.counts[code]), counted=True)
    if view.prediction is None or code not in view.prediction.counts:
        return None
    count = view.prediction.counts[code]
    value = int(count["value"])
    if "deviation" in count:
        return Part(value, counted=False, deviation=float(count["deviation"]))
    below, above = TO_95 * (value - count["low"]), TO_95 * (count["high"] - value)
    return Part(value, counted=False, below=below, above=above)


def total_of(parts: Sequence[Part]) -> Estimate:
    """Return the total with sampling and model error.

    Sampling: the exact Poisson interval (Garwood 1936), widened by the scatter between the fields
    where it is more than Poisson's (quasi-Poisson; McCullagh & Nelder 1989). Model: see
    `model_reach`. Both together: Zou & Donner (2008).
    """
    total = sum(part.value for part in parts)
    return widened(Estimate(total, quasi_poisson(total, scatter(parts))), *model_reach(parts))


def model_reach(parts: Sequence[Part], times: float = 1.0) -> tuple[float, float]:
    """Return how far below and above its total a model may be off, at 95 %.

    Its errors on the fields of one slide are alike in part (`SHARED`). Of predictions that have no
    deviation they are taken to go all the same way, and the same as those of the others: that is
    the widest they can reach. `times`: with as many times the fields, all like these.
    """
    own = Z_95 * deviation_of_sum([part.deviation for part in parts], SHARED, times)
    below = own + times * sum(part.below for part in parts)
    return below, own + times * sum(part.above for part in parts)


def scatter(parts: Sequence[Part]) -> float:
    """Return how many times Poisson's the scatter between the fields is, 1 where they are few."""
    if len(parts) < SCATTER_FIELDS:
        return 1.0
    return dispersion([part.value for part in parts])
