"""The gate: may a candidate replace the champion? Knows metrics only; no torch, no numpy.

Metrics are `{"n": fields, "types": {code: {"n", "mae", "rmse", "bias", "r2", "mean"}}}` on the
same hold-out fields for both. Where a type is new, "constant" is true in the champion's: its errors
are those of the best constant, one number for all fields. With "slides", a number for each field's
slide, each type has "errors", how far off it was in each field (None: not counted there); metrics
kept before that was told have neither.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import NormalDist, fmean
from typing import Any

Metrics = Mapping[str, Any]
NAMES = {"RBC": "red cells", "WBC": "white cells", "PLT": "platelets"}
# A mean absolute error below this many cells a field is noise of a few fields: the tolerance is a
# share of the champion's error, but of one cell at least.
ONE_CELL = 1.0
# Candidates must win by more than rounding.
MARGIN = 1e-9
# How sure the gain must be, one-sided: of candidates that are in truth as good as the champion, one
# in ten goes live, where there are several slides or the fields of the one are not alike. To be
# more sure would refuse most of the better ones for want of hold-out fields; how often it errs was
# measured (docs/training.md, "How sure the gate is").
LEVEL = 0.9


@dataclass(frozen=True)
class Verdict:
    """Whether the candidate goes live, and why in words for the person who counts.

    `by_chance`: it was better on these fields, but by no more than chance may give.
    """

    promote: bool
    text: str
    by_chance: bool = False


def judge(champion: Metrics, candidate: Metrics, *, tolerance: float, min_fields: int) -> Verdict:
    """Decide: better over all by more than chance, and no cell type worse beyond the tolerance.

    Over all means the mean over cell types of the mean absolute error in units of a field's own
    counting noise, sqrt(mean count + 1), so that many red cells do not drown the platelets. A type
    is worse beyond the tolerance when its error grew by more than `tolerance` of the champion's
    error or, where that is below one cell, of one cell. Chance is judged by the gain in each field;
    where that was not kept, any gain is enough.
    """
    types = _common(champion, candidate)
    n = judged_on(champion, candidate)
    if not can_judge(champion, candidate, min_fields=min_fields):
        missing = max(1, min_fields - n)
        return Verdict(
            False,
            f"Not judged: only {_fields(n, 'hold-out')} counted, {min_fields} are needed. "
            f"Count {missing} more on the hold-out slides, then retrain.",
        )
    before = {code: champion["types"][code] for code in types}
    after = {code: candidate["types"][code] for code in types}
    worse = [code for code in types if _worse(before[code], after[code], tolerance)]
    told = _told(types, before, after)
    where = f"on {_fields(n, 'hold-out')}"
    if worse:
        return Verdict(
            False,
            f"Worse for {_list([name(code) for code in worse])} {where}: {told}. "
            "The current model stays.",
        )
    if overall(after) >= overall(before) - MARGIN:
        return Verdict(False, f"No better {where}: {told}. The current model stays.")
    gains = _gains(champion, candidate, types)
    if gains and least_gain(gains, candidate["slides"]) <= MARGIN:
        # Where the fields agree, it is the slides that do not: more fields of these tell nothing.
        few = "fields" if least_gain(gains, [0] * len(gains)) <= MARGIN else "slides"
        return Verdict(
            False,
            f"Better {where}, but by no more than chance may give: {told}. "
            f"The current model stays. Count more hold-out {few} to tell.",
            by_chance=True,
        )
    return Verdict(True, f"Better {where}: {told}. Goes live.")


def can_judge(champion: Metrics, candidate: Metrics, *, min_fields: int) -> bool:
    """Tell whether enough hold-out fields were counted to say which of the two is better."""
    return judged_on(champion, candidate) >= min_fields and bool(_common(champion, candidate))


def judged_on(champion: Metrics, candidate: Metrics) -> int:
    """Return on how many hold-out fields both were measured."""
    return min(int(champion["n"]), int(candidate["n"]))


def overall(types: Mapping[str, Mapping[str, Any]]) -> float:
    """Return the mean over cell types of error / counting noise."""
    errors = [float(t["mae"]) / math.sqrt(float(t["mean"]) + 1.0) for t in types.values()]
    return sum(errors) / len(errors)


def least_gain(gains: Sequence[float], slides: Sequence[int]) -> float:
    """Return how much is gained at least, `LEVEL` sure: the lower end of Student's t interval of
    the mean of paired differences, by fields and, where there are several, by slides.

    Fields of a slide are alike, so slides are what chance draws; but a few of them may agree by
    chance more than their fields do. The wider interval of the two holds. Of one slide nothing
    tells whether others are like it.
    """
    mean = fmean(gains)
    by_slide: dict[int, float] = {}
    for gain, slide in zip(gains, slides, strict=True):
        by_slide[slide] = by_slide.get(slide, 0.0) + gain - mean
    units = [[gain - mean for gain in gains]]
    if len(by_slide) > 1:
        units.append(list(by_slide.values()))
    return mean - max(_reach(sums, len(gains)) for sums in units)


def _reach(sums: Sequence[float], fields: int) -> float:
    """Return how far chance reaches: `sums` are the units' sums of deviations from the mean. With
    slides it is a cluster-robust error (Liang and Zeger 1986, Biometrika 73).
    """
    many = len(sums)
    if many < 2:
        return math.inf
    variance = many / (many - 1) * sum(value * value for value in sums) / fields**2
    return _student(many - 1) * math.sqrt(variance)


def _student(freedom: int) -> float:
    """Return the quantile of Student's t at `LEVEL` by the expansion about the normal one
    (Abramowitz and Stegun 1964, 26.7.5): 4 % too small at 1 degree of freedom, right within 0.4 %
    from 2 on.
    """
    z = NormalDist().inv_cdf(LEVEL)
    return (
        z
        + (z**3 + z) / (4 * freedom)
        + (5 * z**5 + 16 * z**3 + 3 * z) / (96 * freedom**2)
        + (3 * z**7 + 19 * z**5 + 17 * z**3 - 15 * z) / (384 * freedom**3)
    )


def _gains(champion: Metrics, candidate: Metrics, types: Sequence[str]) -> list[float]:
    """Return what each field adds to the gain over all, whose mean is that gain; [] where errors
    were kept as means only.
    """
    many = len(candidate.get("slides") or ())
    gains = [0.0] * many
    for code in types:
        before, after = champion["types"][code], candidate["types"][code]
        if not many or "errors" not in before or "errors" not in after:
            return []
        unit = math.sqrt(float(after["mean"]) + 1.0) * len(types) * int(after["n"]) / many
        for i, (old, new) in enumerate(zip(before["errors"], after["errors"], strict=True)):
            if old is not None and new is not None:
                gains[i] += (float(old) - float(new)) / unit
    return gains


def name(code: str) -> str:
    """Return what a person calls a cell type."""
    return NAMES.get(code, code)


def _common(champion: Metrics, candidate: Metrics) -> list[str]:
    return [
        code
        for code, told in candidate["types"].items()
        if int(told["n"]) > 0 and code in champion["types"]
    ]


def _worse(before: Mapping[str, Any], after: Mapping[str, Any], tolerance: float) -> bool:
    allowed = tolerance * max(float(before["mae"]), ONE_CELL)
    return float(after["mae"]) > float(before["mae"]) + allowed + MARGIN


def _told(
    types: list[str], before: Mapping[str, Mapping[str, Any]], after: Mapping[str, Any]
) -> str:
    parts = []
    for code in types:
        old, new = f"{before[code]['mae']:.2f}", f"{after[code]['mae']:.2f}"
        if before[code].get("constant"):
            told = f"off by {new} where one fixed number is off by {old}"
        else:
            told = f"still off by {new}" if old == new else f"off by {new} instead of {old}"
        parts.append(f"{name(code)} {told}")
    parts[0] += " a field"
    return _list(parts)


def _fields(n: int, kind: str) -> str:
    return f"{n} {kind} field{'' if n == 1 else 's'}"


def _list(parts: list[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"
