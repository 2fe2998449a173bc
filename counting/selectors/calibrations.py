"""Reads of calibrations: the factor of each set-up, worked out from its samples."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.utils.translation import gettext as _

from counting.models import Calibration, CalibrationSample, Flag, ReferenceCount, Slide, Study
from counting.statistics import calibration as formulas
from counting.statistics.intervals import Estimate

if TYPE_CHECKING:
    from django.db.models import QuerySet

# Red cells are not among them: ±4 % (CLIA's limit for red cells) would take some 2,400 cells.
MAY_BE_CALIBRATED = ("WBC", "PLT")
# As published advice has it; see docs/statistics.md.
WANTED_SAMPLES = 30


@dataclass(frozen=True)
class CalibrationView:
    """A calibration with its factor in cells per µL for one cell per field, if it has one."""

    calibration: Calibration
    samples: list[CalibrationSample]
    factor: Estimate | None
    advice: str

    @property
    def n(self) -> int:
        """Number of samples."""
        return len(self.samples)


def calibrations_of(study: Study) -> QuerySet[Calibration]:
    """Return the study's calibrations by set-up, ready for `view_calibration`."""
    return study.calibrations.select_related("cell_type").prefetch_related("samples")


def view_calibration(calibration: Calibration) -> CalibrationView:
    """Return one calibration with its factor and what is still to be done."""
    samples = list(calibration.samples.all())
    found = factor_of(samples)
    return CalibrationView(calibration, samples, found, _advice(len(samples), found))


def factor_of(samples: Sequence[CalibrationSample]) -> Estimate | None:
    """Return the factor of samples, or None while they are too few or nearly all empty."""
    try:
        return formulas.factor(
            [row.mean_count for row in samples], [row.analyzer_value for row in samples]
        )
    except ValueError:
        return None


def _advice(n: int, factor: Estimate | None) -> str:
    if n < formulas.FEWEST:
        return _(
            "A factor needs at least %(fewest)d samples; %(wanted)d or more are advised. "
            "There are %(n)d."
        ) % {"fewest": formulas.FEWEST, "wanted": WANTED_SAMPLES, "n": n}
    if factor is None:
        return _("Nearly all samples are empty. Add samples in which cells were counted.")
    if n < WANTED_SAMPLES:
        return _(
            "About %(wanted)d samples are advised, from low to high values; there are %(n)d. "
            "The interval says how far the factor can be trusted now."
        ) % {"wanted": WANTED_SAMPLES, "n": n}
    return ""


def mean_of_slide(slide: Slide, code: str) -> tuple[float | None, int]:
    """Return the mean reference count per field of a slide, and over how many fields."""
    unreadable = Flag.objects.filter(lifted_at__isnull=True).values("field")
    current = ReferenceCount.objects.filter(field__slide=slide, superseded_at__isnull=True)
    current = current.exclude(field__in=unreadable)
    counts = [row[code] for row in current.values_list("counts", flat=True) if code in row]
    return (sum(counts) / len(counts) if counts else None), len(counts)
