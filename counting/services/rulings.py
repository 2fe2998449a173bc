"""A reviewer settles what two readers see differently."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.utils.translation import gettext as _

from counting.errors import Conflict, Refused
from counting.models import Field, ReferenceCount, Ruling
from counting.selectors import review

from . import audit, references

if TYPE_CHECKING:
    from collections.abc import Collection

    from django.contrib.auth.models import User


@transaction.atomic
def rule(
    *, field: Field, reviewer: User, reading_id: int, against: Collection[int] = ()
) -> ReferenceCount:
    """Let one of the two differing readings hold; its counts become the reference count.

    Where a reader has corrected their count since a ruling, the reading of that ruling can be
    chosen again. `against` are the ids of the others as the reviewer saw them; without them only
    the chosen one is looked at.

    Raises:
        Refused: `reviewer` read the field, or nothing waits for a ruling.
        Conflict: a reader has corrected the count meanwhile; `existing` is the field's id.
    """
    # Without its study, whose rule may change while this waits: that is read behind the lock.
    field = Field.objects.select_for_update().get(pk=field.pk)
    found = review.difference(field)
    if found is None:
        raise Refused(
            _("Nothing waits for a ruling here: the field has its count, or its readings agree."),
            "no_difference",
        )
    if review.read_by(reviewer).filter(field=field).exists():
        raise Refused(
            _("You have read this field yourself. Another reviewer has to rule."), "own_reading"
        )
    current = {row.pk: row for row in (found.first, found.second)}
    ruled = {found.ruled.reading_id: found.ruled.reading} if found.ruled else {}
    chosen = (current | ruled).get(reading_id)
    if chosen is None or not set(against) <= current.keys() - {reading_id}:
        raise Conflict(
            _("A reader has corrected this count meanwhile. Look at both readings again."),
            "reading",
            field.pk,
        )
    ruling = Ruling.objects.create(field=field, reading=chosen, reviewer=reviewer)
    audit.record(
        actor=reviewer,
        action="ruling.make",
        target=ruling,
        study_id=field.study_id,
        old={"field": field.pk, "first": found.first.counts, "second": found.second.counts},
        new={"reading": chosen.pk, "counts": chosen.counts},
    )
    reference = references.update(field=field, actor=reviewer)
    assert reference is not None, "a ruling always gives a reference count"
    return reference


@transaction.atomic
def withdraw(*, field: Field, reviewer: User) -> None:
    """Take back what `reviewer` ruled: the two readings wait for a ruling again.

    Both the ruling and its withdrawal stay.

    Raises:
        Refused: no ruling by `reviewer` holds here.
    """
    field = Field.objects.select_for_update().get(pk=field.pk)
    ruling = review.standing_rulings(reviewer).filter(field=field).last()
    if ruling is None or ruling.reading is None:
        raise Refused(
            _("The count of this field does not rest on a ruling of yours: nothing to undo."),
            "no_ruling",
        )
    withdrawn = Ruling.objects.create(field=field, reviewer=reviewer)
    audit.record(
        actor=reviewer,
        action="ruling.withdraw",
        target=withdrawn,
        study_id=field.study_id,
        old={
            "field": field.pk,
            "ruling": ruling.pk,
            "reading": ruling.reading.pk,
            "counts": ruling.reading.counts,
        },
    )
    references.update(field=field, actor=reviewer)
