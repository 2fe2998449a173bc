"""Reference counts: what the study holds true for a field, under its own rule."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Exists, OuterRef
from django.utils import timezone

from counting.models import (
    ROLE_RANK,
    CellType,
    Field,
    Flag,
    Membership,
    Reading,
    ReferenceCount,
    Role,
    Ruling,
    Study,
)
from counting.selectors.review import agree, compared, latest_of, latest_readings, overtaken

from . import audit, predictions

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.contrib.auth.models import User

# Fields that are settled with one set of queries under a new rule.
AT_ONCE = 500


def is_ruling(*, field: Field, reader: User) -> bool:
    """Tell whether a reading by `reader` now would settle two other readers' difference.

    Only where there is one: what agrees needs no ruling, and no reader rules on their own count.
    """
    if field.study.readers_per_field < 2:
        return False
    membership = Membership.objects.filter(study=field.study, user=reader).first()
    if membership is None or ROLE_RANK[Role(membership.role)] < ROLE_RANK[Role.REVIEWER]:
        return False
    readings = latest_readings(field)
    if any(row.ruling for row in readings if row.reader_id == reader.pk):
        return True  # they correct what they said before
    if field.pk in overtaken(field.study):
        return reader.pk not in {row.reader_id for row in readings}
    if len(readings) < 2 or reader.pk in {row.reader_id for row in readings[:2]}:
        return False
    first, second = readings[:2]
    pairs = compared(first, second, field.study.cell_types.all())
    return not agree(pairs.values(), field.study.agreement_tolerance)


def replaced_by(field: Field) -> list[str]:
    """Return whose count another reader's first reading would take the place of, by name."""
    if field.study.readers_per_field > 1:
        return []  # a further reading changes nothing unless it rules, which is done on purpose
    current = (
        ReferenceCount.objects.filter(field=field, superseded_at__isnull=True)
        .select_related("reading__reader", "second_reading__reader")
        .first()
    )
    if current is None:
        return []
    behind = [row for row in (current.reading, current.second_reading) if row is not None]
    return [row.reader.get_username() for row in behind]


@transaction.atomic
def update(*, field: Field, actor: User) -> ReferenceCount | None:
    """Work out the field's reference count anew and return the current one, if there is one.

    One reader a field: the newest reading. Two: their mean where they agree for each type, in
    whole cells (see `_draw`), else a reviewer's ruling. A type added after one of the two has no
    count until both have it. A flagged field has none. What one reader
    settled before the study asked for two stays theirs to correct. The row before is kept, marked
    superseded.
    """
    from . import training

    current = (
        ReferenceCount.objects.filter(field=field, superseded_at__isnull=True)
        .select_related("reading")
        .first()
    )
    wanted = _wanted(field, current)
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
    elif not _is_flagged(field):
        # A model that went live meanwhile had no need to look at a field that was counted.
        predictions.request(fields=[field])
    return reference


def hold_readings(study: Study) -> None:
    """Take the lock that each reading takes, until the transaction ends.

    Those that are being saved under the old settings are there when it is held, and those that
    come after see the new ones.
    """
    list(study.fields.select_for_update(no_key=True).order_by("pk").values_list("pk"))


def reconsider(*, study: Study, actor: User) -> None:
    """Give their reference count to fields that have enough readings under the study's new rule.

    What has a reference count keeps it: a new rule does not unsettle what was settled.
    """
    from . import training

    hold_readings(study)
    settled = ReferenceCount.objects.filter(field=OuterRef("pk"), superseded_at__isnull=True)
    read = Reading.objects.filter(field=OuterRef("pk"), state=Reading.State.SUBMITTED)
    flagged = Flag.objects.filter(field=OuterRef("pk"), lifted_at__isnull=True)
    ruled = Ruling.objects.filter(field=OuterRef("pk"))
    open_fields = (
        study.fields.filter(Exists(read))
        .exclude(Exists(settled))
        .exclude(Exists(flagged))
        .select_related("study")
        .order_by("pk")
    )
    on_rulings = Exists(ruled) | Exists(read.filter(ruling=True))
    for field in open_fields.filter(on_rulings):
        update(field=field, actor=actor)
    # The rest by readings alone, many at once: everybody who saves waits for the lock meanwhile.
    rest = list(open_fields.exclude(on_rulings))
    for start in range(0, len(rest), AT_ONCE):
        _settle(rest[start : start + AT_ONCE], actor)
    training.consider_after_commit(study)


def _settle(fields: list[Field], actor: User) -> None:
    """Give fields that have no reference count, no flag and no ruling the count they deserve."""
    readings = latest_of(fields)
    cell_types = list(fields[0].study.cell_types.all())
    found = [(field, _by_readings(field, None, readings[field.pk], cell_types)) for field in fields]
    made = ReferenceCount.objects.bulk_create(
        ReferenceCount(field=field, **wanted) for field, wanted in found if wanted
    )
    audit.record_all(
        actor=actor,
        action="reference.set",
        study_id=fields[0].study_id,
        new=[(row.field, {"counts": row.counts, "basis": row.basis}) for row in made],
    )


def _wanted(field: Field, current: ReferenceCount | None) -> dict[str, Any] | None:
    readings = latest_readings(field)
    if not readings or _is_flagged(field):
        return None
    ruled = _ruled(field, readings)
    if ruled is not None:
        return _from_one(ruled, ReferenceCount.Basis.RULING)
    return _by_readings(field, current, readings, field.study.cell_types.all())


def _by_readings(
    field: Field,
    current: ReferenceCount | None,
    readings: list[Reading],
    cell_types: Iterable[CellType],
) -> dict[str, Any] | None:
    newest = max(readings, key=_submitted_at)
    if field.study.readers_per_field == 1 or _corrects(newest, current):
        return _from_one(newest, ReferenceCount.Basis.SINGLE)
    if len(readings) < 2:
        return None
    first, second = readings[0], readings[1]
    pairs = compared(first, second, cell_types)
    if not agree(pairs.values(), field.study.agreement_tolerance):
        return None
    return {
        "counts": {
            code: (first.counts[code] + second.counts[code] + _draw(field, code)) // 2
            for code in pairs
        },
        "basis": ReferenceCount.Basis.CONSENSUS,
        "reading": first,
        "second_reading": second,
    }


def _draw(field: Field, code: str) -> int:
    """Return 1 where half a cell goes up, 0 where it goes down.

    Half of all pictures have one, half the other, so that the means are neither high nor low. Up
    each time would be half a cell too much; to the even number would make 0 of each 0 and 1, which
    is what two readers mostly have who differ in a rare cell. It is the same whichever reader came
    first, and can be worked out from the export.
    """
    return sha256(f"{field.sha256}:{code}".encode()).digest()[0] & 1


def _corrects(newest: Reading, current: ReferenceCount | None) -> bool:
    """Tell whether the reader whose count alone is the reference has counted anew."""
    return (
        current is not None
        and current.basis == ReferenceCount.Basis.SINGLE
        and current.reading.reader_id == newest.reader_id
    )


def _is_flagged(field: Field) -> bool:
    return field.flags.filter(lifted_at__isnull=True).exists()


def _ruled(field: Field, readings: list[Reading]) -> Reading | None:
    """Return what a reviewer said last: a reading chosen among two, or their own count.

    None where nobody ruled, and where the last word takes a ruling back.
    """
    own = [reading for reading in readings if reading.ruling]
    said = field.rulings.select_related("reading").last()
    counted = max(own, key=_submitted_at) if own else None
    if said is None or (counted and _submitted_at(counted) > said.created_at):
        return counted
    return said.reading


def _submitted_at(reading: Reading) -> datetime:
    assert reading.submitted_at is not None, "a database constraint says so"
    return reading.submitted_at


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
