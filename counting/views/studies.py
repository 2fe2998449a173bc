"""The list of studies, one study's overview, a new study, and the way to the next field."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from counting.errors import Refused
from counting.forms import StudyForm
from counting.models import CountingRule
from counting.selectors import access, pages, review
from counting.selectors.standing import unsubmitted
from counting.selectors.studies import slides_with_progress
from counting.services import assignments, studies

from .common import frame, signed_in


@login_required
@require_safe
def home(request: HttpRequest) -> HttpResponse:
    """Show the studies of the user."""
    rows = pages.study_rows(signed_in(request))
    return render(request, "studies/home.html", {"rows": rows})


@login_required
@require_safe
def overview(request: HttpRequest, study_id: int) -> HttpResponse:
    """Show a study's slides and progress."""
    study = access.get_study_for(signed_in(request), study_id)
    slides = list(slides_with_progress(study, signed_in(request)))
    fields = sum(getattr(slide, "field_count", 0) for slide in slides)
    flagged = pages.flagged(study)
    context = frame(
        request,
        study,
        "slides",
        slides=slides,
        fields=fields,
        readable=fields - flagged,
        flagged=flagged,
        counted=sum(getattr(slide, "counted_count", 0) for slide in slides),
        read=sum(getattr(slide, "read_count", 0) for slide in slides),
        remaining=pages.remaining(study, signed_in(request)) if fields else 0,
        totals=pages.totals(study, signed_in(request)),
        unsubmitted=unsubmitted(study, signed_in(request)),
        rule=CountingRule(study.counting_rule).label,
    )
    if context["frame"].is_admin:
        context["unruled"] = review.without_reviewer(study)
    return render(request, "studies/overview.html", context)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest) -> HttpResponse:
    """Make a study."""
    if not signed_in(request).is_staff:
        raise PermissionDenied(_("Only an admin of this server can make a study. Ask one."))
    form = StudyForm(request.POST or None)
    refusal = ""
    if request.method == "POST" and form.is_valid():
        try:
            study = studies.create_study(actor=signed_in(request), **form.settings())
        except Refused as error:
            refusal = error.message
        else:
            messages.success(request, _("The study is made. Add its first slide."))
            return redirect("study", study.pk)
    context = {"form": form, "refusal": refusal, "rules": CountingRule.choices}
    status = 400 if request.method == "POST" else 200
    return render(request, "studies/new.html", context, status=status)


@login_required
@require_safe
def count(request: HttpRequest, study_id: int) -> HttpResponse:
    """Go to the field that the user is to count next."""
    study = access.get_study_for(signed_in(request), study_id)
    found = assignments.next_for(study=study, reader=signed_in(request))
    if found.field_id is not None:
        return redirect("field", found.field_id)
    if study.fields.exists():
        messages.success(request, _("Well done: no field of this study waits for you."))
    else:
        messages.info(request, _("There is no field to count yet. Add pictures to a slide."))
    return redirect("study", study.pk)
