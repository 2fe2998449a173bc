"""The audit trail names who did what, and cannot be changed."""

from __future__ import annotations

import pytest
from django.test import Client

from counting.models import AuditEntry, Field
from tests.counting.conftest import PASSWORD, People, count

pytestmark = pytest.mark.django_db


def test_signing_in_and_out_leaves_a_trace(people: People) -> None:
    client = Client()
    client.post("/accounts/login/", {"username": "bob", "password": "wrong"})
    assert not AuditEntry.objects.exists()
    client.post("/accounts/login/", {"username": "bob", "password": PASSWORD})
    client.post("/accounts/logout/")
    entries = AuditEntry.objects.values_list("actor__username", "action")
    assert list(entries) == [("bob", "sign_in"), ("bob", "sign_out")]


def test_an_entry_cannot_be_changed_or_deleted(field: Field, people: People) -> None:
    count(field, people.bob, RBC=8)
    entry = AuditEntry.objects.filter(action="reading.submit").get()
    assert (entry.actor, entry.study_id) == (people.bob, field.study_id)
    entry.action = "nothing"
    with pytest.raises(TypeError):
        entry.save()
    with pytest.raises(TypeError):
        entry.delete()
    assert AuditEntry.objects.get(pk=entry.pk).action == "reading.submit"


def test_every_change_of_members_is_there(alice: Client, field: Field) -> None:
    members = f"/api/v1/studies/{field.study_id}/members/"
    made = alice.post(members, {"username": "charlie"}, content_type="application/json").json()
    alice.patch(f"{members}{made['id']}/", {"role": "admin"}, content_type="application/json")
    alice.delete(f"{members}{made['id']}/")
    trail = AuditEntry.objects.filter(action__startswith="member.").values_list("action", "new")
    assert list(trail) == [
        ("member.add", {"user": "charlie", "role": "reader"}),
        ("member.role", {"user": "charlie", "role": "admin"}),
        ("member.remove", None),
    ]


def test_the_last_admin_stays(alice: Client, field: Field) -> None:
    members = f"/api/v1/studies/{field.study_id}/members/"
    rows = alice.get(members).json()["results"]
    me = next(row for row in rows if row["role"] == "admin")
    for answer in (
        alice.patch(f"{members}{me['id']}/", {"role": "reader"}, content_type="application/json"),
        alice.delete(f"{members}{me['id']}/"),
    ):
        assert answer.status_code == 400
        assert "needs an admin" in answer.json()["detail"]
