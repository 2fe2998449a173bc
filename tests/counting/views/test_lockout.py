"""Too many bad tries lock a name for the address they come from, and for nobody else."""

from __future__ import annotations

from typing import Any

import pytest
from django.test import Client

from tests.counting.conftest import PASSWORD, People

pytestmark = pytest.mark.django_db

PROXY = "10.0.0.1"


def sign_in(password: str, peer: str, forwarded: str = "") -> int:
    """Try to sign in as Bob from `peer`; return the answer's status."""
    headers = {"x-forwarded-for": forwarded} if forwarded else None
    form = {"username": "bob", "password": password}
    answer = Client(REMOTE_ADDR=peer).post("/accounts/login/", form, headers=headers)
    return answer.status_code


def test_a_stranger_behind_the_same_proxy_does_not_lock_bob_out(
    people: People, settings: Any
) -> None:
    settings.BEHIND_PROXY = True
    # What a visitor claims comes first, what the proxy saw comes last.
    tries = [sign_in("wrong", PROXY, f"192.0.2.{n}, 198.51.100.7") for n in range(10)]
    assert (set(tries[:9]), tries[9]) == ({200}, 429)
    assert sign_in(PASSWORD, PROXY, "198.51.100.7") == 429
    assert sign_in(PASSWORD, PROXY, "198.51.100.7, 198.51.100.8") == 302


def test_without_a_proxy_its_header_is_not_believed(people: People) -> None:
    for n in range(10):
        sign_in("wrong", "198.51.100.7", f"192.0.2.{n}")
    assert sign_in(PASSWORD, "198.51.100.7", "192.0.2.99") == 429
    assert sign_in(PASSWORD, "198.51.100.8") == 302


@pytest.mark.parametrize("forwarded", ["", "unknown", "198.51.100.7, "])
def test_a_header_that_is_no_address_counts_as_the_proxys(
    people: People, settings: Any, forwarded: str
) -> None:
    settings.BEHIND_PROXY = True
    for _ in range(10):
        sign_in("wrong", PROXY, forwarded)
    assert sign_in(PASSWORD, PROXY, forwarded) == 429
    assert sign_in(PASSWORD, PROXY, "198.51.100.7") == 302
