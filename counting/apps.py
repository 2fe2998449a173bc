"""The app's registration with Django."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out

if TYPE_CHECKING:
    from django.contrib.auth.models import User


class CountingConfig(AppConfig):
    """The one Django app: studies, slides, fields, readings, models and the jobs around them."""

    name = "counting"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Note sign-ins in the audit trail: Django tells of them by signals only."""
        user_logged_in.connect(_signed_in, dispatch_uid="audit")
        user_logged_out.connect(_signed_out, dispatch_uid="audit")


def _signed_in(*, user: User, **_: Any) -> None:
    from counting.services import audit

    audit.record(actor=user, action="sign_in", target=user, study_id=None)


def _signed_out(*, user: User | None, **_: Any) -> None:
    from counting.services import audit

    if user is not None:
        audit.record(actor=user, action="sign_out", target=user, study_id=None)
