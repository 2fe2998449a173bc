"""How numbers are written for people and read from them, in their own language's marks."""

from __future__ import annotations

import math
import re

from django.utils.formats import get_format, number_format
from django.utils.translation import gettext as _

from counting.errors import Refused
from counting.statistics.intervals import Interval

# From here on thousands are set apart.
LONG = 10_000
# More than any id or size that is asked for; still one that every database takes.
MOST_DIGITS = 11
MOST_DECIMALS = 4
# Code of the refusal of what can be read in two ways.
UNCLEAR = "unclear"
PLAIN = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d{1,3})?")
# One mark with three digits behind it: thousands in one language, decimals in the other.
TWO_WAYS = re.compile(r"[+-]?[1-9]\d{0,2}[.,]\d{3}")


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


def whole(text: str) -> int | None:
    """Return a whole number from an address or a form, or None when it is not one, or endless."""
    plain = text.isascii() and text.isdigit() and len(text) <= MOST_DIGITS
    return int(text) if plain else None


def read(text: str) -> float:
    """Return a number as people write it: a point or a comma before the decimals.

    7.200 is seven thousand in one language and seven in the other: where the language does not
    tell, nothing is guessed.

    Raises:
        Refused: it is no number, or can be read in two ways.
    """
    given = text.strip()
    if TWO_WAYS.fullmatch(given) and get_format("DECIMAL_SEPARATOR") not in given:
        whole, part = re.split("[.,]", given)
        raise Refused(
            _("%(text)s can be read in two ways: write %(thousands)s or %(decimals)s.")
            % {
                "text": given,
                "thousands": whole + part,
                "decimals": f"{whole}{get_format('DECIMAL_SEPARATOR')}{part}",
            },
            UNCLEAR,
        )
    plain = given.replace(",", ".")
    if not PLAIN.fullmatch(plain) or not math.isfinite(number := float(plain)):
        raise Refused(
            _("%(text)s is not a number. Write digits alone, such as 7200 or %(decimal)s.")
            % {"text": given[:20] or "–", "decimal": fixed(2.5, 1)},
            "number",
        )
    return number
