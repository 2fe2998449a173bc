"""One table of route and role: a new address without a row here fails."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.test import Client
from django.urls import URLPattern

from counting.api.urls import urlpatterns
from counting.models import Study
from tests.counting.conftest import People, upload
from tests.counting.doors import ROLES, address_of
from tests.counting.pictures import smear_file

pytestmark = pytest.mark.django_db

# name, method, body, then what alice (admin), rita (reviewer), bob (reader), charlie (a stranger)
# and nobody (not signed in) get.
Row = tuple[str, str, dict[str, Any] | None, int, int, int, int, int]
SLIDE = {"study": 0, "code": "S9"}
SETUP = {"cell_type": "PLT", "microscope": "M1", "objective": "100x"}
SAMPLE = {"code": "K9", "analyzer_value": 7200, "mean_count": 2.4}
TABLE: tuple[Row, ...] = (
    ("api-schema", "get", None, 200, 200, 200, 200, 200),
    ("api-status", "get", None, 200, 200, 200, 200, 401),
    ("api-token", "post", {}, 400, 400, 400, 400, 400),
    ("api-studies", "get", None, 200, 200, 200, 200, 401),
    ("api-studies", "post", {"name": "N"}, 201, 400, 400, 201, 401),
    ("api-study", "get", None, 200, 200, 200, 404, 401),
    ("api-study", "patch", {"name": "N"}, 200, 403, 403, 404, 401),
    ("api-cell-types", "post", {"code": "RET", "name": "R", "key": "e"}, 201, 403, 403, 404, 401),
    ("api-next", "get", None, 200, 200, 200, 404, 401),
    ("api-counts", "get", None, 200, 200, 200, 404, 401),
    ("api-members", "get", None, 200, 200, 200, 404, 401),
    ("api-members", "post", {"username": "charlie"}, 201, 403, 403, 404, 401),
    ("api-member", "patch", {"role": "reviewer"}, 200, 403, 403, 404, 401),
    ("api-member", "delete", None, 204, 403, 403, 404, 401),
    ("api-invitations", "post", {}, 201, 403, 403, 404, 401),
    ("api-invitations", "get", None, 200, 403, 403, 404, 401),
    ("api-invitation", "delete", None, 204, 403, 403, 404, 401),
    ("api-models", "get", None, 200, 200, 200, 404, 401),
    ("api-promote", "post", {"overrule": True}, 200, 403, 403, 404, 401),
    ("api-training-runs", "get", None, 200, 200, 200, 404, 401),
    ("api-training-runs", "post", None, 409, 403, 403, 404, 401),
    ("api-training-run", "get", None, 200, 200, 200, 404, 401),
    ("api-training-run-cancel", "post", None, 200, 403, 403, 404, 401),
    ("api-slides", "get", None, 200, 200, 200, 200, 401),
    ("api-slides", "post", SLIDE, 201, 201, 201, 404, 401),
    ("api-slide", "get", None, 200, 200, 200, 404, 401),
    ("api-slide", "patch", {"stain": "Giemsa"}, 200, 200, 200, 404, 401),
    ("api-slide", "delete", None, 409, 403, 409, 404, 401),
    ("api-so-far", "get", None, 200, 200, 200, 404, 401),
    ("api-imports", "post", {"archive": None}, 400, 400, 400, 404, 401),
    ("api-import", "get", None, 200, 200, 200, 404, 401),
    ("api-import-cancel", "post", None, 200, 200, 200, 404, 401),
    ("api-report", "get", None, 200, 200, 200, 404, 401),
    ("api-agreement", "get", None, 200, 200, 200, 404, 401),
    ("api-calibrations", "get", None, 200, 200, 200, 404, 401),
    ("api-calibrations", "post", SETUP, 201, 201, 403, 404, 401),
    ("api-calibration", "get", None, 200, 200, 200, 404, 401),
    ("api-calibration", "delete", None, 204, 204, 403, 404, 401),
    ("api-calibration-samples", "post", SAMPLE, 201, 201, 403, 404, 401),
    ("api-calibration-sample", "delete", None, 204, 204, 403, 404, 401),
    ("api-fields", "get", None, 200, 200, 200, 404, 401),
    ("api-fields", "post", {"image": None}, 201, 201, 201, 404, 401),
    ("api-field", "get", None, 200, 200, 200, 404, 401),
    ("api-field", "delete", None, 409, 403, 409, 404, 401),
    ("api-predict", "post", None, 202, 202, 202, 404, 401),
    # The field of this table is small, and its tiles are made: there is nothing to cancel.
    ("api-tiles", "post", None, 202, 202, 202, 404, 401),
    ("api-tiles-cancel", "post", None, 400, 400, 400, 404, 401),
    ("api-readings", "post", {"counts": {"RBC": 1}, "replace": True}, 201, 201, 201, 404, 401),
    ("api-review", "get", None, 200, 200, 403, 404, 401),
    # Nothing differs here: a reviewer is told so, a reader may not rule at all.
    ("api-rulings", "post", {"reading": 1}, 400, 400, 403, 404, 401),
    ("api-rulings", "delete", None, 400, 400, 403, 404, 401),
    ("api-flag", "post", {"reason": "focus"}, 201, 201, 201, 404, 401),
    ("api-flag", "delete", None, 400, 400, 403, 404, 401),
    ("api-comments", "get", None, 200, 200, 200, 404, 401),
    ("api-comments", "post", {"text": "Smudge at the edge."}, 201, 201, 201, 404, 401),
)


def test_every_address_has_a_row() -> None:
    known = {row[0] for row in TABLE}
    assert known == {route.name for route in urlpatterns if isinstance(route, URLPattern)}


def options(name: str, method: str, body: Any, ids: dict[str, Any], file: bytes) -> dict[str, Any]:
    """Return what a test client sends with a row's request; an upload sends the file."""
    if method == "get":
        return {"data": {"slide": ids["slide_id"]} if name == "api-fields" else {}}
    if name in ("api-fields", "api-imports"):
        kind = "image" if name == "api-fields" else "archive"
        return {"data": {"slide": ids["slide_id"], kind: upload(file, "x.png")}}
    content = {**body, "study": ids["study_id"]} if body is SLIDE else body
    return {"data": content or {}, "content_type": "application/json"}


@pytest.mark.parametrize("role", ROLES)
@pytest.mark.parametrize("row", TABLE, ids=lambda row: f"{row[0]}-{row[1]}")
def test_each_role_gets_what_the_table_says(
    row: Row,
    role: str,
    ids: dict[str, Any],
    people: People,
    client_of: Callable[[User | None], Client],
) -> None:
    name, method, body, *wanted = row
    client = client_of(getattr(people, role, None))
    asked = options(name, method, body, ids, smear_file(2))
    answer = getattr(client, method)(address_of(name, ids), **asked)
    assert answer.status_code == wanted[ROLES.index(role)], answer.content[:300]
    if answer.status_code >= 400:
        assert answer.json()["detail"]


def test_ids_that_do_not_exist_look_like_those_of_others(
    bob: Client, other_study: Study, study: Study
) -> None:
    assert bob.get(f"/api/v1/studies/{study.pk}/").status_code == 200
    there = bob.get(f"/api/v1/studies/{other_study.pk}/")
    nowhere = bob.get("/api/v1/studies/999999/")
    assert there.status_code == nowhere.status_code == 404
    assert there.json() == nowhere.json()


def test_a_session_needs_the_csrf_token(people: People, study: Study) -> None:
    client = Client(enforce_csrf_checks=True)
    client.force_login(people.alice, backend="django.contrib.auth.backends.ModelBackend")

    def rename(**headers: str) -> int:
        return client.patch(
            f"/api/v1/studies/{study.pk}/",
            {"name": "N"},
            content_type="application/json",
            headers=headers,
        ).status_code

    assert rename() == 403
    client.get(f"/studies/{study.pk}/")
    assert rename(**{"X-CSRFToken": client.cookies[settings.CSRF_COOKIE_NAME].value}) == 200
