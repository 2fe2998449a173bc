"""Calibrations of a study: from samples with analyzer values to a factor."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.urls import reverse
from django.utils.translation import gettext as _
from django.utils.translation import ngettext
from django.views.decorators.http import require_http_methods, require_safe

from counting.errors import Refused
from counting.forms import CalibrationForm, SlideSampleForm
from counting.models import ROLE_RANK, FieldChoice, Role
from counting.selectors import access
from counting.selectors.calibrations import WANTED_SAMPLES, calibrations_of, view_calibration
from counting.services import calibrations as services

from .common import action, frame, signed_in

# Where lines that were refused wait for the page, to be put right there.
REFUSED_LINES = "refused-samples"


def _back(calibration_id: int, sample_id: int | None = None) -> str:
    return reverse("calibration", args=[calibration_id])


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def calibrations(request: HttpRequest, study_id: int) -> HttpResponse:
    """Show the calibrations of a study; reviewers make new ones."""
    posted = request.method == "POST"
    study = access.get_study_for(signed_in(request), study_id, Role.REVIEWER if posted else None)
    form = CalibrationForm(request.POST if posted else None)
    refusal = ""
    if posted and form.is_valid():
        try:
            made = services.create_calibration(
                study=study, actor=signed_in(request), **form.cleaned_data
            )
        except Refused as error:
            refusal = error.message
        else:
            return redirect("calibration", made.pk)
    context = frame(
        request,
        study,
        "calibration",
        rows=[view_calibration(row) for row in calibrations_of(study)],
        form=form,
        refusal=refusal,
        wanted=WANTED_SAMPLES,
        may_change=_may_change(request, study_id),
    )
    status = 400 if posted else 200
    return render(request, "calibrations/calibrations.html", context, status=status)


@login_required
@require_safe
def calibration(request: HttpRequest, calibration_id: int) -> HttpResponse:
    """Show one calibration: its factor, its samples, and how to add more."""
    row = access.get_calibration_for(signed_in(request), calibration_id)
    view = view_calibration(calibrations_of(row.study).get(pk=row.pk))
    used = [sample.slide_id for sample in view.samples if sample.slide_id]
    slides = row.study.slides.filter(
        field_choice=FieldChoice.RANDOM,
        fields__references__isnull=False,
        fields__references__superseded_at__isnull=True,
    )
    context = frame(
        request,
        row.study,
        "calibration",
        row=view,
        slides=slides.exclude(pk__in=used).distinct(),
        wanted=WANTED_SAMPLES,
        lines=request.session.pop(REFUSED_LINES, ""),
        may_change=_may_change(request, row.study_id),
    )
    return render(request, "calibrations/calibration.html", context)


@action(_back)
def add(request: HttpRequest, calibration_id: int) -> HttpResponse:
    """Add samples from lines of text."""
    row = access.get_calibration_for(signed_in(request), calibration_id, Role.REVIEWER)
    lines = request.POST.get("samples", "")
    try:
        samples = services.read_samples(lines)
        added = services.add_samples(calibration=row, actor=signed_in(request), samples=samples)
    except Refused:
        request.session[REFUSED_LINES] = lines
        raise
    messages.success(
        request,
        ngettext("%(n)d sample added.", "%(n)d samples added.", len(added)) % {"n": len(added)},
    )
    return redirect("calibration", row.pk)


@action(_back)
def add_slide(request: HttpRequest, calibration_id: int) -> HttpResponse:
    """Add a slide of the study as a sample."""
    row = access.get_calibration_for(signed_in(request), calibration_id, Role.REVIEWER)
    form = SlideSampleForm(request.POST)
    if not form.is_valid():
        raise Refused(_("Choose a slide and give the analyzer's value in cells per µL."))
    sample = services.add_slide(
        calibration=row,
        actor=signed_in(request),
        slide=access.get_slide_for(signed_in(request), form.cleaned_data["slide"]),
        analyzer_value=form.cleaned_data["analyzer_value"],
    )
    messages.success(request, _("Slide %(code)s is a sample now.") % {"code": sample.code})
    return redirect("calibration", row.pk)


@action(_back)
def remove_sample(request: HttpRequest, calibration_id: int, sample_id: int) -> HttpResponse:
    """Take a sample out."""
    row = access.get_calibration_for(signed_in(request), calibration_id, Role.REVIEWER)
    sample = row.samples.filter(pk=sample_id).first()
    if sample is None:
        raise Http404
    services.remove_sample(sample=sample, actor=signed_in(request))
    messages.success(request, _("Sample %(code)s is out.") % {"code": sample.code})
    return redirect("calibration", row.pk)


@action(_back)
def remove(request: HttpRequest, calibration_id: int) -> HttpResponse:
    """Take a calibration out."""
    row = access.get_calibration_for(signed_in(request), calibration_id, Role.REVIEWER)
    services.remove_calibration(calibration=row, actor=signed_in(request))
    messages.success(request, _("The calibration is out. The audit trail keeps its factor."))
    return redirect("calibrations", row.study_id)


def _may_change(request: HttpRequest, study_id: int) -> bool:
    study = access.get_study_for(signed_in(request), study_id)
    role = access.role_in(signed_in(request), study) or Role.READER
    return ROLE_RANK[role] >= ROLE_RANK[Role.REVIEWER]
