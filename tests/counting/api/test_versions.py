"""Two tabs of one reader: the second save is told what the first saved, and overwrites nothing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from counting.models import Field, Reading
from tests.counting.conftest import People

pytestmark = pytest.mark.django_db


def save(client: Client, field: Field, rbc: int, *, submit: bool = False, **more: Any) -> Any:
    body = {"counts": {"RBC": rbc}, "method": "typing", "submit": submit, **more}
    return client.post(
        f"/api/v1/fields/{field.pk}/readings/", body, content_type="application/json"
    )


def kept(field: Field) -> list[tuple[str, int]]:
    return [(row.state, row.counts["RBC"]) for row in field.readings.order_by("revision")]


def test_a_save_based_on_an_older_version_is_told_both(bob: Client, field: Field) -> None:
    first = save(bob, field, 3, version=0, tab="one")
    assert (first.status_code, first.json()["version"]) == (201, 1)
    told = save(bob, field, 4, version=0, tab="two")
    assert told.status_code == 409
    body = told.json()
    assert body["code"] == "newer"
    assert (body["mine"]["counts"], body["mine"]["version"]) == ({"RBC": 4}, 0)
    assert (body["other"]["counts"], body["other"]["version"]) == ({"RBC": 3}, 1)
    assert body["other"]["state"] == "draft"
    assert kept(field) == [("draft", 3)]

    # Use mine: based on what the other tab saved.
    assert save(bob, field, 4, version=1, tab="two").json()["version"] == 2
    assert kept(field) == [("draft", 4)]
    assert save(bob, field, 5, version=1, tab="one").status_code == 409


def test_submitting_over_a_submission_from_another_tab_is_told(bob: Client, field: Field) -> None:
    save(bob, field, 3, version=0, tab="one")
    assert save(bob, field, 3, submit=True, version=1, tab="one").json()["version"] == 2
    told = save(bob, field, 9, submit=True, version=1, tab="two")
    assert told.status_code == 409
    assert "You submitted this field from another tab" in told.json()["detail"]
    assert told.json()["other"]["state"] == "submitted"
    assert kept(field) == [("submitted", 3)]
    assert save(bob, field, 9, submit=True, version=2, tab="two").status_code == 201
    assert kept(field) == [("submitted", 3), ("submitted", 9)]


def test_a_lost_answer_is_no_conflict(bob: Client, field: Field) -> None:
    save(bob, field, 3, version=0, tab="one")
    # The answer never came: the tab says the same again, then goes on counting.
    assert save(bob, field, 3, version=0, tab="one").json()["version"] == 1
    assert save(bob, field, 4, version=0, tab="one").json()["version"] == 2
    # Another tab that holds the very same counts has nothing to be told either.
    assert save(bob, field, 4, version=0, tab="two").json()["version"] == 2
    assert save(bob, field, 4, submit=True, version=1, tab="one").json()["version"] == 3
    again = save(bob, field, 4, submit=True, version=1, tab="one")
    assert (again.status_code, again.json()["revision"]) == (201, 1)
    assert kept(field) == [("submitted", 4)]


def test_without_a_version_nothing_is_compared(bob: Client, field: Field) -> None:
    for number in (1, 2, 3):
        assert save(bob, field, number).status_code == 201
    assert kept(field) == [("draft", 3)]


def test_counts_of_one_person_are_not_saved_as_another_s(
    bob: Client, client_of: Callable[[User], Client], field: Field, people: People
) -> None:
    """Somebody else signed in at the same computer while a tab with counts was open."""
    stranger = client_of(people.charlie)
    for other in (bob, stranger):
        told = save(other, field, 3, reader=people.rita.pk)
        assert (told.status_code, told.json()["code"]) == (409, "reader")
    # It says nothing of the field.
    gone = Field(pk=field.pk + 1)
    assert save(stranger, gone, 3, reader=people.rita.pk).json() == told.json()
    assert save(stranger, field, 3, reader=people.charlie.pk).status_code == 404
    assert not Reading.objects.exists()
    assert save(bob, field, 3, reader=people.bob.pk).status_code == 201


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"version": -1}, "The version is the whole number"),
        ({"version": "1"}, "The version is the whole number"),
        ({"version": True}, "The version is the whole number"),
        ({"tab": "a b"}, "The tab is a short word"),
        ({"tab": 7}, "The tab is a short word"),
    ],
)
def test_a_version_or_tab_that_cannot_be_is_refused(
    bob: Client, field: Field, more: dict[str, Any], words: str
) -> None:
    refused = save(bob, field, 3, **more)
    assert refused.status_code == 400
    assert words in refused.json()["detail"]
    assert not Reading.objects.exists()


def test_the_field_tells_the_version_of_my_reading(bob: Client, field: Field) -> None:
    save(bob, field, 3)
    save(bob, field, 4)
    assert bob.get(f"/api/v1/fields/{field.pk}/").json()["my_reading"]["version"] == 2
