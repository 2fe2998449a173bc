"""A field that someone else counted while its first reader's draft lay too long."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from counting.models import Field, Lease, Membership, ReferenceCount, Role, Slide
from tests.counting.conftest import People, bare_fields

pytestmark = pytest.mark.django_db

Send = Callable[..., Any]


@pytest.fixture
def drafted(slide: Slide, bob: Client) -> Field:
    """A field that Bob has drafted and that nobody keeps for him any more."""
    (field,) = bare_fields(slide, 1)
    draft = {"counts": {"RBC": 10}, "submit": False, "version": 0, "tab": "b"}
    address = f"/api/v1/fields/{field.pk}/readings/"
    assert bob.post(address, draft, content_type="application/json").status_code == 201
    Lease.objects.update(expires_at=timezone.now())
    return field


@pytest.fixture
def submit(drafted: Field) -> Send:
    def send(client: Client, cells: int, **more: object) -> Any:
        body = {"counts": {"RBC": cells}, "tab": "b", **more}
        address = f"/api/v1/fields/{drafted.pk}/readings/"
        return client.post(address, body, content_type="application/json")

    return send


@pytest.fixture
def charlie(drafted: Field, people: People, client_of: Callable[[User], Client]) -> Client:
    Membership.objects.create(study=drafted.study, user=people.charlie, role=Role.READER)
    return client_of(people.charlie)


def reference() -> tuple[str, int]:
    row = ReferenceCount.objects.get(superseded_at=None)
    return row.reading.reader.get_username(), row.counts["RBC"]


def test_nobody_s_count_is_replaced_without_a_word(
    drafted: Field, submit: Send, bob: Client, charlie: Client
) -> None:
    assert submit(charlie, 200).status_code == 201
    told = submit(bob, 11, version=1)
    assert (told.status_code, told.json()["code"]) == (409, "counted")
    assert told.json()["detail"].startswith("charlie has counted this field meanwhile")
    assert reference() == ("charlie", 200)
    mine = bob.get(f"/api/v1/fields/{drafted.pk}/").json()["my_reading"]
    assert (mine["state"], mine["counts"]) == ("draft", {"RBC": 11})

    on_purpose = submit(bob, 11, version=told.json()["version"], replace=True)
    assert on_purpose.status_code == 201
    assert reference() == ("bob", 11)
    # What was submitted once is corrected as ever.
    assert submit(bob, 12, version=on_purpose.json()["version"]).status_code == 201
    assert reference() == ("bob", 12)


def test_a_late_draft_of_what_nobody_else_counted_is_submitted_as_ever(
    submit: Send, bob: Client
) -> None:
    assert submit(bob, 11, version=1).status_code == 201
    assert reference() == ("bob", 11)


def test_replacing_is_said_by_true_or_false(submit: Send, bob: Client) -> None:
    refused = submit(bob, 11, replace="yes")
    assert (refused.status_code, refused.json()["code"]) == (400, "replace")
