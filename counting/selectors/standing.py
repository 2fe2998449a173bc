"""How a reader's own counts stand: submitted, or kept and still to be submitted."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from counting.models import Flag, Reading, Study

from . import queue

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class Standing(StrEnum):
    """What became of a reader's newest counts of a field."""

    DRAFT = "draft"
    # A draft over counts that the reader has submitted: those hold until it is submitted too.
    CORRECTION = "correction"
    SUBMITTED = "submitted"


def standing_beside(newest: Reading, submitted: Reading | None) -> Standing:
    """Tell how `newest` stands beside what its reader submitted last.

    A draft that says the same as that, as after a step and its undo, leaves nothing to submit.
    """
    if newest.state == Reading.State.SUBMITTED:
        return Standing.SUBMITTED
    if submitted is None:
        return Standing.DRAFT
    same = (newest.counts, newest.marks) == (submitted.counts, submitted.marks)
    return Standing.SUBMITTED if same else Standing.CORRECTION


def standing_of(newest: Reading) -> Standing:
    """Tell how a reader's newest reading of a field stands."""
    own = Reading.objects.filter(field=newest.field_id, reader=newest.reader_id)
    submitted = own.filter(state=Reading.State.SUBMITTED).order_by("revision").last()
    return standing_beside(newest, submitted)


@dataclass(frozen=True)
class Unsubmitted:
    """Fields where a reader's counts are kept and not submitted, by id in slide order."""

    corrections: list[int]
    drafts: list[int]


def unsubmitted(study: Study, reader: User) -> Unsubmitted:
    """Return where `reader` has something to submit in `study`.

    The queue never brings a correction back. A draft counts while its field waits for this reader:
    it does no more when others have counted that.
    """
    rows = Reading.objects.filter(field__study=study, reader=reader).order_by("revision")
    flagged = Flag.objects.filter(field__study=study, lifted_at__isnull=True).values("field")
    drafts = (
        rows.filter(state=Reading.State.DRAFT)
        .exclude(field__in=flagged)
        .order_by("field__slide", "field")
    )
    here = [draft.field_id for draft in drafts]
    submitted = {
        row.field_id: row for row in rows.filter(state=Reading.State.SUBMITTED, field__in=here)
    }
    waiting = set(queue.waiting(study, reader).filter(pk__in=here).values_list("pk", flat=True))
    found = Unsubmitted([], [])
    for draft in drafts:
        if standing_beside(draft, submitted.get(draft.field_id)) == Standing.CORRECTION:
            found.corrections.append(draft.field_id)
        elif draft.field_id in waiting and (draft.counts or draft.marks):
            found.drafts.append(draft.field_id)
    return found
