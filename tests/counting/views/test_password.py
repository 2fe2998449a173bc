"""One's own password is changed on a page, and what the old one opened ends."""

from __future__ import annotations

import html
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from counting.models import ApiToken, AuditEntry
from counting.services.tokens import create_token
from tests.counting.conftest import PASSWORD, People

pytestmark = pytest.mark.django_db

ADDRESS = "/accounts/password/"
NEW = "seven-violet-platelets"


@pytest.fixture
def elsewhere(people: People, client_of: Callable[[User], Client]) -> Client:
    """Bob, signed in on another computer."""
    return client_of(people.bob)


@pytest.fixture
def held(people: People) -> list[str]:
    """Tokens of Bob, and one of Rita's last."""
    return [create_token(user=user) for user in (people.bob, people.bob, people.rita)]


def change(client: Client, old: str = PASSWORD, new: str = NEW, again: str = "") -> Any:
    form = {"old_password": old, "new_password1": new, "new_password2": again or new}
    return client.post(ADDRESS, form, follow=True)


def signs_in(password: str) -> bool:
    """Tell whether Bob gets in with this password."""
    form = {"username": "bob", "password": password}
    return Client().post("/accounts/login/", form).status_code == 302


def statuses(tokens: list[str]) -> list[int]:
    """Ask as scripts with these tokens."""
    headers = [{"authorization": f"Bearer {token}"} for token in tokens]
    return [Client().get("/api/v1/studies/", headers=each).status_code for each in headers]


def test_a_new_password_ends_tokens_and_other_sessions_and_keeps_this_one(
    bob: Client, elsewhere: Client, held: list[str], people: People
) -> None:
    assert f'href="{ADDRESS}"' in bob.get("/").content.decode()
    assert "all your API tokens are deleted" in bob.get(ADDRESS).content.decode()
    answer = change(bob)
    assert answer.redirect_chain == [("/", 302)]
    told = "Your password is changed, and 2 API tokens of yours are deleted."
    assert told in answer.content.decode()
    assert elsewhere.get("/").status_code == 302
    assert statuses(held) == [401, 401, 200]
    assert (signs_in(PASSWORD), signs_in(NEW)) == (False, True)
    entries = AuditEntry.objects.filter(actor=people.bob, object_id=str(people.bob.pk))
    actions = set(entries.values_list("action", flat=True))
    assert {"password.change", "token.revoke"} <= actions


def test_without_tokens_none_is_spoken_of(bob: Client) -> None:
    assert "Your password is changed.<" in change(bob).content.decode()


@pytest.mark.parametrize(
    ("form", "sentences"),
    [
        ({"old": "wrong"}, ["Your old password was entered incorrectly."]),
        ({"again": "something-else"}, ["The two password fields didn’t match."]),
        (
            {"new": "1234"},
            ["It must contain at least 10 characters.", "too common.", "entirely numeric."],
        ),
    ],
)
def test_a_refused_change_says_why_and_changes_nothing(
    bob: Client, elsewhere: Client, held: list[str], form: dict[str, str], sentences: list[str]
) -> None:
    answer = change(bob, **form)
    page = html.unescape(answer.content.decode())
    assert answer.status_code == 400
    assert [sentence for sentence in sentences if sentence not in page] == []
    assert page.count('-error">') == 1
    assert statuses(held) == [200, 200, 200]
    assert ApiToken.objects.count() == 3
    assert elsewhere.get("/").status_code == 200
    assert (signs_in(PASSWORD), signs_in(NEW)) == (True, False)


def test_guesses_of_the_old_password_count_as_those_at_the_door(bob: Client) -> None:
    assert [change(bob, old=f"guess {n}").status_code for n in range(9)] == [400] * 9
    assert change(bob, old="guess 9").status_code == 429
    assert change(bob).status_code == 429
    assert not signs_in(PASSWORD)
