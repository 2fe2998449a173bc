"""All addresses: pages and the HTTP API. /healthz is answered earlier, by HealthMiddleware."""

from __future__ import annotations

from importlib.util import find_spec

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include("counting.api.urls")),
]
if find_spec("counting.urls"):
    urlpatterns.append(path("", include("counting.urls")))
