"""The report of a slide: as a page, a PDF and a table."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.text import slugify
from django.views.decorators.http import require_safe

from counting.errors import Refused
from counting.models import Slide
from counting.selectors import access, report_text
from counting.selectors.report import Report, slide_report
from counting.selectors.report_options import NONE
from counting.selectors.report_pdf import report_pdf
from counting.services import exports

from .common import frame, signed_in


@login_required
@require_safe
def report(request: HttpRequest, slide_id: int) -> HttpResponse:
    """Show the report, with what may be chosen above it."""
    slide = access.get_slide_for(signed_in(request), slide_id)
    given = request.GET.dict()
    refusal = ""
    try:
        found = slide_report(slide, signed_in(request), given)
    except Refused as error:
        refusal = error.message
        found = slide_report(slide, signed_in(request), {})
    context = frame(
        request,
        slide.study,
        "slides",
        slide=slide,
        report=found,
        rows=report_text.total_rows(found),
        estimates=report_text.estimate_rows(found),
        study_line=report_text.study_line(found),
        slide_line=report_text.slide_line(found),
        fields_line=report_text.fields_line(found),
        methods=report_text.methods(found),
        text=report_text.as_text(found),
        made_on=report_text.made_on(),
        refusal=refusal,
        query=urlencode(_query(found)),
        none=NONE,
        in_use=list(found.options.calibrations.values()),
    )
    return render(request, "slides/report.html", context, status=400 if refusal else 200)


@login_required
@require_safe
def pdf(request: HttpRequest, slide_id: int) -> HttpResponse:
    """Send the report as PDF."""
    return _file(request, slide_id, "pdf", "application/pdf")


@login_required
@require_safe
def table(request: HttpRequest, slide_id: int) -> HttpResponse:
    """Send the report as CSV."""
    return _file(request, slide_id, "csv", "text/csv; charset=utf-8")


def _file(request: HttpRequest, slide_id: int, kind: str, content_type: str) -> HttpResponse:
    slide = access.get_slide_for(signed_in(request), slide_id)
    try:
        found = slide_report(slide, signed_in(request), request.GET.dict())
    except Refused as error:
        return HttpResponse(error.message, status=400, content_type="text/plain; charset=utf-8")
    body = report_pdf(found) if kind == "pdf" else report_text.as_csv(found)
    exports.note_export(
        actor=signed_in(request),
        what=f"report.{kind}",
        target=slide,
        study_id=slide.study_id,
        **_query(found),
    )
    response = HttpResponse(body, content_type=content_type)
    response["Content-Disposition"] = f'attachment; filename="{_name(slide)}.{kind}"'
    return response


def _query(found: Report) -> dict[str, str]:
    """Return the choices behind a report, as its address carries them."""
    options = found.options
    query = {"precision": f"{options.precision:g}"}
    if options.analyzer_rbc is not None:
        query["rbc"] = f"{options.analyzer_rbc:g}"
    return query | {code.lower(): chosen for code, chosen in options.chosen.items()}


def _name(slide: Slide) -> str:
    return f"report-{slugify(slide.code) or slide.pk}"
