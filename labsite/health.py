"""The address that supervisors, load balancers and containers ask: /healthz."""

from __future__ import annotations

from collections.abc import Callable

from django.db import DatabaseError, connection
from django.http import HttpRequest, HttpResponse, HttpResponseBase

ADDRESS = "/healthz"


class HealthMiddleware:
    """Answers /healthz before host names, HTTPS or sessions are looked at."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer for /healthz; hand everything else on."""
        if request.path_info == ADDRESS and request.method in {"GET", "HEAD"}:
            return health()
        return self.get_response(request)


def health() -> HttpResponse:
    """Return 200 when this process serves and reaches its database, 503 when it does not."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        answer = HttpResponse("the database does not answer\n", "text/plain", 503)
    else:
        answer = HttpResponse("ok\n", "text/plain")
    answer["Cache-Control"] = "no-store"
    return answer
