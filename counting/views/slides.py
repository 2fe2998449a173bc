"""Slides: a new one, the page where its pictures come in, and what is said of it put right."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from counting.errors import Refused
from counting.forms import SlideForm
from counting.models import FieldChoice
from counting.selectors import access, pages
from counting.services import slides

from .common import frame, signed_in

# The script asks the API for the same pages.
FIELDS_PER_PAGE = 60


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def new(request: HttpRequest, study_id: int) -> HttpResponse:
    """Make a slide."""
    study = access.get_study_for(signed_in(request), study_id)
    form = SlideForm(request.POST or None)
    refusal = ""
    if request.method == "POST" and form.is_valid():
        try:
            made = slides.create_slide(study=study, actor=signed_in(request), **form.cleaned_data)
        except Refused as error:
            refusal = error.message
        else:
            return redirect("slide", made.pk)
    context = frame(
        request, study, "slides", form=form, refusal=refusal, choices=FieldChoice.choices
    )
    status = 400 if request.method == "POST" else 200
    return render(request, "slides/new.html", context, status=status)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def edit(request: HttpRequest, slide_id: int) -> HttpResponse:
    """Change what is said of a slide."""
    row = access.get_slide_for(signed_in(request), slide_id)
    posted = request.method == "POST"
    form = SlideForm(request.POST if posted else SlideForm.values_of(row))
    refusal = ""
    if posted and form.is_valid():
        try:
            slides.update(slide=row, actor=signed_in(request), **form.cleaned_data)
        except Refused as error:
            refusal = error.message
        else:
            messages.success(request, _("The slide is saved."))
            return redirect("slide", row.pk)
    context = frame(
        request,
        row.study,
        "slides",
        slide=row,
        form=form,
        refusal=refusal,
        choices=FieldChoice.choices,
    )
    return render(request, "slides/edit.html", context, status=400 if posted else 200)


@login_required
@require_safe
def slide(request: HttpRequest, slide_id: int) -> HttpResponse:
    """Show a slide: drop zone and fields."""
    row = access.get_slide_for(signed_in(request), slide_id)
    page = Paginator(pages.fields_of(row), FIELDS_PER_PAGE).get_page(request.GET.get("page"))
    context = frame(
        request,
        row.study,
        "slides",
        slide=row,
        page=page,
        cell_types=row.study.cell_types.all(),
    )
    return render(request, "slides/slide.html", context)
