"""Reference counts: what the study holds true for a field, under its own rule."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.utils import timezone

from counting.models import (
    ROLE_RANK,
    Field,
    Membership,
    Reading,
    ReferenceCount,
    Role,
)

from . import audit

if TYPE_CHECKING:
    from django.contrib.auth.models import User


def latest_readings(field: Field) -> list[Reading]:
    """Return the newest submitted reading of each reader, oldest first."""
    newest: dict[int, Reading] = {}
    for reading in field.readings.filter(state=Reading.State.SUBMITTED).order_by("submitted_at"):
        newest.pop(reading.reader_id, None)
        newest[reading.reader_id] = reading
    return list(newest.values())


def is_ruling(*, field: Field, reader: User) -> bool:
    """Tell whether a reading by `reader` now would settle two other readers' difference."""
    if field.study.readers_per_field < 2:
        return False
    membership = Membership.objects.filter(study=field.study, user=reader).first()
    if membership is None or ROLE_RANK[Role(membership.role)] < ROLE_RANK[Role.REVIEWER]:
        return False
    others = [reading for reading in latest_readings(field) if reading.reader_id != reader.pk]
    return len(others) >= 2


@transaction.atomic
def update(*, field: Field, actor: User) -> ReferenceCount | None:
    """Work out the field's reference count anew and return the current one, if there is one.

    One reader a field: the newest reading. Two: their mean where they agree for each type, else
    a reviewer's ruling. The row before is kept, marked superseded.
    """
    from . import training

    wanted = _wanted(field)
    current = ReferenceCount.objects.filter(field=field, superseded_at__isnull=True).first()
    if current is not None and wanted is not None and _same(current, wanted):
        return current
    if current is None and wanted is None:
        return None
    if current is not None:
        ReferenceCount.objects.filter(pk=current.pk).update(superseded_at=timezone.now())
    reference = ReferenceCount.objects.create(field=field, **wanted) if wanted else None
    audit.record(
        actor=actor,
        action="reference.set",
        target=field,
        study_id=field.study_id,
        old=current and {"counts": current.counts, "basis": current.basis},
        new=reference and {"counts": reference.counts, "basis": reference.basis},
    )
    if reference is not None:
        training.consider_after_commit(field.study)
    return reference


def _wanted(field: Field) -> dict[str, Any] | None:
    readings = latest_readings(field)
    rulings = [reading for reading in readings if reading.ruling]
    if rulings:
        return _from_one(rulings[-1], ReferenceCount.Basis.RULING)
    if field.study.readers_per_field == 1:
        return _from_one(readings[-1], ReferenceCount.Basis.SINGLE) if readings else None
    if len(readings) < 2:
        return None
    first, second = readings[0], readings[1]
    if not agree(first.counts, second.counts, field.study.agreement_tolerance):
        return None
    return {
        "counts": {
            # Half a cell is rounded up: the same whichever reader came first.
            code: (first.counts[code] + second.counts[code] + 1) // 2
            for code in first.counts
        },
        "basis": ReferenceCount.Basis.CONSENSUS,
        "reading": first,
        "second_reading": second,
    }


def agree(first: dict[str, int], second: dict[str, int], tolerance: float) -> bool:
    """Tell whether two readings agree: for each type within `tolerance` of the larger, or one."""
    if first.keys() != second.keys():
        return False
    return all(
        abs(first[code] - second[code]) <= max(1.0, tolerance * max(first[code], second[code]))
        for code in first
    )


def _from_one(reading: Reading, basis: ReferenceCount.Basis) -> dict[str, Any]:
    return {
        "counts": reading.counts,
        "basis": basis,
        "reading": reading,
        "second_reading": None,
    }


def _same(current: ReferenceCount, wanted: dict[str, Any]) -> bool:
    second = wanted["second_reading"]
    return (
        current.counts == wanted["counts"]
        and current.basis == wanted["basis"]
        and current.reading_id == wanted["reading"].pk
        and current.second_reading_id == (second.pk if second else None)
    )
