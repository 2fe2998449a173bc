"""A reader corrects their count after a reviewer has ruled: nothing is lost, and both are told."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from counting.models import Field, Membership, ReferenceCount, Role, Study
from tests.counting.conftest import People, count

pytestmark = pytest.mark.django_db


@pytest.fixture
def ruled(study: Study, field: Field, people: People, alice: Client) -> Field:
    """Bob counted 8 red cells, Rita 20, and Alice ruled that Bob's count holds."""
    Study.objects.filter(pk=study.pk).update(readers_per_field=2)
    count(field, people.bob, RBC=8)
    count(field, people.rita, RBC=20)
    rule(alice, field, field.readings.get(reader=people.bob).pk)
    return field


def rule(client: Client, field: Field, reading: int, **more: int) -> Any:
    body = {"reading": reading, **more}
    return client.post(f"/api/v1/fields/{field.pk}/rulings/", body, content_type="application/json")


def send(client: Client, field: Field, red: int, *, submit: bool = True) -> dict[str, Any]:
    body = {"counts": {"RBC": red}, "submit": submit}
    address = f"/api/v1/fields/{field.pk}/readings/"
    found: dict[str, Any] = client.post(address, body, content_type="application/json").json()
    return found


def waiting(client: Client, field: Field) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = client.get(f"/api/v1/studies/{field.study_id}/review/").json()[
        "results"
    ]
    return found


def held(field: Field) -> tuple[str, int]:
    row = ReferenceCount.objects.get(field=field, superseded_at=None)
    return row.basis, row.counts["RBC"]


def test_the_reader_is_told_whose_ruling_holds(
    bob: Client, alice: Client, ruled: Field, client_of: Callable[[User], Client]
) -> None:
    address = f"/api/v1/fields/{ruled.pk}/"
    assert bob.get(address).json()["ruled_by"] == "alice"
    assert send(bob, ruled, 15, submit=False)["ruled_by"] == ""
    assert send(bob, ruled, 15)["ruled_by"] == "alice"
    assert held(ruled) == ("ruling", 8)
    assert bob.get(address).json()["my_reading"]["counts"] == {"RBC": 15}

    # Not who has not counted the field, and nobody is told of their own ruling.
    carol = User.objects.create_user("carol")
    Membership.objects.create(study=ruled.study, user=carol, role=Role.READER)
    assert client_of(carol).get(address).json()["ruled_by"] == ""
    assert send(alice, ruled, 14)["ruled_by"] == ""


def test_a_correction_beyond_the_tolerance_brings_the_field_back_to_the_reviewer(
    bob: Client, alice: Client, ruled: Field
) -> None:
    assert waiting(alice, ruled) == []
    send(bob, ruled, 9)  # one cell is always allowed
    assert waiting(alice, ruled) == []
    first = ruled.readings.get(reader__username="bob", revision=1).pk
    send(bob, ruled, 15)
    (found,) = waiting(alice, ruled)
    assert (found["first"]["counts"], found["second"]["counts"]) == ({"RBC": 15}, {"RBC": 20})
    assert (found["ruled"]["id"], found["ruled"]["counts"]) == (first, {"RBC": 8})
    assert held(ruled) == ("ruling", 8)

    page = alice.get(f"/studies/{ruled.study_id}/review/").content.decode()
    assert "The ruling holds until you decide again: Red cells 8." in page
    assert "The ruling stays" in page
    chosen, other = found["first"]["id"], found["second"]["id"]
    assert rule(alice, ruled, chosen, against=other).status_code == 201
    assert held(ruled) == ("ruling", 15)
    assert waiting(alice, ruled) == []


def test_the_ruling_can_stay_and_the_correction_is_settled(
    bob: Client, alice: Client, ruled: Field
) -> None:
    first = ruled.readings.get(reader__username="bob").pk
    send(bob, ruled, 15)
    (found,) = waiting(alice, ruled)
    address, seen = f"/fields/{ruled.pk}/rule/", [found["first"]["id"], found["second"]["id"]]
    send(bob, ruled, 16)
    # What the reviewer saw is corrected again meanwhile.
    told = alice.post(address, {"reading": first, "shown": seen}, follow=True)
    assert "corrected this count meanwhile" in told.content.decode()
    (found,) = waiting(alice, ruled)
    seen = [found["first"]["id"], found["second"]["id"]]
    alice.post(address, {"reading": first, "shown": seen})
    assert held(ruled) == ("ruling", 8)
    assert waiting(alice, ruled) == []
    send(bob, ruled, 17)
    assert len(waiting(alice, ruled)) == 1


def test_a_reviewer_who_ruled_by_a_count_of_their_own_sees_the_correction(
    bob: Client, alice: Client, ruled: Field, people: People
) -> None:
    send(bob, ruled, 15)
    send(alice, ruled, 12)
    assert held(ruled) == ("ruling", 12)
    assert waiting(alice, ruled) == []
    # Both readers agree now, but not with the ruling: only a reviewer's word changes that.
    send(bob, ruled, 20)
    (found,) = waiting(alice, ruled)
    assert found["ruled"]["counts"] == {"RBC": 12}
    assert found["apart"] == []
    send(alice, ruled, 20)
    assert held(ruled) == ("ruling", 20)
    assert waiting(alice, ruled) == []


def test_another_reviewer_can_count_again_where_the_readers_agree_by_now(
    bob: Client, alice: Client, ruled: Field, client_of: Callable[[User], Client]
) -> None:
    dora = User.objects.create_user("dora")
    Membership.objects.create(study=ruled.study, user=dora, role=Role.REVIEWER)
    send(bob, ruled, 20)
    assert len(waiting(client_of(dora), ruled)) == 1
    send(client_of(dora), ruled, 19)
    assert held(ruled) == ("ruling", 19)
    assert waiting(alice, ruled) == []


def test_a_reader_does_not_rule_on_their_own_correction(
    bob: Client, ruled: Field, people: People, client_of: Callable[[User], Client]
) -> None:
    rita = client_of(people.rita)
    send(bob, ruled, 15)
    assert waiting(rita, ruled) == []
    seen = ruled.readings.get(reader=people.rita).pk
    assert rule(rita, ruled, seen).json()["code"] == "own_reading"
    send(rita, ruled, 30)
    assert held(ruled) == ("ruling", 8)
