"""Exports leave a trace: who took what out, and when."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from . import audit

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import Model


def note_export(*, actor: User, what: str, target: Model, study_id: int, **details: Any) -> None:
    """Note an export of `target` in the audit trail; `what` names it: `report.pdf`."""
    audit.record(
        actor=actor, action=f"{what}.export", target=target, study_id=study_id, new=details or None
    )
