"""Numbers and intervals, as reports write them."""

from __future__ import annotations

from django import template

from counting import numbers
from counting.statistics.intervals import Interval

register = template.Library()


@register.filter
def significant(value: float, digits: int = 3) -> str:
    """Write a number with so many digits that say something."""
    return numbers.significant(value, digits)


@register.filter
def short(value: float) -> str:
    """Write a number as it was given."""
    return numbers.short(value)


@register.filter
def span(interval: Interval, decimals: int | None = None) -> str:
    """Write an interval."""
    return numbers.span(interval, decimals)
