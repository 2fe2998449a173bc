"""The audit trail: one entry for each change of a count, member, model or setting."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from counting.models import AuditEntry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from django.contrib.auth.models import User
    from django.db.models import Model


def record(
    *,
    actor: User | None,
    action: str,
    target: Model,
    study_id: int | None,
    old: Any = None,
    new: Any = None,
) -> AuditEntry:
    """Add an entry inside the caller's transaction, so that the change and its trace go together.

    `actor` None means that the product itself did it (a worker, the schedule).
    """
    return AuditEntry.objects.create(
        actor=actor,
        action=action,
        object_type=target._meta.model_name or "",
        object_id=str(target.pk),
        study_id=study_id,
        old=old,
        new=new,
    )


def record_all(
    *, actor: User | None, action: str, study_id: int | None, new: Iterable[tuple[Model, Any]]
) -> None:
    """Add an entry for each of many objects that had nothing before, in one query."""
    AuditEntry.objects.bulk_create(
        AuditEntry(
            actor=actor,
            action=action,
            object_type=target._meta.model_name or "",
            object_id=str(target.pk),
            study_id=study_id,
            new=value,
        )
        for target, value in new
    )
