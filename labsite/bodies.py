"""How much a request may send: what is too large is refused before any of it is read."""

from __future__ import annotations

from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, JsonResponse
from django.template.defaultfilters import filesizeformat
from django.urls import Resolver404, resolve
from django.utils.translation import gettext as _

API = "/api/"
# Name of an address that takes files -> the setting that says how large one may be.
UPLOADS = {"api-fields": "MAX_UPLOAD_BYTES", "api-imports": "MAX_ARCHIVE_BYTES"}
# The form around the file. A file that is too large by less is refused in the service's own words.
FORM_BYTES = 64 * 1024


class BodyLimitMiddleware:
    """Refuses what says that it is too large; without a Content-Length, Django reads no body."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer 413 when the body is too large; hand everything else on."""
        length = _length(request)
        # Looking the address up is for the few that are larger than most may be.
        if length > settings.MAX_BODY_BYTES:
            most = _most(request.path_info)
            if length > most:
                return _too_large(request, most)
        return self.get_response(request)


def _length(request: HttpRequest) -> int:
    try:
        return int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        return 0  # as Django takes it


def _most(path: str) -> int:
    try:
        name = resolve(path).url_name or ""
    except Resolver404:
        name = ""
    if name not in UPLOADS:
        return int(settings.MAX_BODY_BYTES)
    file_bytes: int = getattr(settings, UPLOADS[name])
    return file_bytes + FORM_BYTES


def _too_large(request: HttpRequest, most: int) -> HttpResponse:
    sentence = _(
        "This is too large: at most %(most)s are taken here. Send a smaller file, or less at once."
    ) % {"most": filesizeformat(most)}
    if request.path_info.startswith(API):
        return JsonResponse({"detail": sentence, "code": "too_large"}, status=413)
    return HttpResponse(f"{sentence}\n", "text/plain; charset=utf-8", 413)
