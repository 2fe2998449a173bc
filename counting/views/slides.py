"""Slides: a new one, the page where its pictures come in, and what is said of it put right."""

from __future__ import annotations

from django.contrib import messages
from django.contrib.auth.decorators import login_required
from django.core.paginator import Paginator
from django.db.models import QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect, render
from django.utils.translation import gettext as _
from django.views.decorators.http import require_http_methods, require_safe

from counting.errors import Refused
from counting.forms import SlideForm
from counting.models import Field, FieldChoice, Slide
from counting.selectors import access, pages
from counting.selectors.fields import counted_among
from counting.services import deletions, slides

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
        may_delete=access.may_delete(signed_in(request), row),
    )
    return render(request, "slides/edit.html", context, status=400 if posted else 200)


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete(request: HttpRequest, slide_id: int) -> HttpResponse:
    """Ask whether a slide is to be deleted, and delete it."""
    row = access.get_slide_to_delete(signed_in(request), slide_id)
    if request.method == "POST":
        try:
            deletions.delete_slide(slide=row, actor=signed_in(request), drafts=_told(request))
        except Refused as error:
            messages.error(request, error.message)
            return redirect("slide-delete", slide_id)
        messages.success(request, _("Slide %(code)s is deleted.") % {"code": row.code})
        return redirect("study", row.study_id)
    return _ask(request, row, row.fields.all())


@login_required
@require_http_methods(["GET", "HEAD", "POST"])
def delete_field(request: HttpRequest, field_id: int) -> HttpResponse:
    """Ask whether a field is to be deleted, and delete it."""
    row = access.get_field_to_delete(signed_in(request), field_id)
    if request.method == "POST":
        try:
            deletions.delete_field(field=row, actor=signed_in(request), drafts=_told(request))
        except Refused as error:
            messages.error(request, error.message)
            return redirect("field-delete", field_id)
        messages.success(request, _("The field is deleted."))
        return redirect("slide", row.slide_id)
    return _ask(request, row.slide, row.slide.fields.filter(pk=field_id), field=row)


def _told(request: HttpRequest) -> bool:
    """Tell whether the page said that somebody's draft goes too."""
    return request.POST.get("drafts") == "true"


def _ask(request: HttpRequest, row: Slide, fields: QuerySet[Field], **more: object) -> HttpResponse:
    context = frame(
        request,
        row.study,
        "slides",
        slide=row,
        fields=fields.count(),
        counted=counted_among(fields),
        begun=pages.begun_by(fields),
        **more,
    )
    return render(request, "slides/delete.html", context)


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
