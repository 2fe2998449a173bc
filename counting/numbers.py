"""How numbers are written for people, in their own language's marks."""

from __future__ import annotations

import math

from django.utils.formats import number_format

from counting.statistics.intervals import Interval

# From here on thousands are set apart.
LONG = 10_000
MOST_DECIMALS = 4


def significant(value: float, digits: int = 3) -> str:
    """Write a number with so many digits that say something: 7213 -> 7210, 0.03449 -> 0.0345."""
    if value == 0 or not math.isfinite(value):
        return number_format(0 if value == 0 else value, decimal_pos=0)
    decimals = min(digits - 1 - math.floor(math.log10(abs(value))), MOST_DECIMALS)
    return _written(round(value, decimals), max(0, decimals))


def short(value: float) -> str:
    """Write a number as it was given, without zeros at its end: 7200, 2.4."""
    rounded = round(value, MOST_DECIMALS)
    decimals = len(f"{rounded:.{MOST_DECIMALS}f}".rstrip("0").partition(".")[2])
    return _written(rounded + 0.0, decimals)


def fixed(value: float, decimals: int) -> str:
    """Write a number with so many decimals."""
    return _written(round(value, decimals) + 0.0, decimals)


def span(interval: Interval, decimals: int | None = None) -> str:
    """Write an interval: `4.2–16.4`, or with words between when an end is below 0."""
    low, high = (
        significant(end) if decimals is None else fixed(end, decimals)
        for end in (interval.low, interval.high)
    )
    return f"{low} … {high}" if interval.low < 0 else f"{low}–{high}"


def _written(value: float, decimals: int) -> str:
    text = number_format(value, decimal_pos=decimals, force_grouping=abs(value) >= LONG)
    return text.replace("-", "−", 1) if text.startswith("-") else text
