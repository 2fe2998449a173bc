"""All addresses: pages and the HTTP API. /healthz is answered earlier, by HealthMiddleware."""

from __future__ import annotations

from django.urls import include, path

urlpatterns = [
    path("api/v1/", include("counting.api.urls")),
    path("", include("counting.urls")),
]
