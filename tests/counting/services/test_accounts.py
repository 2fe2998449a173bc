"""What an operator ends at the server: a user's tokens, or the whole account."""

from __future__ import annotations

from collections.abc import Callable
from io import StringIO

import pytest
from django.contrib.auth.models import User
from django.core.management import CommandError, call_command
from django.test import Client

from counting.models import ApiToken, AuditEntry, Role, Study
from counting.services import studies
from counting.services.tokens import create_token
from tests.counting.conftest import PASSWORD, People

pytestmark = pytest.mark.django_db

STUDIES = "/api/v1/studies/"


def told(command: str, username: str) -> str:
    """Run a command of manage.py and return what it prints."""
    out = StringIO()
    call_command(command, username, stdout=out)
    return out.getvalue().strip()


def status(token: str) -> int:
    """Ask as a script with this token."""
    return Client().get(STUDIES, headers={"authorization": f"Bearer {token}"}).status_code


@pytest.fixture
def held(people: People) -> list[str]:
    """Bob's two tokens."""
    return [create_token(user=people.bob) for _ in range(2)]


def test_revoked_tokens_are_good_no_more_and_others_are(people: People, held: list[str]) -> None:
    other = create_token(user=people.rita)
    assert [status(token) for token in (*held, other)] == [200, 200, 200]
    assert told("revoke_tokens", "bob") == "API tokens of bob deleted: 2."
    assert [status(token) for token in (*held, other)] == [401, 401, 200]
    entry = AuditEntry.objects.get(action="token.revoke")
    assert (entry.actor, entry.object_id, entry.old) == (None, str(people.bob.pk), {"tokens": 2})
    assert told("revoke_tokens", "bob") == "API tokens of bob deleted: 0."
    assert status(create_token(user=people.bob)) == 200


def test_a_closed_account_lets_nobody_in(people: People, held: list[str], bob: Client) -> None:
    assert (bob.get("/").status_code, bob.get(STUDIES).status_code) == (200, 200)
    assert told("close_account", "bob") == "The account bob is closed. API tokens deleted: 2."
    page = bob.get("/")
    assert (page.status_code, page["Location"]) == (302, "/accounts/login/?next=/")
    assert bob.get(STUDIES).status_code == 401
    assert [status(token) for token in held] == [401, 401]
    assert not ApiToken.objects.exists()

    form = {"username": "bob", "password": PASSWORD}
    assert Client().post("/accounts/login/", form).status_code == 200  # the form again
    asked = Client().post("/api/v1/auth/token/", form, content_type="application/json")
    assert asked.status_code == 401
    entry = AuditEntry.objects.get(action="account.close")
    assert (entry.object_id, entry.new) == (str(people.bob.pk), {"active": False})
    assert User.objects.get(username="bob").pk == people.bob.pk  # what bob counted keeps its name


def test_a_closed_account_is_no_admin_and_the_operator_is_told(
    study: Study, other_study: Study, people: People, client_of: Callable[[User], Client]
) -> None:
    """Alice and Rita are the study's admins; of Charlie's study none of them is."""
    members = {row.user: row for row in study.memberships.all()}
    studies.set_role(membership=members[people.rita], actor=people.alice, role=Role.ADMIN)
    assert "no admin" not in told("close_account", "alice")
    # Rita is the last one who can be asked: she stays.
    address = f"/api/v1/studies/{study.pk}/members/{members[people.rita].pk}/"
    rita = client_of(people.rita)
    for answer in (
        rita.delete(address),
        rita.patch(address, {"role": "reader"}, content_type="application/json"),
    ):
        assert (answer.status_code, answer.json()["code"]) == (400, "last_admin")
    assert told("close_account", "rita").splitlines()[1:] == [
        f"Study {study.pk} (Ward 7) has no admin now."
    ]
    assert "no admin" not in told("close_account", "bob")


@pytest.mark.parametrize("command", ["revoke_tokens", "close_account"])
def test_an_unknown_account_is_told(people: People, command: str) -> None:
    with pytest.raises(CommandError, match="There is no account nobody"):
        told(command, "nobody")
