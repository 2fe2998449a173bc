"""An invitation link lets one person in, for as long as who made it may invite."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client

from counting.dates import moment
from counting.models import AuditEntry, Invitation, Membership, Role, Study
from counting.services import studies, tokens
from tests.counting.conftest import PASSWORD, People

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


def test_a_link_ends_with_the_account_of_who_made_it(
    study: Study,
    people: People,
    second_admin: Membership,
    client_of: Callable[[User | None], Client],
) -> None:
    rita, nobody = client_of(people.rita), client_of(None)
    address = link(rita, study, "admin")
    assert nobody.get(address).status_code == 200
    tokens.close_account(user=people.rita)
    assert nobody.get(address).status_code == 404
    account = {"username": "rita-again", "password": PASSWORD}
    assert nobody.post(address, account).status_code == 404
    assert not User.objects.filter(username="rita-again").exists()


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


def test_an_open_invitation_is_listed_and_can_be_taken_back(
    alice: Client, bob: Client, study: Study, people: People, client_of: Callable[..., Client]
) -> None:
    address, other = link(alice, study, "reviewer"), link(alice, study, "reader")
    api = f"/api/v1/studies/{study.pk}/invitations/"
    rows = alice.get(api).json()["results"]
    assert [(row["role"], row["invited_by"]) for row in rows] == [
        ("reader", "alice"),
        ("reviewer", "alice"),
    ]
    page = alice.get(f"/studies/{study.pk}/members/").content.decode()
    assert page.count("Take back</") + page.count("Take back<span") == 3  # the column and each row
    assert page.count(f"<td>{moment(Invitation.objects.latest('pk').expires_at)}</td>") >= 1
    # Not for readers, and without the links themselves.
    assert "Open invitations" not in bob.get(f"/studies/{study.pk}/members/").content.decode()
    assert not any(each in page for each in (address, other))

    revoke = f"/studies/{study.pk}/invitations/{rows[1]['id']}/revoke/"
    assert bob.post(revoke).status_code == 403
    assert "taken back" in alice.post(revoke, follow=True).content.decode()
    assert client_of(people.charlie).post(address).status_code == 404
    entry = AuditEntry.objects.get(action="member.uninvite")
    assert (entry.actor, entry.old) == (people.alice, {"role": "reviewer", "email": ""})
    assert "over already" in alice.post(revoke, follow=True).content.decode()

    assert alice.delete(f"{api}{rows[0]['id']}/").status_code == 204
    assert client_of(people.charlie).post(other).status_code == 404
    assert alice.get(api).json()["results"] == []


def test_the_page_asks_before_a_member_is_out(alice: Client, study: Study, people: People) -> None:
    member = Membership.objects.get(study=study, user=people.bob)
    page = alice.get(f"/studies/{study.pk}/members/").content.decode()
    question = page[: page.index(f"/members/{member.pk}/remove/")].rpartition("<details")[2]
    assert "</details>" not in question
    assert "bob can open the study no more" in page
