"""Calibrations: set-ups and their samples. The factor follows from the samples alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils.translation import gettext as _

from counting import numbers
from counting.errors import Conflict, Refused
from counting.models import Calibration, CalibrationSample, FieldChoice, Slide, Study
from counting.selectors.calibrations import MAY_BE_CALIBRATED, factor_of, mean_of_slide

from . import audit
from .checks import check

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# A value below this was read off in thousands per microliter, as analyzers print it.
LEAST_PER_MICROLITER = 100
MOST_SAMPLES = 1000


@dataclass(frozen=True)
class Sample:
    """One sample to add: cells per microliter by the analyzer, mean count per field by people."""

    code: str
    analyzer_value: float
    mean_count: float
    field_count: int | None = None


@transaction.atomic
def create_calibration(
    *,
    study: Study,
    actor: User,
    cell_type: str,
    microscope: str,
    objective: str,
    camera: str = "",
) -> Calibration:
    """Make a calibration without samples for one microscope, objective and camera.

    Raises:
        Conflict: the study has one for this cell type and set-up.
        Refused: the cell type is not one that can be calibrated, or the set-up is not named.
    """
    kind = study.cell_types.filter(code=cell_type).first()
    if kind is None or cell_type not in MAY_BE_CALIBRATED:
        raise Refused(
            _(
                "Only WBC and PLT can be calibrated. Red cells per µL are never worked out from a "
                "smear: to be within 4 percent one would have to count 2,400 of them."
            ),
            "cell_type",
        )
    calibration = Calibration(
        study=study,
        cell_type=kind,
        microscope=microscope.strip(),
        objective=objective.strip(),
        camera=camera.strip(),
        created_by=actor,
    )
    check(calibration)
    same = study.calibrations.filter(
        cell_type=kind,
        microscope__iexact=calibration.microscope,
        objective__iexact=calibration.objective,
        camera__iexact=calibration.camera,
    ).first()
    if same is not None:
        raise Conflict(
            _("This study has a calibration for %(setup)s already.") % {"setup": same.setup},
            "calibration",
            same.pk,
        )
    calibration.save()
    audit.record(
        actor=actor,
        action="calibration.create",
        target=calibration,
        study_id=study.pk,
        new={"cell_type": cell_type, "setup": calibration.setup},
    )
    return calibration


@transaction.atomic
def remove_calibration(*, calibration: Calibration, actor: User) -> None:
    """Take a calibration out, with its samples; the audit trail keeps its last factor."""
    audit.record(
        actor=actor,
        action="calibration.remove",
        target=calibration,
        study_id=calibration.study_id,
        old={
            "cell_type": calibration.cell_type.code,
            "setup": calibration.setup,
            **_state(calibration),
        },
    )
    calibration.delete()


@transaction.atomic
def add_samples(
    *, calibration: Calibration, actor: User, samples: Sequence[Sample], slide: Slide | None = None
) -> list[CalibrationSample]:
    """Add samples, all or none.

    Raises:
        Conflict: a sample of this code is there already.
        Refused: there is none, or a value cannot be true.
    """
    calibration = Calibration.objects.select_for_update().get(pk=calibration.pk)
    old = _state(calibration)
    if not samples:
        raise Refused(_("Give at least one sample: its code, the analyzer's value and the mean."))
    there = set(calibration.samples.values_list("code", flat=True))
    if len(there) + len(samples) > MOST_SAMPLES:
        raise Refused(_("A calibration takes at most %(most)d samples.") % {"most": MOST_SAMPLES})
    rows = []
    for sample in samples:
        row = CalibrationSample(
            calibration=calibration,
            code=sample.code.strip(),
            slide=slide,
            analyzer_value=sample.analyzer_value,
            mean_count=sample.mean_count,
            field_count=sample.field_count,
            added_by=actor,
        )
        _check_sample(row)
        if row.code in there:
            raise Conflict(
                _("There is a sample %(code)s already. Take it out first, or use another code.")
                % {"code": row.code},
                "sample",
            )
        there.add(row.code)
        row.save()
        rows.append(row)
    audit.record(
        actor=actor,
        action="calibration.add_samples",
        target=calibration,
        study_id=calibration.study_id,
        old=old,
        new={**_state(calibration), "added": [_plain(row) for row in rows]},
    )
    return rows


def add_slide(
    *, calibration: Calibration, actor: User, slide: Slide, analyzer_value: float
) -> CalibrationSample:
    """Add a slide of the study as a sample: the mean of its counted fields.

    Raises:
        Conflict: the slide is a sample already.
        Refused: another study's slide, fields not at random, or none counted.
    """
    if slide.study_id != calibration.study_id:
        raise Refused(_("This slide belongs to another study."), "slide")
    if slide.field_choice != FieldChoice.RANDOM:
        raise Refused(
            _(
                "The fields of slide %(code)s were chosen around a cell. Only a slide with fields "
                "taken at random can be a sample."
            )
            % {"code": slide.code},
            "slide",
        )
    mean, fields = mean_of_slide(slide, calibration.cell_type.code)
    if mean is None:
        raise Refused(
            _("No field of slide %(code)s is counted for %(type)s yet. Count it first.")
            % {"code": slide.code, "type": calibration.cell_type.code},
            "slide",
        )
    sample = Sample(slide.code, analyzer_value, mean, fields)
    return add_samples(calibration=calibration, actor=actor, samples=[sample], slide=slide)[0]


@transaction.atomic
def remove_sample(*, sample: CalibrationSample, actor: User) -> None:
    """Take a sample out; the audit trail keeps its values."""
    calibration = Calibration.objects.select_for_update().get(pk=sample.calibration_id)
    old = {**_state(calibration), "removed": _plain(sample)}
    sample.delete()
    audit.record(
        actor=actor,
        action="calibration.remove_sample",
        target=calibration,
        study_id=calibration.study_id,
        old=old,
        new=_state(calibration),
    )


def read_samples(text: str) -> list[Sample]:
    """Return the samples in lines of `code; analyzer value; mean count; fields`.

    Columns are parted by tabs (as copied from a spreadsheet), semicolons, or commas where the line
    has neither. The number of fields may be left out. Decimal commas are understood.

    Raises:
        Refused: a line does not read like that, or reads in two ways; the sentence says which.
    """
    samples = []
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        mark = r"[\t;]" if re.search(r"[\t;]", line) else ","
        parts = [part.strip() for part in re.split(mark, line)]
        if mark == "," and len(parts) == 4 and _holds_a_decimal(line.partition(",")[2]):
            raise Refused(
                _("Line %(number)d can be read in two ways. Part the columns with semicolons.")
                % {"number": number},
                "samples",
            )
        found = [_number(part, number) for part in parts[1:]]
        if len(parts) not in (3, 4) or None in found or not parts[0]:
            raise Refused(
                _(
                    "Line %(number)d is not understood. Write: code; analyzer's cells per µL; mean "
                    "count per field; fields counted (may be left out)."
                )
                % {"number": number},
                "samples",
            )
        value, mean, *fields = (float(part) for part in found if part is not None)
        samples.append(Sample(parts[0], value, mean, round(fields[0]) if fields else None))
    return samples


def _holds_a_decimal(columns: str) -> bool:
    """Say whether a comma between three numbers may be a decimal one: 7200,3,5 but not 7200, 3, 5.

    Who writes decimals with a point does not write them with a comma.
    """
    return "." not in columns and re.search(r"\d,\d", columns) is not None


def _number(text: str, line: int) -> float | None:
    try:
        return numbers.read(text)
    except Refused as error:
        if error.code == numbers.UNCLEAR:
            why = _("Line %(number)d: %(why)s") % {"number": line, "why": error.message}
            raise Refused(why, "samples") from None
        return None


def _check_sample(row: CalibrationSample) -> None:
    check(row)
    if row.analyzer_value < LEAST_PER_MICROLITER:
        raise Refused(
            _(
                "The analyzer's value of sample %(code)s is %(value)s: give cells per µL. An "
                "analyzer's 7.2 × 10³/µL is 7200."
            )
            % {"code": row.code, "value": f"{row.analyzer_value:g}"},
            "analyzer_value",
        )


def _state(calibration: Calibration) -> dict[str, Any]:
    """Return number of samples and factor as the audit trail keeps them."""
    found = factor_of(list(calibration.samples.all()))
    return {
        "samples": calibration.samples.count(),
        "factor": found and round(found.value, 1),
        "low": found and round(found.interval.low, 1),
        "high": found and round(found.interval.high, 1),
    }


def _plain(row: CalibrationSample) -> dict[str, Any]:
    return {
        "code": row.code,
        "analyzer_value": row.analyzer_value,
        "mean_count": row.mean_count,
        "field_count": row.field_count,
    }
