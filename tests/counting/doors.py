"""Every address that can be read with a study, a slide or a field in it, pages and API alike."""

from __future__ import annotations

from collections.abc import Iterator

from django.test import Client
from django.urls import URLPattern

from counting.api.urls import urlpatterns as api
from counting.models import Field
from counting.urls import urlpatterns as pages

TEXT = ("text/", "application/json", "image/svg+xml")


def texts(client: Client, field: Field) -> Iterator[tuple[str, str]]:
    """Yield address and text of each answer that `client` gets; pictures are left out."""
    ids = {"study_id": field.study_id, "slide_id": field.slide_id, "field_id": field.pk}
    yield "/api/v1/fields/?slide=", _text(client, f"/api/v1/fields/?slide={field.slide_id}")
    for prefix, routes in (("/", pages), ("/api/v1/", api)):
        for route in routes:
            assert isinstance(route, URLPattern)
            needs = set(route.pattern.converters)
            if not needs or not needs <= set(ids):
                continue
            address = prefix + str(route.pattern)
            for name, value in ids.items():
                address = address.replace(f"<int:{name}>", str(value))
            yield address, _text(client, address)


def _text(client: Client, address: str) -> str:
    answer = client.get(address)
    if address.endswith("/count-map/") and answer.status_code == 404:
        return ""  # hidden, or made before maps were kept
    assert answer.status_code in (200, 302, 403, 405), (address, answer.content[:300])
    if not answer.headers.get("Content-Type", "").startswith(TEXT):
        return ""
    if answer.streaming:
        return b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    return answer.content.decode()
