"""Every refusal has the same shape: `{"detail": sentence, "code": slug, ...}`."""

from __future__ import annotations

from typing import Any

from django.core.exceptions import PermissionDenied
from django.http import Http404
from django.utils.translation import gettext as _
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler

from counting.errors import Conflict, Counted, Newer, Refused


def handle(error: Exception, context: dict[str, Any]) -> Response | None:
    """Turn what was raised into the answer; None lets Django's own error handling do it."""
    if isinstance(error, Refused):
        body: dict[str, Any] = {"detail": error.message, "code": error.code}
        if isinstance(error, Conflict):
            body["id"] = error.existing
        if isinstance(error, Newer | Counted):
            body |= error.facts
        return Response(body, status=error.status)
    if isinstance(error, Http404 | exceptions.NotFound):
        body = {"detail": _("There is nothing here, or not for you."), "code": "not_found"}
        return Response(body, status=status.HTTP_404_NOT_FOUND)
    if isinstance(error, PermissionDenied):
        body = {"detail": str(error) or _("You may not do this."), "code": "role"}
        return Response(body, status=status.HTTP_403_FORBIDDEN)
    response = exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, exceptions.ValidationError):
        response.data = {
            "detail": _sentence(error.detail),
            "code": "invalid",
            "errors": error.detail,
        }
    elif isinstance(error, exceptions.APIException):
        code = error.get_codes()
        response.data = {
            "detail": _sentence(error.detail),
            "code": code if isinstance(code, str) else "error",
        }
    return response


def _sentence(detail: Any, name: str = "") -> str:
    """Write nested messages as text: `Image: No file was submitted.`"""
    if isinstance(detail, dict):
        return " ".join(_sentence(value, str(key)) for key, value in detail.items())
    if isinstance(detail, list):
        return " ".join(_sentence(value, name) for value in detail)
    known = "" if name in ("", "detail", "non_field_errors") else f"{name}: "
    return f"{known}{detail}"
