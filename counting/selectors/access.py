"""Permission in one place: each accessor returns the object or refuses.

Strangers get a 404, as if the object did not exist; members whose role is too low get a 403
with a sentence.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.contrib.auth.models import AnonymousUser
from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _

from counting.models import (
    ACTIVE,
    ROLE_RANK,
    Calibration,
    Field,
    ImportJob,
    Membership,
    ModelVersion,
    Role,
    Slide,
    Study,
    TrainingRun,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet


def studies_for(user: User | AnonymousUser) -> QuerySet[Study]:
    """Return the studies that `user` is a member of."""
    if not user.is_authenticated:
        return Study.objects.none()
    return Study.objects.filter(memberships__user=user)


def role_in(user: User | AnonymousUser, study: Study) -> Role | None:
    """Return the role of `user` in `study`, or None for a stranger."""
    if not user.is_authenticated:
        return None
    membership = Membership.objects.filter(user=user, study=study).first()
    return Role(membership.role) if membership else None


def _require(user: User | AnonymousUser, study: Study, role: Role | None) -> None:
    held = role_in(user, study)
    if held is None:
        raise Http404
    if role is not None and ROLE_RANK[held] < ROLE_RANK[role]:
        raise PermissionDenied(
            _("Only an admin of this study can do this. Ask one.")
            if role == Role.ADMIN
            else _("Only a reviewer or an admin of this study can do this. Ask one.")
        )


def get_study_for(user: User | AnonymousUser, study_id: int, role: Role | None = None) -> Study:
    """Return the study if `user` is a member with at least `role`.

    Raises:
        Http404: `user` is a stranger to the study, or there is no such study.
        PermissionDenied: `user` is a member, but with a lower role.
    """
    study = Study.objects.filter(pk=study_id).first()
    if study is None:
        raise Http404
    _require(user, study, role)
    return study


def get_slide_for(user: User | AnonymousUser, slide_id: int, role: Role | None = None) -> Slide:
    """Return the slide; refuses like `get_study_for`."""
    slide = Slide.objects.select_related("study").filter(pk=slide_id).first()
    if slide is None:
        raise Http404
    _require(user, slide.study, role)
    return slide


def get_field_for(user: User | AnonymousUser, field_id: int, role: Role | None = None) -> Field:
    """Return the field; refuses like `get_study_for`."""
    field = Field.objects.select_related("slide", "study").filter(pk=field_id).first()
    if field is None:
        raise Http404
    _require(user, field.study, role)
    return field


def may_delete(user: User | AnonymousUser, row: Slide | Field) -> bool:
    """Tell whether `user`, a member, may delete what nobody has counted: an admin may, and whoever
    brought it in, a slide with all its fields and what still waits to come into it.
    """
    if role_in(user, row.study) == Role.ADMIN:
        return True
    if isinstance(row, Field):
        return row.uploaded_by_id == user.pk
    others = row.fields.exclude(uploaded_by=user.pk)
    coming = row.imports.filter(state__in=ACTIVE).exclude(requested_by=user.pk)
    return row.created_by_id == user.pk and not others.exists() and not coming.exists()


def get_field_to_delete(user: User | AnonymousUser, field_id: int) -> Field:
    """Return the field; refuses like `get_study_for`, and whoever may not delete it."""
    field = get_field_for(user, field_id)
    require_deleter(user, field)
    return field


def get_slide_to_delete(user: User | AnonymousUser, slide_id: int) -> Slide:
    """Return the slide; refuses like `get_field_to_delete`."""
    slide = get_slide_for(user, slide_id)
    require_deleter(user, slide)
    return slide


def require_deleter(user: User | AnonymousUser, row: Slide | Field) -> None:
    """Refuse whoever may not delete it: PermissionDenied."""
    if not may_delete(user, row):
        raise PermissionDenied(
            _("Only an admin of this study, or whoever brought it in, can delete this. Ask one.")
        )


def get_model_for(
    user: User | AnonymousUser, model_id: int, role: Role | None = None
) -> ModelVersion:
    """Return the model version; refuses like `get_study_for`."""
    version = ModelVersion.objects.select_related("study").filter(pk=model_id).first()
    if version is None:
        raise Http404
    _require(user, version.study, role)
    return version


def get_run_for(user: User | AnonymousUser, run_id: int, role: Role | None = None) -> TrainingRun:
    """Return the training run; refuses like `get_study_for`."""
    run = (
        TrainingRun.objects.select_related("study", "champion", "candidate")
        .filter(pk=run_id)
        .first()
    )
    if run is None:
        raise Http404
    _require(user, run.study, role)
    return run


def get_import_for(user: User | AnonymousUser, job_id: int, role: Role | None = None) -> ImportJob:
    """Return the import; refuses like `get_study_for`."""
    job = ImportJob.objects.select_related("slide__study").filter(pk=job_id).first()
    if job is None:
        raise Http404
    _require(user, job.slide.study, role)
    return job


def get_calibration_for(
    user: User | AnonymousUser, calibration_id: int, role: Role | None = None
) -> Calibration:
    """Return the calibration; refuses like `get_study_for`."""
    calibration = (
        Calibration.objects.select_related("study", "cell_type").filter(pk=calibration_id).first()
    )
    if calibration is None:
        raise Http404
    _require(user, calibration.study, role)
    return calibration
