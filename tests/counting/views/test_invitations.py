"""An invitation link lets one person in, for as long as who made it may invite."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from counting.models import AuditEntry, Invitation, Membership, Role, Study
from counting.services import studies
from tests.counting.conftest import People

pytestmark = pytest.mark.django_db


def link(admin: Client, study: Study, role: str) -> str:
    """Make an invitation and return its address."""
    address = f"/api/v1/studies/{study.pk}/invitations/"
    answer = admin.post(address, {"role": role}, content_type="application/json")
    assert answer.status_code == 201
    return str(answer.json()["url"])


@pytest.fixture
def second_admin(study: Study, people: People) -> Membership:
    member = Membership.objects.get(study=study, user=people.rita)
    return studies.set_role(membership=member, actor=people.alice, role="admin")


@pytest.mark.parametrize("way", ["removed", "reviewer", "reader"])
def test_a_link_ends_with_the_office_of_who_made_it(
    alice: Client,
    study: Study,
    people: People,
    second_admin: Membership,
    client_of: Callable[[User | None], Client],
    way: str,
) -> None:
    rita = client_of(people.rita)
    hers, other = link(rita, study, "admin"), link(alice, study, "reader")
    assert rita.get(hers).status_code == 200

    if way == "removed":
        answer = alice.delete(f"/api/v1/studies/{study.pk}/members/{second_admin.pk}/")
    else:
        answer = alice.patch(
            f"/api/v1/studies/{study.pk}/members/{second_admin.pk}/",
            {"role": way},
            content_type="application/json",
        )
    assert answer.status_code in (200, 204)

    for client in (rita, client_of(people.charlie)):
        assert client.get(hers).status_code == 404
        assert client.post(hers).status_code == 404
    assert not Membership.objects.filter(study=study, user=people.rita, role=Role.ADMIN).exists()
    assert not Membership.objects.filter(study=study, user=people.charlie).exists()
    # Nor does it come back with the office; what others invited stays good.
    Membership.objects.update_or_create(
        study=study, user=people.rita, defaults={"role": Role.ADMIN}
    )
    assert rita.get(hers).status_code == 404
    assert client_of(people.charlie).post(other).status_code == 302
    assert Membership.objects.get(study=study, user=people.charlie).role == Role.READER


def test_a_link_from_before_an_admin_left_by_any_other_way_is_not_good(
    alice: Client, study: Study, people: People, second_admin: Membership, bob: Client
) -> None:
    address = link(alice, study, "admin")
    assert bob.get(address).status_code == 200
    Membership.objects.filter(study=study, user=people.alice).update(role=Role.REVIEWER)
    assert bob.post(address).status_code == 404
    assert Invitation.objects.get().accepted_at is None


def test_a_member_gets_a_higher_role_by_a_link_and_never_a_lower_one(
    alice: Client, bob: Client, study: Study, people: People, client_of: Callable[..., Client]
) -> None:
    address = link(alice, study, "reviewer")
    # Nothing would change for an admin and a reviewer: they leave the link to who it is for.
    for client, role in ((alice, Role.ADMIN), (client_of(people.rita), Role.REVIEWER)):
        answer = client.post(address)
        assert (answer.status_code, b"a member of this study already" in answer.content) == (
            409,
            True,
        )
        assert Membership.objects.filter(
            study=study, user=answer.wsgi_request.user, role=role
        ).exists()
    assert Invitation.objects.get().accepted_by is None

    assert bob.post(address).status_code == 302
    assert Membership.objects.get(study=study, user=people.bob).role == Role.REVIEWER
    assert Invitation.objects.get().accepted_by == people.bob
    entry = AuditEntry.objects.filter(action="member.role").get()
    assert (entry.actor, entry.old) == (people.bob, {"user": "bob", "role": "reader"})
    assert entry.new == {"user": "bob", "role": "reviewer", "invitation": True}
    assert bob.post(address).status_code == 404
