"""Model versions of a study, training runs, and going back to an earlier version."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.views.decorators.http import require_safe

from counting.models import ACTIVE, ModelVersion, Role
from counting.selectors import access, judging, pages
from counting.services import registry, training

from .common import action, frame, signed_in


def _models(study_id: int) -> str:
    return reverse("models", args=[study_id])


def _model(model_id: int) -> str:
    return reverse("models", args=[pages.study_of_model(model_id)])


def _run(run_id: int) -> str:
    return reverse("training-run", args=[run_id])


@login_required
@require_safe
def models(request: HttpRequest, study_id: int) -> HttpResponse:
    """Show champion, versions and runs."""
    study = access.get_study_for(signed_in(request), study_id)
    rows = pages.version_rows(study)
    context = frame(
        request,
        study,
        "models",
        rows=rows,
        champion=next(row for row in rows if row.version.state == ModelVersion.State.CHAMPION),
        active=pages.active_run(study),
        runs=pages.run_rows(study),
        cannot_judge=judging.cannot_judge(study),
        new_counts=training.new_since_last_run(study),
    )
    return render(request, "models/models.html", context)


@action(_models)
def retrain(request: HttpRequest, study_id: int) -> HttpResponse:
    """Start a training run."""
    study = access.get_study_for(signed_in(request), study_id, Role.ADMIN)
    run = training.start_run(study=study, requested_by=signed_in(request))
    return redirect("training-run", run.pk)


@login_required
@require_safe
def overrule(request: HttpRequest, model_id: int) -> HttpResponse:
    """Ask whether a candidate that the gate did not let go live shall be champion all the same."""
    version = access.get_model_for(signed_in(request), model_id, Role.ADMIN)
    if version.state != ModelVersion.State.CANDIDATE:
        return redirect("models", version.study_id)
    champion = registry.champion(version.study)
    context = frame(
        request,
        version.study,
        "models",
        version=version,
        champion=champion,
        known=judging.what_is_known(version, champion),
        comparisons=pages.comparisons(version),
    )
    return render(request, "models/overrule.html", context)


@action(_model)
def promote(request: HttpRequest, model_id: int) -> HttpResponse:
    """Make a version the champion; promoting the one before takes it back."""
    version = access.get_model_for(signed_in(request), model_id, Role.ADMIN)
    before = registry.champion(version.study)
    registry.promote(version=version, actor=signed_in(request), overrule="overrule" in request.POST)
    messages.success(
        request,
        _("%(new)s predicts now. To undo this, make %(old)s champion again.")
        % {"new": version.name, "old": before.name},
    )
    return redirect("models", version.study_id)


@login_required
@require_safe
def run(request: HttpRequest, run_id: int) -> HttpResponse:
    """Show one training run, live."""
    row = access.get_run_for(signed_in(request), run_id)
    context = frame(
        request,
        row.study,
        "models",
        run=row,
        is_active=row.state in ACTIVE,
        comparisons=pages.comparisons(row),
    )
    return render(request, "models/run.html", context)


@action(_run)
def cancel(request: HttpRequest, run_id: int) -> HttpResponse:
    """Cancel a run."""
    row = access.get_run_for(signed_in(request), run_id, Role.ADMIN)
    training.cancel_run(run=row, actor=signed_in(request))
    return redirect("training-run", run_id)
