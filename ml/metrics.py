"""How far counts are from the truth, per cell type, with bootstrap 95 % intervals. numpy only."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from statistics import NormalDist
from typing import Any

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]
# A percentile interval asks for 1000 at least (Efron and Tibshirani 1993, An Introduction to the
# Bootstrap, chapter 13).
RESAMPLES = 2000
LEVEL = 0.95
# Limits that hold 95 % of normal differences, in standard deviations.
REACH = NormalDist().inv_cdf((1 + LEVEL) / 2)


def mae(true: Doubles, told: Doubles) -> float:
    """Return the mean absolute error."""
    return float(np.abs(told - true).mean())


def rmse(true: Doubles, told: Doubles) -> float:
    """Return the root of the mean squared error."""
    return float(np.sqrt(np.square(told - true).mean()))


def bias(true: Doubles, told: Doubles) -> float:
    """Return the mean error: above 0 means counted too many."""
    return float((told - true).mean())


def limit(true: Doubles, told: Doubles, side: int) -> float | None:
    """Return the lower (`side` -1) or upper (1) limit of agreement: bias -/+ 1.96 standard
    deviations of the differences (Bland and Altman, Lancet 1986;327:307). None for one field.
    """
    if len(true) < 2:
        return None
    return bias(true, told) + side * REACH * float((told - true).std(ddof=1))


def r2(true: Doubles, told: Doubles) -> float | None:
    """Return 1 - squared error / variance; None when all true counts are the same."""
    spread = float(np.square(true - true.mean()).sum())
    return None if spread == 0 else 1.0 - float(np.square(told - true).sum()) / spread


def weighted_ape(true: Doubles, told: Doubles) -> float | None:
    """Return sum of absolute errors / sum of true counts; None when nothing was there."""
    total = float(true.sum())
    return None if total == 0 else float(np.abs(told - true).sum()) / total


def aggregate_accuracy(true: Doubles, told: Doubles) -> float | None:
    """Return 1 - |sum told - sum true| / sum true: "counting accuracy" as published.

    Over- and undercounts cancel in it (Alam and Islam 2019): read it beside `mae` only.
    """
    total = float(true.sum())
    return None if total == 0 else 1.0 - abs(float(told.sum()) - total) / total


def constant_mae(true: Doubles) -> float:
    """Return the error of the same answer for every field: the median of these very counts, the
    best any constant could do.
    """
    return float(np.abs(true - np.median(true)).mean())


def accuracy(true: Doubles, told: Doubles) -> float:
    """Return the share of class indices told right."""
    return float((true == told).mean())


def mean_recall(true: Doubles, told: Doubles) -> float:
    """Return the mean over classes of the share told right: rare classes weigh as much."""
    shares = [float((told[true == label] == label).mean()) for label in np.unique(true)]
    return float(np.mean(shares))


def interval(
    measure: Callable[[Doubles, Doubles], float | None],
    true: Doubles,
    told: Doubles,
    seed: int = 0,
) -> tuple[float, float] | None:
    """Return the bootstrap percentile interval over fields, None when it is not defined."""
    rng = np.random.default_rng(seed)
    picks = rng.integers(len(true), size=(RESAMPLES, len(true)))
    return _percentiles([measure(true[pick], told[pick]) for pick in picks])


def nested_interval(
    measure: Callable[[list[Doubles]], float | None], tables: Sequence[Doubles], seed: int = 0
) -> tuple[float, float] | None:
    """Return the bootstrap percentile interval over fields and trainings (Davison and Hinkley 1997,
    Bootstrap Methods and their Application, section 3.8), None when it is not defined.

    tables: [fields, trainings] each, of the same fields. The fields drawn are the same in all
    tables; trainings are drawn in each for itself. `measure` gets the tables drawn.
    """
    rng = np.random.default_rng(seed)
    many = len(tables[0])
    values = []
    for pick in rng.integers(many, size=(RESAMPLES, many)):
        own = [rng.integers(table.shape[1], size=table.shape[1]) for table in tables]
        values.append(
            measure([table[pick][:, seeds] for table, seeds in zip(tables, own, strict=True)])
        )
    return _percentiles(values)


def _percentiles(values: Sequence[float | None]) -> tuple[float, float] | None:
    defined = [value for value in values if value is not None]
    if not defined:
        return None
    low, high = np.quantile(defined, [(1 - LEVEL) / 2, (1 + LEVEL) / 2])
    return float(low), float(high)


MEASURES: dict[str, Callable[[Doubles, Doubles], float | None]] = {
    "mae": mae,
    "rmse": rmse,
    "bias": bias,
    "lower_limit": lambda true, told: limit(true, told, -1),
    "upper_limit": lambda true, told: limit(true, told, 1),
    "r2": r2,
    "weighted_ape": weighted_ape,
    "aggregate_accuracy": aggregate_accuracy,
    "constant_mae": lambda true, told: constant_mae(true),
}


def score(
    true: Sequence[float], told: Sequence[float], *, intervals: bool = True
) -> dict[str, Any]:
    """Return all measures of one cell type, each with `<name>_interval` ([low, high] or None).

    true and told hold one count per field.

    Raises:
        ValueError: no fields, or lists of different lengths.
    """
    if not len(true) or len(true) != len(told):
        raise ValueError("True and told counts must be of the same fields, one at least.")
    a, b = np.asarray(true, dtype=np.float64), np.asarray(told, dtype=np.float64)
    out: dict[str, Any] = {"n": len(a), "mean": float(a.mean())}
    for name, measure in MEASURES.items():
        value = measure(a, b)
        out[name] = None if value is None else round(value, 6)
        if intervals:
            pair = interval(measure, a, b)
            out[f"{name}_interval"] = None if pair is None else [round(v, 6) for v in pair]
    return out
