"""Take out what came in by mistake. What somebody has counted stays for good.

Pictures, thumbnails, tiles and archives go from the disk when the rows are gone (counting/apps.py);
jobs go with their field, and a worker that has one in hand throws its work away.

Locks are taken in this order: study, slide, jobs, fields. Prediction jobs go before the lock on
their field is taken: a worker that writes a prediction holds its job, and needs the field. Whoever
writes in tile jobs and imports holds nothing else meanwhile.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.shortcuts import get_object_or_404
from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from counting.errors import Conflict
from counting.models import Field, PredictionJob, Reading, Slide, Study
from counting.selectors import access

from . import audit

if TYPE_CHECKING:
    from collections.abc import Sequence

    from django.contrib.auth.models import User


@transaction.atomic
def delete_field(*, field: Field, actor: User, drafts: bool = False) -> None:
    """Delete a field and its picture; `drafts` says that those who began to count it may lose that.

    Raises:
        Conflict: somebody has counted it (`counted`), or begun to, and `drafts` is not set
            (`drafts`).
        Http404: somebody was faster.
    """
    _lock_study(field.study_id)
    PredictionJob.objects.filter(field=field).delete()
    # The lock that each reading takes: none comes in meanwhile.
    rows = Field.objects.select_for_update(of=("self",)).select_related("slide")
    field = get_object_or_404(rows, pk=field.pk)
    begun = _give_up_readings([field], drafts)
    audit.record(
        actor=actor,
        action="field.delete",
        target=field,
        study_id=field.study_id,
        # Not its name, which may be why it goes.
        old={"slide": field.slide.code, "sha256": field.sha256, "drafts": begun},
    )
    field.delete()


@transaction.atomic
def delete_slide(*, slide: Slide, actor: User, drafts: bool = False) -> None:
    """Delete a slide with all its fields; refuses like `delete_field`.

    Raises:
        PermissionDenied: others brought something in, or began to, since `actor` was let do it.
    """
    # The locks of a new slide, of a new field and of a new reading: none comes in meanwhile.
    _lock_study(slide.study_id)
    slide = get_object_or_404(Slide.objects.select_for_update(), pk=slide.pk)
    PredictionJob.objects.filter(field__slide=slide).delete()
    fields = list(slide.fields.select_for_update().order_by("pk"))
    access.require_deleter(actor, slide)
    begun = _give_up_readings(fields, drafts)
    imports = slide.imports.select_related("requested_by")
    audit.record(
        actor=actor,
        action="slide.delete",
        target=slide,
        study_id=slide.study_id,
        old={
            "code": slide.code,
            "held_out": slide.held_out,
            "fields": [field.sha256 for field in fields],
            "drafts": begun,
            "imports": [
                # Like a field's, an archive's name may be why it goes.
                {"import": row.pk, "by": row.requested_by.get_username(), "files": row.total}
                for row in imports
            ],
        },
    )
    slide.delete()


def _lock_study(study_id: int) -> None:
    """Take the lock of a new slide, and of a new champion, which asks for predictions of fields
    that must be there when that is written. An upload goes on meanwhile: it may hold the slide.
    """
    Study.objects.select_for_update(no_key=True).get(pk=study_id)


def _give_up_readings(fields: Sequence[Field], drafts: bool) -> list[dict[str, Any]]:
    """Delete the drafts of the fields and return what they held, for the audit trail."""
    readings = Reading.objects.filter(field__in=fields)
    counted = readings.filter(state=Reading.State.SUBMITTED).values("field").distinct().count()
    if counted:
        raise Conflict(
            ngettext(
                "%(n)d field is counted, and what people counted is never deleted. Flag a field "
                "that should not count as unreadable: it is then left out everywhere.",
                "%(n)d fields are counted, and what people counted is never deleted. Flag a field "
                "that should not count as unreadable: it is then left out everywhere.",
                counted,
            )
            % {"n": counted},
            "counted",
        )
    begun = [
        {"field": row.field_id, "reader": row.reader.get_username(), "counts": row.counts}
        for row in readings.select_related("reader")
    ]
    if begun and not drafts:
        raise Conflict(
            _("%(names)s began to count here, and the draft would go too. Ask first.")
            % {"names": ", ".join(sorted({row["reader"] for row in begun}))},
            "drafts",
        )
    # They hold the predictions that were shown, which go next.
    readings.delete()
    return begun
