"""What the reader of a slide's report may choose: precision, red cells, calibrations."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from django.utils.translation import gettext as _

from counting import numbers
from counting.errors import Refused
from counting.models import Calibration, Slide

from .calibrations import (
    MAY_BE_CALIBRATED,
    CalibrationView,
    calibrations_of,
    view_calibration,
)

PRECISION = 10.0
# Millions of red cells per µL: beyond these no analyzer's value can be.
ANALYZER_RBC = (0.3, 12.0)
NONE = "none"


@dataclass(frozen=True)
class Options:
    """What the reader of a report chose: precision in percent, analyzer's red cells in 10⁶/µL,
    and the calibration for each cell type that may have one.
    """

    precision: float
    analyzer_rbc: float | None
    calibrations: dict[str, CalibrationView]
    chosen: dict[str, str]


def read_options(
    slide: Slide, given: Mapping[str, str], choices: dict[str, list[CalibrationView]]
) -> Options:
    """Return the choices in a query: `precision`, `rbc`, and a calibration's id by cell type.

    A calibration that is not chosen is taken from the slide's objective, where just one fits.

    Raises:
        Refused: a number is out of its range, or the calibration is of another objective.
    """
    precision = _number(given.get("precision", "")) or PRECISION
    if not 1 <= precision <= 100:
        raise Refused(_("The precision is a percentage from 1 to 100."), "precision")
    analyzer_rbc = _number(given.get("rbc", ""))
    if analyzer_rbc is not None and not ANALYZER_RBC[0] <= analyzer_rbc <= ANALYZER_RBC[1]:
        raise Refused(
            _("Give the analyzer's red cells in millions per µL, such as 4.5 for 4.5 × 10⁶/µL."),
            "rbc",
        )
    chosen, calibrations = {}, {}
    for code, views in choices.items():
        view = _chosen(slide, given.get(code.lower(), ""), views)
        chosen[code] = str(view.calibration.pk) if view else NONE
        if view is not None:
            calibrations[code] = view
    return Options(precision, analyzer_rbc, calibrations, chosen)


def choices_for(slide: Slide) -> dict[str, list[CalibrationView]]:
    """Return the study's calibrations that have a factor, by cell type."""
    found: dict[str, list[CalibrationView]] = {code: [] for code in MAY_BE_CALIBRATED}
    for calibration in calibrations_of(slide.study):
        view = view_calibration(calibration)
        if view.factor is not None:
            found[calibration.cell_type.code].append(view)
    return {code: views for code, views in found.items() if views}


def _chosen(slide: Slide, text: str, views: Sequence[CalibrationView]) -> CalibrationView | None:
    if text == NONE:
        return None
    if not text:
        fitting = [view for view in views if _same_objective(slide, view.calibration)]
        return fitting[0] if len(fitting) == 1 else None
    view = next((view for view in views if str(view.calibration.pk) == text), None)
    if view is None:
        raise Refused(_("This study has no such calibration with a factor."), "calibration")
    if slide.objective and not _same_objective(slide, view.calibration):
        raise Refused(
            _(
                "This slide was taken with %(slide)s, but the factor belongs to %(objective)s. "
                "Choose a calibration of the slide's own objective."
            )
            % {"slide": slide.objective, "objective": view.calibration.objective},
            "calibration",
        )
    return view


def _same_objective(slide: Slide, calibration: Calibration) -> bool:
    first, second = (
        "".join(text.casefold().replace("×", "x").split())
        for text in (slide.objective, calibration.objective)
    )
    return bool(first) and first == second


def _number(text: str) -> float | None:
    """Return a number as people write it, or None for an empty text; refuses what is none."""
    return numbers.read(text) if text.strip() else None
