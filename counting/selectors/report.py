"""What one slide amounts to: totals, shares and estimates per microliter, each with its interval.

Formulas and sources: docs/statistics.md.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from counting.models import CellType, FieldChoice, Flag, Prediction, Slide
from counting.statistics.intervals import (
    Estimate,
    Interval,
    binomial,
    cells_needed,
    inverse,
    product,
)

from .calibrations import WANTED_SAMPLES, CalibrationView
from .fields import FieldView, view_fields
from .report_options import Options, choices_for, read_options
from .report_parts import Part, model_reach, part_of, scatter, total_of

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# What is no white cell, as far as codes tell: the rest makes up a differential.
NOT_WHITE = frozenset({"RBC", "PLT", "RET", "RETIC", "NRBC"})


@dataclass(frozen=True)
class Share:
    """Percent of the cells; without limits where a model counted some of them."""

    value: float
    interval: Interval | None


@dataclass(frozen=True)
class TypeTotal:
    """One cell type over the fields of a slide.

    `total` has the 95 % interval of what such fields hold: sampling and model error together.
    `share` is of the cells named by the report's `shares_of`; None outside of it.
    `fields_needed` is None where no cell was seen, and where more fields like these do not help
    since a model's own error keeps the interval too wide: `reader_needed`.
    """

    cell_type: CellType
    counted: int
    counted_fields: int
    predicted: int
    predicted_fields: int
    total: Estimate
    per_field: Estimate
    fields_needed: int | None
    reader_needed: bool
    share: Share | None

    @property
    def fields(self) -> int:
        """Number of fields behind the total."""
        return self.counted_fields + self.predicted_fields


@dataclass(frozen=True)
class PerMicroliter:
    """Cells per µL, and from what: a calibration's factor, or the ratio to the red cells."""

    cell_type: CellType
    estimate: Estimate
    calibration: CalibrationView | None
    ratio: Estimate | None


@dataclass(frozen=True)
class Report:
    """A slide's report as one person may see it; `refusal` says why there are no estimates."""

    slide: Slide
    options: Options
    fields: int
    counted: int
    predicted: int
    left_out: int
    flagged: int
    totals: list[TypeTotal]
    share_types: list[CellType]
    estimates: list[PerMicroliter]
    refusal: str
    warnings: list[str]
    versions: list[str]
    choices: dict[str, list[CalibrationView]]

    @property
    def shares_of(self) -> str:
        """The names of the types that shares are of; empty where there are no shares."""
        return " + ".join(row.label for row in self.share_types)

    @property
    def shares_unlimited(self) -> bool:
        """Tell whether a model counted some of the cells that shares are of."""
        return any(row.share is not None and row.share.interval is None for row in self.totals)


def slide_report(slide: Slide, user: User, given: Mapping[str, str]) -> Report:
    """Return the report of a slide for `user`; `given` holds choices as text (see `read_options`).

    Raises:
        Refused: a choice cannot be true.
    """
    choices = choices_for(slide)
    options = read_options(slide, given, choices)
    everything = view_fields(list(slide.fields.order_by("pk")), user)
    unreadable = set(
        Flag.objects.filter(field__slide=slide, lifted_at__isnull=True).values_list(
            "field_id", flat=True
        )
    )
    readable = [view for view in everything if view.field.pk not in unreadable]
    withheld = _told_by_totals(readable)
    views = [view for view in readable if view.field.pk not in withheld]
    types = list(slide.study.cell_types.all())
    parts = {row.code: [part_of(view, row.code) for view in views] for row in types}
    totals = [
        _total(row, [part for part in parts[row.code] if part], options.precision) for row in types
    ]
    counted = sum(view.reference is not None for view in views)
    predicted = sum(view.reference is None and view.prediction is not None for view in views)
    totals, share_types = _with_shares(totals, parts)
    refusal = "" if slide.field_choice == FieldChoice.RANDOM else _around_a_cell()
    estimates = [] if refusal else _estimates(totals, parts, options)
    used = [view.prediction for view in views if view.prediction and _uses(view, list(parts))]
    return Report(
        slide=slide,
        options=options,
        fields=len(everything),
        counted=counted,
        predicted=predicted,
        left_out=len(readable) - counted - predicted,
        flagged=len(everything) - len(readable),
        totals=[total for total in totals if total.fields],
        share_types=share_types,
        estimates=estimates,
        refusal=refusal,
        warnings=_warnings(used, estimates),
        versions=sorted({row.model_version.name for row in used}),
        choices=choices,
    )


def _told_by_totals(views: Sequence[FieldView]) -> set[int]:
    """Return the blind fields whose count by others this person could work out from the totals.

    All other counts can be seen one by one: where a type was counted in a single field that this
    person has still to count blind, its number is what the total holds beyond them.
    """
    unread = {
        view.field.pk: view.reference.counts
        for view in views
        if view.unread and view.reference is not None
    }
    fields = Counter(code for counts in unread.values() for code in counts)
    return set(unread) if 1 in fields.values() else set()


def _uses(view: FieldView, codes: Sequence[str]) -> bool:
    """Tell whether the field's prediction stands in for a count that nobody made."""
    counted = view.reference.counts if view.reference else {}
    predicted = view.prediction.counts if view.prediction else {}
    return any(code in predicted and code not in counted for code in codes)


def _total(cell_type: CellType, parts: Sequence[Part], precision: float) -> TypeTotal:
    own = [part.value for part in parts if part.counted]
    total = total_of(parts)
    fields = len(parts)
    needed = None
    reader = False
    if total.value:
        cells = cells_needed(precision / 100) * scatter(parts)
        wanted = cells * fields / total.value
        needed = max(0, math.ceil(wanted) - fields)
        reader = _model_too_wide(parts, total, precision / 100, needed)
    return TypeTotal(
        cell_type=cell_type,
        counted=sum(own),
        counted_fields=len(own),
        predicted=round(total.value) - sum(own),
        predicted_fields=fields - len(own),
        total=total,
        per_field=_per(total, fields),
        fields_needed=None if reader else needed,
        reader_needed=reader,
        share=None,
    )


def _model_too_wide(parts: Sequence[Part], total: Estimate, precision: float, needed: int) -> bool:
    """Tell whether the model's error keeps the interval wider than the precision.

    What its errors share grows with the fields as the total does. So fields are no help where,
    with as many as the sampling error needs, the model alone would still reach too far; nor where
    there are enough for that now, and both together are too wide.
    """
    if all(part.counted for part in parts):
        return False
    allowed = precision * total.value
    times = 1 + needed / len(parts)
    if max(model_reach(parts, times)) > times * allowed:
        return True
    ends = total.interval
    return needed == 0 and max(total.value - ends.low, ends.high - total.value) > allowed


def _per(total: Estimate, fields: int) -> Estimate:
    return Estimate(total.value / max(fields, 1), total.interval.times(1 / max(fields, 1)))


def shares_among(codes: Sequence[str]) -> list[str]:
    """Return what shares are of: the white cells where there are several kinds, else all."""
    white = [code for code in codes if code not in NOT_WHITE]
    return white if len(white) > 1 else list(codes)


def _with_shares(
    totals: list[TypeTotal], parts: Mapping[str, Sequence[Part | None]]
) -> tuple[list[TypeTotal], list[CellType]]:
    """Add the shares, with the types they are of.

    Types that were counted in different fields are not parts of one whole: shares are of the cells
    in the fields where each of the types is known. The binomial limits are of cells that somebody
    looked at one by one: where a model counted some, its own error is on top and there are none.
    """
    codes = shares_among([total.cell_type.code for total in totals if total.fields])
    rows = [
        {code: part for code, part in zip(codes, row, strict=True) if part is not None}
        for row in zip(*(parts[code] for code in codes), strict=True)
    ]
    whole_rows = [row for row in rows if len(row) == len(codes)]
    cells = {code: sum(row[code].value for row in whole_rows) for code in codes}
    counted = all(part.counted for row in whole_rows for part in row.values())
    whole = sum(cells.values())
    if len(codes) < 2 or not whole:
        return totals, []
    shared = []
    for total in totals:
        part = cells.get(total.cell_type.code)
        if part is not None:
            limits = binomial(part, whole).times(100) if counted else None
            total = replace(total, share=Share(100 * part / whole, limits))
        shared.append(total)
    return shared, [total.cell_type for total in totals if total.cell_type.code in cells]


def _estimates(
    totals: Sequence[TypeTotal], parts: Mapping[str, list[Part | None]], options: Options
) -> list[PerMicroliter]:
    found = []
    for total in totals:
        view = options.calibrations.get(total.cell_type.code)
        if view is None or view.factor is None or not total.fields:
            continue
        estimate = product(total.per_field, view.factor)
        found.append(PerMicroliter(total.cell_type, estimate, view, None))
    ratio = _platelet_ratio(parts)
    platelets = next((t.cell_type for t in totals if t.cell_type.code == "PLT"), None)
    if ratio is not None and platelets is not None and options.analyzer_rbc is not None:
        red = options.analyzer_rbc * 1e6
        estimate = product(ratio, Estimate(red, Interval(red, red)))
        found.append(PerMicroliter(platelets, estimate, None, ratio))
    return found


def _platelet_ratio(parts: Mapping[str, list[Part | None]]) -> Estimate | None:
    """Return platelets per red cell over the fields where both are known."""
    both = [
        (platelets, red)
        for platelets, red in zip(parts.get("PLT", ()), parts.get("RBC", ()), strict=False)
        if platelets is not None and red is not None
    ]
    red_cells = total_of([red for _, red in both])
    if red_cells.interval.low <= 0:
        return None
    return product(total_of([platelets for platelets, _ in both]), inverse(red_cells))


def _around_a_cell() -> str:
    return _(
        "No estimate per µL: the fields of this slide were chosen around a cell, where there are "
        "more cells than elsewhere. Take fields at random for that."
    )


def _warnings(used: Sequence[Prediction], estimates: Sequence[PerMicroliter]) -> list[str]:
    found = []
    novel = sum(row.novel for row in used)
    if novel:
        found.append(
            _(
                "Predicted fields that look unlike what the model learned from: %(n)d. Count them "
                "yourself."
            )
            % {"n": novel}
        )
    faults = Counter(fault for row in used for fault in row.picture_faults)
    if faults:
        found.append(
            _(
                "Predicted fields with a poor picture: %(n)d (%(faults)s). Take them again or "
                "count them yourself."
            )
            % {
                "n": sum(bool(row.faults) for row in used),
                "faults": ", ".join(f"{fault.label}: {n}" for fault, n in faults.most_common()),
            }
        )
    for row in estimates:
        if row.calibration is not None and row.calibration.n < WANTED_SAMPLES:
            found.append(
                _("The factor for %(code)s rests on %(n)d samples; about %(wanted)d are advised.")
                % {"code": row.cell_type.code, "n": row.calibration.n, "wanted": WANTED_SAMPLES}
            )
    return found
