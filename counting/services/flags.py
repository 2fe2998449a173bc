"""What people say about a field: that it cannot be read, and comments."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db import transaction
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _

from counting.errors import Conflict, Refused
from counting.models import Comment, Field, Flag, FlagReason

from . import audit, predictions, references
from .checks import check

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@transaction.atomic
def flag(*, field: Field, actor: User, reason: str, note: str = "") -> Flag:
    """Say that a field cannot be read. Its reference count ends, and the queue leaves it out.

    Raises:
        Refused: the reason is unknown, or another reason without a note.
        Conflict: it is flagged already.
    """
    field = get_object_or_404(Field.objects.select_for_update(), pk=field.pk)
    held = field.flags.filter(lifted_at__isnull=True).first()
    if held is not None:
        raise Conflict(
            _("This field is flagged already: %(reason)s.")
            % {"reason": held.get_reason_display().lower()},
            "flagged",
            held.pk,
        )
    row = Flag(field=field, reason=reason, note=note.strip(), flagged_by=actor)
    check(row, exclude=("lifted_by", "lifted_at"))
    if row.reason == FlagReason.OTHER and not row.note:
        raise Refused(_("Say in a few words why the field cannot be read."), "note")
    row.save()
    field.leases.all().delete()
    audit.record(
        actor=actor,
        action="field.flag",
        target=field,
        study_id=field.study_id,
        new={"reason": row.reason, "note": row.note},
    )
    references.update(field=field, actor=actor)
    return row


@transaction.atomic
def lift(*, field: Field, actor: User) -> None:
    """Take the flag back; the readings of the field hold again.

    Raises:
        Refused: it is not flagged.
    """
    field = get_object_or_404(Field.objects.select_for_update(), pk=field.pk)
    held = field.flags.filter(lifted_at__isnull=True).first()
    if held is None:
        raise Refused(_("This field is not flagged."), "not_flagged")
    held.lifted_by, held.lifted_at = actor, timezone.now()
    held.save(update_fields=("lifted_by", "lifted_at"))
    audit.record(
        actor=actor,
        action="field.unflag",
        target=field,
        study_id=field.study_id,
        old={"reason": held.reason, "note": held.note},
    )
    if references.update(field=field, actor=actor) is None:
        predictions.request(fields=[field])


@transaction.atomic
def comment(*, field: Field, actor: User, text: str) -> Comment:
    """Add a comment; it can be neither changed nor taken back.

    Raises:
        Refused: it is empty or too long.
        Http404: the field was deleted meanwhile.
    """
    field = get_object_or_404(Field.objects.select_for_update(no_key=True), pk=field.pk)
    row = Comment(field=field, author=actor, text=text.strip())
    if not row.text:
        raise Refused(_("Write a comment first."), "text")
    check(row)
    row.save()
    audit.record(
        actor=actor,
        action="field.comment",
        target=field,
        study_id=field.study_id,
        new={"text": row.text},
    )
    return row
