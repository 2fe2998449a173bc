"""Agreement between readers, model versions and the reference counts."""

from __future__ import annotations

from urllib.parse import urlencode

from django.contrib.auth.decorators import login_required
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.safestring import SafeString
from django.views.decorators.http import require_safe

from counting.errors import Refused
from counting.selectors import access, agreement_text, plots
from counting.selectors.agreement import BLIND, AgreementPage, agreement_page
from counting.services import exports

from .common import frame, signed_in

PLOTS = ("difference", "line")


@login_required
@require_safe
def agreement(request: HttpRequest, study_id: int) -> HttpResponse:
    """Show how two ways of counting agree."""
    study = access.get_study_for(signed_in(request), study_id)
    refusal = ""
    try:
        found = agreement_page(study, signed_in(request), request.GET.dict())
    except Refused as error:
        refusal = error.message
        found = agreement_page(study, signed_in(request), {})
    context = frame(
        request,
        study,
        "agreement",
        page=found,
        comparison=found.comparison,
        figures=agreement_text.figure_rows(found.comparison),
        plots={name: _plot(found, name) for name in PLOTS},
        sway=agreement_text.sway_rows(found.anchoring) if found.anchoring else [],
        sway_words=agreement_text.sway_words(found.anchoring) if found.anchoring else [],
        cell_types=study.cell_types.all(),
        query=urlencode(_query(found)),
        blind=BLIND,
        refusal=refusal,
    )
    return render(request, "studies/agreement.html", context, status=400 if refusal else 200)


@login_required
@require_safe
def table(request: HttpRequest, study_id: int) -> HttpResponse:
    """Send everything on the page as CSV."""
    found = _asked(request, study_id)
    if isinstance(found, HttpResponse):
        return found
    _note(request, found, "agreement.csv")
    return _file(agreement_text.as_csv(found), "text/csv; charset=utf-8", "agreement.csv")


@login_required
@require_safe
def plot(request: HttpRequest, study_id: int, name: str) -> HttpResponse:
    """Send one plot as SVG."""
    found = _asked(request, study_id)
    if isinstance(found, HttpResponse):
        return found
    picture = _plot(found, name)
    if not picture:
        raise Http404
    _note(request, found, "agreement.svg")
    return _file(picture, "image/svg+xml", f"agreement-{name}.svg")


def _asked(request: HttpRequest, study_id: int) -> AgreementPage | HttpResponse:
    study = access.get_study_for(signed_in(request), study_id)
    try:
        return agreement_page(study, signed_in(request), request.GET.dict())
    except Refused as error:
        return HttpResponse(error.message, status=400, content_type="text/plain; charset=utf-8")


def _plot(found: AgreementPage, name: str) -> SafeString | str:
    """Return the plot of that name, or nothing where there are too few fields for it."""
    choice, comparison = found.choice, found.comparison
    points = [(pair.first, pair.second) for pair in comparison.points]
    words = (choice.first.name, choice.second.name, choice.cell_type.label)
    if comparison.figures is None or not points or name not in PLOTS:
        return ""
    if name == "difference":
        return plots.difference_plot(points, comparison.figures.agreement, *words)
    return plots.line_plot(points, comparison.figures.line, *words)


def _query(found: AgreementPage) -> dict[str, str]:
    choice = found.choice
    query = {
        "cell_type": choice.cell_type.code,
        "first": choice.first.key,
        "second": choice.second.key,
    }
    return query | ({"readings": BLIND} if choice.unassisted else {})


def _note(request: HttpRequest, found: AgreementPage, what: str) -> None:
    exports.note_export(
        actor=signed_in(request),
        what=what,
        target=found.study,
        study_id=found.study.pk,
        **_query(found),
    )


def _file(body: str, kind: str, name: str) -> HttpResponse:
    response = HttpResponse(body, content_type=kind)
    response["Content-Disposition"] = f'attachment; filename="{name}"'
    return response
