"""Give fields to readers so that no two get the same one by accident."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from django.db import transaction
from django.utils import timezone

from counting.models import Field, Lease, Reason, Study
from counting.selectors import queue

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Longer than anybody looks at one field without a change that saves the draft, and short enough
# that the fields of a reader who went home are free again before long.
LEASE = timedelta(minutes=15)


@dataclass(frozen=True)
class Assigned:
    """The field to count next, and how many wait for this reader: with the one in their hands."""

    field_id: int | None
    remaining: int


def next_for(*, study: Study, reader: User, after: int | None = None) -> Assigned:
    """Give `reader` the next field of the study and keep it for them for a while.

    The field whose id is `after` is passed over. Asked again before a field is counted, the answer
    is the same.
    """
    Lease.objects.filter(reader=reader, expires_at__lte=timezone.now()).delete()
    before = Field.objects.filter(study=study, pk=after).first() if after is not None else None
    for turn in queue.turns(study, reader, before):
        # Somebody else may have got it since the list was made: then the next one.
        if take(field_id=turn.field_id, reader=reader, reason=turn.reason):
            return Assigned(turn.field_id, queue.remaining(study, reader))
    return Assigned(None, queue.remaining(study, reader))


@transaction.atomic
def take(*, field_id: int, reader: User, reason: Reason | None = None) -> bool:
    """Lease the field to `reader` from now on; False when no place is left for this reader.

    Without `reason` a lease that runs keeps its own. The field's row is locked first, so that
    readers who ask at the same moment are looked at one after the other (on SQLite the transaction
    itself is that lock).
    """
    rows = Field.objects.select_for_update(of=("self",)).select_related("study")
    field = rows.filter(pk=field_id).first()
    if field is None:
        return False  # deleted since the list was made
    if not queue.waiting(field.study, reader).filter(pk=field_id).exists():
        return False
    until = timezone.now() + LEASE
    mine = Lease.objects.filter(field=field, reader=reader)
    renewed = mine.update(expires_at=until, **({"reason": reason} if reason else {}))
    if not renewed:
        Lease.objects.create(field=field, reader=reader, reason=reason or "", expires_at=until)
    return True


def release(*, field: Field, reader: User) -> None:
    """Give the field back: it was submitted, and the reading itself keeps the place now."""
    Lease.objects.filter(field=field, reader=reader).delete()
