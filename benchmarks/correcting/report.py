"""The comparison as a table: each way of reading beside Label Studio, paired by field."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
from numpy.typing import NDArray

from benchmarks.correcting.reader import THOUGHT, Effort

# Resamples of the fields, with a fixed seed: the interval is the same in each run on the same data.
RESAMPLES = 10_000
MEASURES: dict[str, Callable[[Effort], float]] = {
    "keystrokes": lambda effort: effort.keys,
    "clicks": lambda effort: effort.clicks,
    "keystrokes and clicks": lambda effort: effort.actions,
    "seconds": lambda effort: effort.seconds,
    "of these, the reader's hands": lambda effort: effort.hands,
    "and waiting for the program": lambda effort: effort.waiting,
    f"seconds with {THOUGHT} s of thought per correction": lambda effort: effort.thinking,
}
# What must be at most half of Label Studio's.
JUDGED = ("keystrokes and clicks", "seconds")
LIMIT = 0.5


def ratio(ours: Sequence[float], theirs: Sequence[float]) -> tuple[float, float, float]:
    """Return ours over theirs in the mean, with its 95 % percentile bootstrap interval.

    Fields are drawn with replacement, each with both its values (Efron and Tibshirani 1993, An
    introduction to the bootstrap, chapter 13).
    """
    pairs: NDArray[np.float64] = np.array([ours, theirs], dtype=np.float64)
    draws = np.random.default_rng(0).integers(0, pairs.shape[1], (RESAMPLES, pairs.shape[1]))
    sums = pairs[:, draws].sum(axis=2)
    low, high = np.percentile(sums[0] / sums[1], (2.5, 97.5))
    return float(pairs[0].sum() / pairs[1].sum()), float(low), float(high)


def table(theirs: Sequence[Effort], ours: dict[str, Sequence[Effort]]) -> str:
    """Return the table in Markdown: median and mean per field, and ours over theirs."""
    head = ["per field: median (mean)", "Label Studio"]
    for name in ours:
        head += [name, "ours / theirs"]
    lines = [head, ["---"] * len(head)]
    for name, of in MEASURES.items():
        base = [of(effort) for effort in theirs]
        line = [name, _told(base)]
        for efforts in ours.values():
            values = [of(effort) for effort in efforts]
            line.append(_told(values))
            # A ratio of what is nearly nothing says nothing.
            line.append("{:.2f} ({:.2f} to {:.2f})".format(*ratio(values, base)))
        lines.append(line)
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def verdicts(theirs: Sequence[Effort], ours: dict[str, Sequence[Effort]]) -> tuple[str, bool]:
    """Say of each way of reading whether it takes at most half; true when one way takes that."""
    lines = []
    halved = False
    for name, efforts in ours.items():
        found = {
            what: ratio([MEASURES[what](e) for e in efforts], [MEASURES[what](e) for e in theirs])
            for what in JUDGED
        }
        kept = {what: part[0] <= LIMIT for what, part in found.items()}
        halved = halved or all(kept.values())
        said = ", ".join(f"{what} {'yes' if kept[what] else 'NO'}" for what in JUDGED)
        lines.append(f"{name}: at most half of Label Studio's? {said}")
    return "\n".join(lines), halved


def _told(values: Sequence[float]) -> str:
    return f"{np.median(values):.3g} ({np.mean(values):.2f})"
