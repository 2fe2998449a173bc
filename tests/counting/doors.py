"""Every address, pages and API alike, and what can be read there."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from django.test import Client
from django.urls import URLPattern, reverse

from counting.api.urls import urlpatterns as api
from counting.models import Field
from counting.urls import urlpatterns as pages

# Who comes to them: the people of conftest.py, and somebody who is not signed in.
ROLES = ("alice", "rita", "bob", "charlie", "nobody")
TEXT = ("text/", "application/json", "image/svg+xml")
ROUTES = {route.name: route for route in (*pages, *api) if isinstance(route, URLPattern)}


def address_of(name: str, ids: Mapping[str, object]) -> str:
    """Return the address of that name, with what it takes out of `ids`."""
    takes = ROUTES[name].pattern.converters
    return reverse(name, kwargs={key: ids[key] for key in takes})


def texts(client: Client, field: Field) -> Iterator[tuple[str, str]]:
    """Yield address and text of each answer with a study, a slide or a field that `client` gets.

    Pictures are left out.
    """
    ids = {"study_id": field.study_id, "slide_id": field.slide_id, "field_id": field.pk}
    yield "/api/v1/fields/?slide=", _text(client, f"/api/v1/fields/?slide={field.slide_id}")
    for name, route in ROUTES.items():
        takes = set(route.pattern.converters)
        if takes and takes <= set(ids):
            address = address_of(name, ids)
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
