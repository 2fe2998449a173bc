"""The counting screen, and the pictures themselves behind their permission check."""

from __future__ import annotations

import mimetypes
from pathlib import Path

from django.contrib.auth.decorators import login_required
from django.http import FileResponse, Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.cache import patch_cache_control, patch_vary_headers
from django.views.decorators.http import require_safe

from counting.models import CountingRule, CountMap, FlagReason
from counting.selectors import access, pages
from counting.selectors.fields import view_field

from .common import signed_in

# A stored picture never changes; the browser keeps it for whoever is signed in.
KEEP_SECONDS = 7 * 24 * 3600


@login_required
@require_safe
def field(request: HttpRequest, field_id: int) -> HttpResponse:
    """Show the counting screen, starting with this field; `?from=review` goes back there."""
    row = access.get_field_for(signed_in(request), field_id)
    is_reviewer = pages.study_frame(row.study, signed_in(request)).is_reviewer
    from_review = is_reviewer and request.GET.get("from") == "review"
    context = {
        "field": row,
        "study": row.study,
        "cell_types": row.study.cell_types.all(),
        "rule": CountingRule(row.study.counting_rule),
        "previous": pages.field_before(row),
        "is_reviewer": is_reviewer,
        "back": reverse("review", args=[row.study_id]) if from_review else "",
        "flag_reasons": FlagReason.choices,
    }
    return render(request, "counting/field.html", context)


@login_required
@require_safe
def image(request: HttpRequest, field_id: int) -> FileResponse:
    """Send the stored picture."""
    row = access.get_field_for(signed_in(request), field_id)
    return _send(Path(row.image.path))


@login_required
@require_safe
def thumbnail(request: HttpRequest, field_id: int) -> FileResponse:
    """Send the small copy."""
    row = access.get_field_for(signed_in(request), field_id)
    return _send(Path(row.thumbnail.path))


@login_required
@require_safe
def tile(request: HttpRequest, field_id: int, level: int, column: int, row: int) -> FileResponse:
    """Send one tile of a large picture (counting/pyramid.py); 404 until all of them are made."""
    found = access.get_field_for(signed_in(request), field_id)
    return _send(found.tiles_folder / str(level) / f"{column}_{row}.jpg")


@login_required
@require_safe
def count_map(request: HttpRequest, field_id: int) -> HttpResponse:
    """Send where the model saw cells: maps of the types, sorted by code, one below the other.

    Like the prediction itself it is not there for a blind field before the reader has submitted.
    """
    user = signed_in(request)
    prediction = view_field(access.get_field_for(user, field_id), user).prediction
    row = CountMap.objects.filter(prediction=prediction).first() if prediction else None
    if row is None:
        raise Http404
    response = HttpResponse(bytes(row.png), content_type="image/png")
    # Pixels of the field that one point of the map is wide and high.
    response["X-Map-Step"] = f"{row.step:.4f}"
    patch_cache_control(response, private=True, no_cache=True)
    patch_vary_headers(response, ["Cookie"])
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response


def _send(path: Path) -> FileResponse:
    try:
        stream = path.open("rb")
    except FileNotFoundError:
        raise Http404 from None
    kind = mimetypes.guess_type(path.name)[0] or "application/octet-stream"
    response = FileResponse(stream, content_type=kind)
    patch_cache_control(response, private=True, max_age=KEEP_SECONDS, immutable=True)
    # Another person at the same browser must not get it from the cache.
    patch_vary_headers(response, ["Cookie"])
    response["Cross-Origin-Resource-Policy"] = "same-origin"
    return response
