"""The gate: may a candidate replace the champion? Knows metrics only; no torch, no numpy.

Metrics are `{"n": fields, "types": {code: {"n", "mae", "rmse", "bias", "r2", "mean"}}}` on the
same hold-out fields for both. Where a type is new, "constant" is true in the champion's: its errors
are those of the best constant, one number for all fields.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Metrics = Mapping[str, Any]
NAMES = {"RBC": "red cells", "WBC": "white cells", "PLT": "platelets"}
# A mean absolute error below this many cells a field is noise of a few fields: the tolerance is a
# share of the champion's error, but of one cell at least.
ONE_CELL = 1.0
# Candidates must win by more than rounding.
MARGIN = 1e-9


@dataclass(frozen=True)
class Verdict:
    """Whether the candidate goes live, and why in words for the person who counts."""

    promote: bool
    text: str


def judge(champion: Metrics, candidate: Metrics, *, tolerance: float, min_fields: int) -> Verdict:
    """Decide: better over all, and no cell type worse beyond the tolerance.

    Over all means the mean over cell types of the mean absolute error in units of a field's own
    counting noise, sqrt(mean count + 1), so that many red cells do not drown the platelets. A type
    is worse beyond the tolerance when its error grew by more than `tolerance` of the champion's
    error or, where that is below one cell, of one cell.
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
    if overall(after) < overall(before) - MARGIN:
        return Verdict(True, f"Better {where}: {told}. Goes live.")
    return Verdict(False, f"No better {where}: {told}. The current model stays.")


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
