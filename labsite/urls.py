"""All addresses: pages and the HTTP API. /healthz is answered earlier, by HealthMiddleware."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path

urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/", include("counting.api.urls")),
    path("", include("counting.urls")),
]
