"""The app's registration with Django."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db import transaction
from django.db.models.signals import post_delete

if TYPE_CHECKING:
    from django.contrib.auth.models import User

    from counting.models import Field, ImportJob


class CountingConfig(AppConfig):
    """The one Django app: studies, slides, fields, readings, models and the jobs around them."""

    name = "counting"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Note sign-ins in the audit trail, and delete the files of fields and imports that go.

        Django tells of both by signals only: they go with their slide or study, too.
        """
        user_logged_in.connect(_signed_in, dispatch_uid="audit")
        user_logged_out.connect(_signed_out, dispatch_uid="audit")
        post_delete.connect(
            _field_deleted, sender=self.get_model("Field"), dispatch_uid="field_files"
        )
        post_delete.connect(
            _import_deleted, sender=self.get_model("ImportJob"), dispatch_uid="import_archive"
        )


def _field_deleted(*, instance: Field, **_: Any) -> None:
    from counting.services import intake

    # Not before it is sure that the row is gone; what cannot be deleted is logged, and the files of
    # the others go all the same.
    transaction.on_commit(lambda: intake.delete_files(instance), robust=True)


def _import_deleted(*, instance: ImportJob, **_: Any) -> None:
    from counting.services import imports

    transaction.on_commit(lambda: imports.delete_archive(instance), robust=True)


def _signed_in(*, user: User, **_: Any) -> None:
    from counting.services import audit

    audit.record(actor=user, action="sign_in", target=user, study_id=None)


def _signed_out(*, user: User | None, **_: Any) -> None:
    from counting.services import audit

    if user is not None:
        audit.record(actor=user, action="sign_out", target=user, study_id=None)
