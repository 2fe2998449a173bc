"""The agreement of a study in words: rows for the page, and the CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from django.utils import translation
from django.utils.translation import gettext as _

from counting.numbers import fixed, significant, span
from counting.statistics.intervals import Estimate, Interval

from .agreement import AgreementPage, Comparison
from .agreement_data import MANY
from .anchoring import ANEW, BEGUN, BLIND, Anchoring
from .export import NOTICE, plain

COLUMNS = (
    "level",
    "name",
    "n",
    "value",
    "low_95",
    "high_95",
    "first_count",
    "second_count",
    "first",
    "second",
    "cell_type",
    "readings",
    "notice",
)


@dataclass(frozen=True)
class FigureRow:
    """One figure with its interval, and how it comes about."""

    name: str
    value: str
    interval: str
    source: str


def figure_rows(found: Comparison) -> list[FigureRow]:
    """Return the figures of a comparison, none where too few fields were counted both ways."""
    figures = found.figures
    if figures is None:
        return []
    agreement = figures.agreement
    rows = [
        _row(_("Bias"), agreement.bias, _("Bland & Altman 1999; Student's interval")),
        _row(_("Lower limit of agreement"), agreement.lower, _("bias − 1.96 SD")),
        _row(_("Upper limit of agreement"), agreement.upper, _("bias + 1.96 SD")),
    ]
    if figures.line is not None:
        rows += [
            _row(_("Slope"), figures.line.slope, _("Passing & Bablok 1983")),
            _row(_("Intercept"), figures.line.intercept, _("Passing & Bablok 1983")),
        ]
    else:
        why = _("these counts fix no line: count more fields, from few cells to many")
        rows += [FigureRow(name, "–", "–", why) for name in (_("Slope"), _("Intercept"))]
    if figures.icc is not None:
        source = _("absolute agreement; Shrout & Fleiss 1979, McGraw & Wong 1996")
        rows.append(_row(_("ICC(2,1)"), figures.icc, source))
    if figures.between is not None:
        source = _("SD of pairs over the mean; Dahlberg 1940, Bland & Altman 1996")
        rows.append(_percent(_("CV between both"), figures.between, source))
    for within in found.within:
        if within.variation is not None:
            name = _("CV within %(name)s") % {"name": within.method.name}
            source = _("%(n)d fields counted again") % {"n": within.n}
            rows.append(_percent(name, within.variation, source))
    return rows


def _row(name: str, found: Estimate, source: str) -> FigureRow:
    return FigureRow(name, significant(found.value), span(found.interval), source)


def _percent(name: str, found: Estimate, source: str) -> FigureRow:
    return FigureRow(
        name, f"{fixed(100 * found.value, 1)} %", span(found.interval.times(100), 1), source
    )


@dataclass(frozen=True)
class SwayRow:
    """Readings of one kind, or blind readings minus those; without figures a dash stands there."""

    name: str
    n: int | None
    bias: Estimate | None
    distance: Estimate | None


def sway_rows(found: Anchoring) -> list[SwayRow]:
    """Return the groups of readings, and below them what blind readings differ by from each."""
    names = {
        BLIND: _("not shown (blind)"),
        ANEW: _("shown, counted anew"),
        BEGUN: _("begun from the suggestion"),
    }
    minus = {ANEW: _("blind minus counted anew"), BEGUN: _("blind minus begun from the suggestion")}
    return [
        *(SwayRow(names[row.kind], row.n, row.bias, row.distance) for row in found.groups),
        *(SwayRow(minus[row.kind], None, row.shift, row.pull) for row in found.groups if row.pull),
    ]


def sway_words(found: Anchoring) -> list[str]:
    """Return what the figures say in a sentence each, and of which readings there are too few."""
    few = {
        BLIND: _(
            "Blind readings: %(n)d, and %(needed)d are needed. The share of blind fields is set in"
            " the study's settings."
        ),
        ANEW: _(
            "Readings counted anew with the prediction shown: %(n)d, and %(needed)d are needed."
        ),
        BEGUN: _("Readings begun from the suggestion: %(n)d, and %(needed)d are needed."),
    }
    said = [_verdict(row.kind, row.pull.interval) for row in found.groups if row.pull]
    return said + [few[row.kind] % {"n": row.n, "needed": MANY} for row in found.few]


def _verdict(kind: str, ends: Interval) -> str:
    if kind == ANEW:
        if ends.low > 0:
            return _(
                "Counting anew, readers stay closer to the model when they see its counts: the"
                " prediction sways them."
            )
        if ends.high < 0:
            return _("Counting anew, readers are further from the model when they see its counts.")
        return _("Counting anew, no sway is seen: the interval of the difference holds zero.")
    if ends.low > 0:
        return _(
            "Beginning from the suggestion, readers end closer to the model than when they count"
            " blind: the suggestion holds them."
        )
    if ends.high < 0:
        return _("Beginning from the suggestion, readers end further from the model than blind.")
    return _(
        "Beginning from the suggestion, no sway is seen: the interval of the difference holds zero."
    )


@translation.override("en")
def as_csv(page: AgreementPage) -> str:
    """Return figures, ranges, slides, anchoring and the fields that this person may see.

    The words are English in every language: programs read them.
    """
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()
    choice, found = page.choice, page.comparison

    def add(level: str, name: str, n: int, estimate: Estimate | None, **more: object) -> None:
        ends = estimate.interval if estimate else None
        row = {
            "level": level,
            "name": name,
            "n": n,
            "value": round(estimate.value, 5) if estimate else "",
            "low_95": round(ends.low, 5) if ends else "",
            "high_95": round(ends.high, 5) if ends else "",
            "first": choice.first.name,
            "second": choice.second.name,
            "cell_type": choice.cell_type.code,
            "readings": "blind" if choice.unassisted else "all",
            "notice": NOTICE,
            **more,
        }
        writer.writerow({key: plain(value) for key, value in row.items()})

    figures = found.figures
    if figures is not None:
        agreement, line = figures.agreement, figures.line
        add("figure", "bias", figures.n, agreement.bias)
        add("figure", "lower_limit", figures.n, agreement.lower)
        add("figure", "upper_limit", figures.n, agreement.upper)
        add("figure", "slope", figures.n, line.slope if line else None)
        add("figure", "intercept", figures.n, line.intercept if line else None)
        add("figure", "icc_2_1", figures.n, figures.icc)
        add("figure", "cv_between", figures.n, figures.between)
    for within in found.within:
        add("figure", f"cv_within {within.method.name}", within.n, within.variation)
    for group in found.ranges:
        add("range", f"{group.low:g} to {group.high:g}", group.n, group.bias)
    for slide in found.slides:
        add("slide", slide.slide, slide.n, slide.bias, value=round(slide.mean, 5))
    for row in page.anchoring.groups if page.anchoring else []:
        add("anchoring", f"{row.kind} bias", row.n, row.bias)
        add("anchoring", f"{row.kind} distance", row.n, row.distance)
        if row.kind != BLIND:
            add("anchoring", f"{row.kind} shift", row.n, row.shift)
            add("anchoring", f"{row.kind} pull", row.n, row.pull)
    for pair in found.points:
        counts = {"first_count": pair.first, "second_count": pair.second}
        add("field", f"{pair.slide}: {pair.field_name}", 1, None, **counts)
    return file.getvalue()
