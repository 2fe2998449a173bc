"""A slide's report in words: the same rows for the page, the PDF, the clipboard and the CSV."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass

from django.utils import timezone, translation
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from counting.dates import moment
from counting.models import CellType, CountingRule
from counting.numbers import fixed, short, significant, span
from counting.statistics.intervals import Estimate

from .export import NOTICE, plain
from .report import PerMicroliter, Report, Share, TypeTotal

# Letters that a laboratory system may not take, and what stands for them.
PLAIN_LETTERS = str.maketrans(
    {
        "µ": "u",
        "–": "-",
        "−": "-",
        "×": "x",
        "…": "to",
        "±": "+-",
        "³": "^3",
        "⁶": "^6",
        "\xa0": " ",
    }
)
COLUMNS = (
    "study",
    "counting_rule",
    "slide",
    "cell_type",
    "quantity",
    "value",
    "low_95",
    "high_95",
    "fields_counted",
    "fields_predicted",
    "model_versions",
    "based_on",
    "notice",
)


@dataclass(frozen=True)
class TotalRow:
    """One cell type's line."""

    cell_type: CellType
    total: str
    interval: str
    source: str
    per_field: str
    per_field_interval: str
    share: str
    share_interval: str
    needed: str


@dataclass(frozen=True)
class EstimateRow:
    """One estimate per µL, and how it comes about."""

    cell_type: CellType
    value: str
    interval: str
    how: str


def total_rows(report: Report) -> list[TotalRow]:
    """Return the lines of the totals."""
    return [
        TotalRow(
            cell_type=row.cell_type,
            total=fixed(row.total.value, 0),
            interval=span(row.total.interval, 0 if row.total.value >= LARGE else 1),
            source=_source(row),
            per_field=fixed(row.per_field.value, _decimals(row.per_field)),
            per_field_interval=span(row.per_field.interval, _decimals(row.per_field)),
            share=f"{fixed(row.share.value, 1)} %" if row.share else "",
            share_interval=_limits(row.share),
            needed=_needed(row),
        )
        for row in report.totals
    ]


# From this many cells on nobody asks for tenths of one.
LARGE = 100


def _decimals(per_field: Estimate) -> int:
    """Return the decimals of a mean, which its interval shares: a tenth from 10 cells on."""
    return next((n for n, least in enumerate((100, 10, 0.1)) if per_field.value >= least), 3)


def _source(row: TypeTotal) -> str:
    parts = []
    if row.counted_fields:
        parts.append(
            ngettext(
                "%(cells)s counted in %(n)d field",
                "%(cells)s counted in %(n)d fields",
                row.counted_fields,
            )
            % {"cells": fixed(row.counted, 0), "n": row.counted_fields}
        )
    if row.predicted_fields:
        parts.append(
            ngettext(
                "%(cells)s predicted in %(n)d field",
                "%(cells)s predicted in %(n)d fields",
                row.predicted_fields,
            )
            % {"cells": fixed(row.predicted, 0), "n": row.predicted_fields}
        )
    return " + ".join(parts)


def _limits(share: Share | None) -> str:
    if share is None:
        return ""
    return span(share.interval, 1) if share.interval else "–"


def _needed(row: TypeTotal) -> str:
    if row.reader_needed:
        return _("count fields yourself: the model's own error keeps the interval wider")
    if row.fields_needed is None:
        return _("none seen yet")
    return fixed(row.fields_needed, 0) if row.fields_needed else _("reached")


def estimate_rows(report: Report) -> list[EstimateRow]:
    """Return the lines of the estimates per µL."""
    return [
        EstimateRow(
            row.cell_type,
            significant(row.estimate.value),
            span(row.estimate.interval),
            _how(row, report),
        )
        for row in report.estimates
    ]


def _how(row: PerMicroliter, report: Report) -> str:
    view = row.calibration
    if view is not None and view.factor is not None:
        mean = next(t.per_field for t in report.totals if t.cell_type == row.cell_type)
        return _("%(mean)s per field × factor %(factor)s (%(span)s; %(n)d samples; %(setup)s)") % {
            "mean": fixed(mean.value, _decimals(mean)),
            "factor": significant(view.factor.value, 4),
            "span": span(view.factor.interval),
            "n": view.n,
            "setup": view.calibration.setup,
        }
    assert row.ratio is not None
    return _("%(ratio)s platelets per red cell × %(rbc)s × 10⁶ red cells/µL by analyzer") % {
        "ratio": significant(row.ratio.value),
        "rbc": short(report.options.analyzer_rbc or 0.0),
    }


def fields_line(report: Report) -> str:
    """Say how many fields stand behind the report."""
    parts = [
        ngettext("%(n)d field", "%(n)d fields", report.fields) % {"n": report.fields},
        _("%(n)d counted") % {"n": report.counted},
        _("%(n)d predicted") % {"n": report.predicted},
    ]
    if report.left_out:
        parts.append(
            _("%(n)d left out (blind and not counted by you, or not predicted yet)")
            % {"n": report.left_out}
        )
    if report.flagged:
        parts.append(_("%(n)d left out (unreadable)") % {"n": report.flagged})
    if report.versions:
        parts.append(_("model %(names)s") % {"names": ", ".join(report.versions)})
    return " · ".join(parts)


def study_line(report: Report) -> str:
    """Say which study the slide is of, and by which rule its cells were counted."""
    return f"{report.slide.study.name} · {_rule(report)}"


def _rule(report: Report) -> str:
    return str(CountingRule(report.slide.study.counting_rule).label)


def slide_line(report: Report) -> str:
    """Say what the slide is, without its code."""
    slide = report.slide
    parts = [
        slide.stain,
        slide.objective,
        f"{slide.microns_per_pixel:g} µm/px" if slide.microns_per_pixel else "",
        _("fields chosen: %(how)s") % {"how": slide.get_field_choice_display().lower()},
    ]
    return " · ".join(part for part in parts if part)


def notice() -> str:
    """Return the words that every copy carries."""
    return _("For research use only. Not for use in diagnostic procedures.")


def methods(report: Report) -> list[str]:
    """Say how the numbers come about, with sources."""
    words = [
        _(
            "Intervals are at 95 %. Totals: exact Poisson interval, chi-square quantiles / 2 "
            "(Garwood 1936)."
        ),
        _(
            "Where a model counted, its error is joined with the Poisson interval (Zou & Donner "
            "2008). Nineteen twentieths of its variance add up field by field, one twentieth as if "
            "its errors on all fields went the same way (Kish 1965). A prediction made before its "
            "variance was kept adds its 90 % interval, widened to 95 %."
        ),
        _(
            "From five fields on, the Poisson interval is widened by the square root of the "
            "dispersion, the variance of a type's counts per field over their mean, where that is "
            "above 1 (quasi-Poisson; McCullagh & Nelder 1989)."
        ),
        _(
            "Fields needed: until this sampling interval reaches no more than %(percent)s percent "
            "beyond the total, at this mean and dispersion per field."
        )
        % {"percent": short(report.options.precision)},
    ]
    if any(row.reader_needed for row in report.totals):
        words.append(
            _(
                "More predicted fields narrow a model's own error little: where it keeps the "
                "interval wider than that, fields have to be counted by a reader."
            )
        )
    if report.shares_unlimited:
        known = _("Shares are of %(types)s, in the fields where each of them is known.")
        words += [known % {"types": report.shares_of}, no_limits()]
    elif report.shares_of:
        words.append(
            _(
                "Shares are of %(types)s, in the fields where each of them is known; exact "
                "binomial limits (Clopper & Pearson 1934; Rümke's table)."
            )
            % {"types": report.shares_of}
        )
    if report.estimates:
        words.append(
            _(
                "Per µL: errors of both factors joined on the logarithm (Zou & Donner 2008). The "
                "calibration factor is the ratio of sums with the jackknife's error (Cochran 1977)."
            )
        )
    return words


def no_limits() -> str:
    """Say why a share has a dash where its limits would be."""
    return _(
        "Shares have no limits here: a model counted some of these cells, and binomial limits know "
        "nothing of its error. Count these fields yourself to have them."
    )


def as_text(report: Report) -> str:
    """Return the report in plain letters, for the clipboard and a laboratory system."""
    lines = [
        _("Slide %(code)s") % {"code": report.slide.code},
        study_line(report),
        slide_line(report),
        fields_line(report),
    ]
    for row in total_rows(report):
        line = f"{row.cell_type.label} ({row.cell_type.code}): {row.total} ({row.interval})"
        line += "; " + _("%(mean)s per field (%(span)s)") % {
            "mean": row.per_field,
            "span": row.per_field_interval,
        }
        if row.share:
            line += f"; {row.share} ({row.share_interval})"
        lines.append(line)
    for estimate in estimate_rows(report):
        value = f"{estimate.value}/µL ({estimate.interval})"
        lines.append(f"{estimate.cell_type.label}: {value} = {estimate.how}")
    if report.refusal:
        lines.append(report.refusal)
    if report.shares_unlimited:
        lines.append(no_limits())
    lines += report.warnings
    lines += [_("Intervals: 95 percent"), made_on(), notice()]
    return "\n".join(lines).replace(" · ", ", ").translate(PLAIN_LETTERS) + "\n"


def made_on() -> str:
    """Return the moment, as reports carry it: the lab's time, and how far from UTC that is."""
    now = timezone.localtime()
    return f"{moment(now)} {date_format(now, 'O')}"


@translation.override("en")
def as_csv(report: Report) -> str:
    """Return the report as CSV, one line for each quantity; the same in every language."""
    file = io.StringIO()
    writer = csv.DictWriter(file, COLUMNS)
    writer.writeheader()

    def add(cell_type: CellType, quantity: str, found: object, **more: object) -> None:
        value, low, high = found if isinstance(found, tuple) else (found, "", "")
        row = {
            "study": report.slide.study.name,
            "counting_rule": _rule(report),
            "slide": report.slide.code,
            "cell_type": cell_type.code,
            "quantity": quantity,
            "value": value,
            "low_95": low,
            "high_95": high,
            "model_versions": " + ".join(report.versions),
            "notice": NOTICE,
            **more,
        }
        writer.writerow({key: plain(value) for key, value in row.items()})

    for row in report.totals:
        fields = {"fields_counted": row.counted_fields, "fields_predicted": row.predicted_fields}
        for quantity, estimate in (("total", row.total), ("per_field", row.per_field)):
            ends = estimate.interval
            found = tuple(round(x, 4) for x in (estimate.value, ends.low, ends.high))
            add(row.cell_type, quantity, found, **fields)
        if row.share is not None:
            limits = row.share.interval
            ends_of = (round(limits.low, 4), round(limits.high, 4)) if limits else ("", "")
            based = report.shares_of + ("" if limits else "; no limits: a model counted some")
            shared = (round(row.share.value, 4), *ends_of)
            add(row.cell_type, "share_percent", shared, based_on=based, **fields)
        if row.fields_needed is not None or row.reader_needed:
            based = f"±{report.options.precision:g} %"
            if row.reader_needed:
                based += f"; {_needed(row)}"
            needed = "" if row.fields_needed is None else row.fields_needed
            add(row.cell_type, "fields_needed", needed, based_on=based, **fields)
    for line, words in zip(report.estimates, estimate_rows(report), strict=True):
        ends = line.estimate.interval
        found = tuple(round(x, 1) for x in (line.estimate.value, ends.low, ends.high))
        add(line.cell_type, "per_microliter", found, based_on=words.how)
    return file.getvalue()
