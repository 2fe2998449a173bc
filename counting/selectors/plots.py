"""Plots as SVG, made here so that a page, a download and a paper show the same picture.

No style attributes, since the Content-Security-Policy forbids them: colors are presentation
attributes, which a page's own style sheet may override (static/css/agreement.css).
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Sequence

from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString
from django.utils.translation import gettext as _

from counting.numbers import short, significant
from counting.statistics.bland_altman import Agreement
from counting.statistics.passing_bablok import Line

WIDTH, HEIGHT = 480, 340
LEFT, RIGHT, TOP, BOTTOM = 54, 64, 16, 48
INK, SOFT, GRID, MAIN, LIMIT = "#1c2225", "#525a5f", "#dcdbd5", "#0a5c68", "#a02219"
FONT = "system-ui, sans-serif"
# Area of a point that stands for one field, in square pixels, and the largest radius.
POINT_AREA, LARGEST = 26.0, 13.0

Points = Sequence[tuple[float, float]]


def difference_plot(
    points: Points, agreement: Agreement, first: str, second: str, what: str
) -> SafeString:
    """Draw Bland & Altman's plot; points are pairs of counts (first, second)."""
    dots = [((a + b) / 2, a - b) for a, b in points]
    marks = [
        ("plot-main", MAIN, agreement.bias, _("Bias")),
        ("plot-limit", LIMIT, agreement.lower, _("−1.96 SD")),
        ("plot-limit", LIMIT, agreement.upper, _("+1.96 SD")),
    ]
    if agreement.lower.value == agreement.upper.value:
        marks = marks[:1]  # they would be written over each other
    ends = [end for _c, _k, e, _w in marks for end in (e.interval.low, e.interval.high)]
    frame = _Frame([x for x, _y in dots], [*(y for _x, y in dots), *ends, 0.0])
    parts = [
        frame.axes(
            _("Mean of both, cells per field"),
            _("%(first)s − %(second)s") % {"first": first, "second": second},
        )
    ]
    parts.append(frame.line(frame.x_low, 0, frame.x_high, 0, "plot-zero", SOFT, dashed="2 3"))
    for name, color, estimate, words in marks:
        top, bottom = frame.y(estimate.interval.high), frame.y(estimate.interval.low)
        parts.append(
            format_html(
                '<rect class="{}-band" x="{}" y="{}" width="{}" height="{}" fill="{}" '
                'fill-opacity="0.12"/>',
                name,
                LEFT,
                _n(top),
                WIDTH - LEFT - RIGHT,
                _n(bottom - top),
                color,
            )
        )
        dashed = "" if name == "plot-main" else "6 4"
        parts.append(
            frame.line(
                frame.x_low,
                estimate.value,
                frame.x_high,
                estimate.value,
                name,
                color,
                dashed=dashed,
            )
        )
        parts.append(frame.note(estimate.value, words, significant(estimate.value), name, color))
    parts.append(frame.dots(dots))
    title = _("Bland-Altman plot: %(what)s, %(first)s and %(second)s") % {
        "what": what,
        "first": first,
        "second": second,
    }
    told = _(
        "%(n)d fields. Bias %(bias)s, limits of agreement %(low)s and %(high)s cells per field. "
        "The tables beside it hold the same numbers."
    ) % {
        "n": agreement.n,
        "bias": significant(agreement.bias.value),
        "low": significant(agreement.lower.value),
        "high": significant(agreement.upper.value),
    }
    return _whole(title, told, parts)


def line_plot(points: Points, line: Line | None, first: str, second: str, what: str) -> SafeString:
    """Draw first against second, the line of identity and Passing & Bablok's line."""
    dots = [(b, a) for a, b in points]
    both = [value for dot in dots for value in dot]
    frame = _Frame(both, both)
    low, high = max(frame.x_low, frame.y_low), min(frame.x_high, frame.y_high)
    parts = [
        frame.axes(second, first),
        frame.line(low, low, high, high, "plot-zero", SOFT, dashed="2 3"),
    ]
    told = _("%(n)d fields; the dotted line is full agreement.") % {"n": len(points)}
    if line is not None:
        slope, start = line.slope.value, line.intercept.value
        parts.append(frame.clipped(slope, start, "plot-main", MAIN))
        told += " " + _("The line: slope %(slope)s, intercept %(intercept)s.") % {
            "slope": significant(slope),
            "intercept": significant(start),
        }
    parts.append(frame.dots(dots))
    title = _("Passing-Bablok plot: %(what)s, %(first)s against %(second)s") % {
        "what": what,
        "first": first,
        "second": second,
    }
    return _whole(title, told, parts)


class _Frame:
    """The scales of a plot: where a value lies on the paper."""

    def __init__(self, xs: Sequence[float], ys: Sequence[float]) -> None:
        self.x_ticks = _ticks(min(xs, default=0.0), max(xs, default=1.0))
        self.y_ticks = _ticks(min(ys, default=0.0), max(ys, default=1.0))
        self.x_low, self.x_high = self.x_ticks[0], self.x_ticks[-1]
        self.y_low, self.y_high = self.y_ticks[0], self.y_ticks[-1]

    def x(self, value: float) -> float:
        share = (value - self.x_low) / (self.x_high - self.x_low)
        return LEFT + share * (WIDTH - LEFT - RIGHT)

    def y(self, value: float) -> float:
        share = (value - self.y_low) / (self.y_high - self.y_low)
        return HEIGHT - BOTTOM - share * (HEIGHT - TOP - BOTTOM)

    def axes(self, across: str, upward: str) -> SafeString:
        parts = []
        for tick in self.y_ticks:
            parts.append(self.line(self.x_low, tick, self.x_high, tick, "plot-grid", GRID))
            parts.append(_text(LEFT - 8, self.y(tick) + 4, short(tick), "end"))
        for tick in self.x_ticks:
            parts.append(_text(self.x(tick), HEIGHT - BOTTOM + 18, short(tick), "middle"))
        parts.append(self.line(self.x_low, self.y_low, self.x_high, self.y_low, "plot-axis", SOFT))
        parts.append(_text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, across, "middle", INK))
        middle = (TOP + HEIGHT - BOTTOM) / 2
        parts.append(
            format_html(
                '<text class="plot-ink" transform="translate(14 {}) rotate(-90)" fill="{}" '
                'font-family="{}" font-size="13" text-anchor="middle">{}</text>',
                _n(middle),
                INK,
                FONT,
                upward,
            )
        )
        return _joined(parts)

    def line(
        self, x1: float, y1: float, x2: float, y2: float, name: str, color: str, dashed: str = ""
    ) -> SafeString:
        width = "1" if name in ("plot-grid", "plot-axis") else "1.8"
        dash = format_html(' stroke-dasharray="{}"', dashed) if dashed else ""
        return format_html(
            '<line class="{}" x1="{}" y1="{}" x2="{}" y2="{}" stroke="{}" stroke-width="{}"{}/>',
            name,
            *(_n(v) for v in (self.x(x1), self.y(y1), self.x(x2), self.y(y2))),
            color,
            width,
            dash,
        )

    def clipped(self, slope: float, start: float, name: str, color: str) -> SafeString:
        """Draw start + slope x, as far as it lies within the frame."""
        xs = [self.x_low, self.x_high]
        if slope:
            crossings = sorted((edge - start) / slope for edge in (self.y_low, self.y_high))
            xs = [max(xs[0], crossings[0]), min(xs[1], crossings[1])]
        if xs[0] >= xs[1]:
            return SafeString("")
        ends = [(x, start + slope * x) for x in xs]
        return self.line(*ends[0], *ends[1], name, color)

    def note(self, value: float, words: str, number: str, name: str, color: str) -> SafeString:
        return format_html(
            '<text class="{}-text" x="{}" y="{}" fill="{}" font-family="{}" font-size="12">'
            '<tspan x="{}">{}</tspan><tspan x="{}" dy="14">{}</tspan></text>',
            name,
            WIDTH - RIGHT + 6,
            _n(self.y(value) - 2),
            color,
            FONT,
            WIDTH - RIGHT + 6,
            words,
            WIDTH - RIGHT + 6,
            number,
        )

    def dots(self, dots: Points) -> SafeString:
        """Draw the fields; one circle for those at the same place, its area as their number."""
        parts = []
        for (x, y), many in sorted(Counter(dots).items()):
            radius = min(LARGEST, math.sqrt(POINT_AREA * many / math.pi))
            parts.append(
                format_html(
                    '<circle class="plot-dot" cx="{}" cy="{}" r="{}" fill="{}" fill-opacity="0.35" '
                    'stroke="{}" stroke-width="0.8"/>',
                    _n(self.x(x)),
                    _n(self.y(y)),
                    _n(radius),
                    INK,
                    INK,
                )
            )
        return _joined(parts)


def _text(x: float, y: float, words: str, anchor: str, color: str = SOFT) -> SafeString:
    return format_html(
        '<text class="{}" x="{}" y="{}" fill="{}" font-family="{}" font-size="{}" '
        'text-anchor="{}">{}</text>',
        "plot-ink" if color == INK else "plot-soft",
        _n(x),
        _n(y),
        color,
        FONT,
        13 if color == INK else 12,
        anchor,
        words,
    )


def _whole(title: str, told: str, parts: Sequence[SafeString]) -> SafeString:
    return format_html(
        '<svg xmlns="http://www.w3.org/2000/svg" class="plot" viewBox="0 0 {} {}" role="img" '
        'aria-label="{}"><title>{}</title><desc>{}</desc>'
        '<rect class="plot-ground" width="{}" height="{}" fill="#ffffff"/>{}</svg>',
        WIDTH,
        HEIGHT,
        f"{title}. {told}",
        title,
        told,
        WIDTH,
        HEIGHT,
        _joined(parts),
    )


def _joined(parts: Sequence[SafeString]) -> SafeString:
    return format_html_join("", "{}", ((part,) for part in parts))


def _n(value: float) -> str:
    """Write a coordinate: a point for decimals in every language."""
    return f"{value:.1f}"


def _ticks(low: float, high: float) -> list[float]:
    """Return 4 to 9 round values that reach from below `low` to above `high`."""
    if high - low < 1e-9:
        low, high = low - 1, high + 1
    raw = (high - low) / 6
    size = 10 ** math.floor(math.log10(raw))
    step = next(size * s for s in (1, 2, 2.5, 5, 10) if size * s >= raw)
    first, last = math.floor(low / step), math.ceil(high / step)
    return [round(step * i, 10) for i in range(first, last + 1)]
