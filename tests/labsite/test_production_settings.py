"""The production settings start when they are right and say what is wrong when they are not."""

from __future__ import annotations

import runpy
from typing import Any

import pytest
from django.core.exceptions import ImproperlyConfigured

pytestmark = pytest.mark.once

GOOD = {
    "SECRET_KEY": "a9Kx-27fQ_pLz81mWv04RtYcBnE63sHdJgU5oViTqXe-y",
    "ALLOWED_HOSTS": "counts.example.org, 10.0.0.5",
    "DATABASE_URL": "postgres://hema:pass%40word@db.example.org:5433/tally",
    "REDIS_URL": "redis://cache.example.org:6379/2",
}
GOOD["SECRET_KEY"] *= 2
OPTIONAL = ("CSRF_TRUSTED_ORIGINS", "HTTPS", "BEHIND_PROXY", "HSTS_SECONDS", "BROKER_PREFIX")


def load(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> dict[str, Any]:
    """Run the settings module with the good environment and some changes; None removes."""
    for name in OPTIONAL:
        monkeypatch.delenv(name, raising=False)
    for name, value in {**GOOD, **changes}.items():
        if value is None:
            monkeypatch.delenv(name, raising=False)
        else:
            monkeypatch.setenv(name, value)
    return runpy.run_module("labsite.settings.production")


def refusal(monkeypatch: pytest.MonkeyPatch, **changes: str | None) -> str:
    with pytest.raises(ImproperlyConfigured) as refused:
        load(monkeypatch, **changes)
    return str(refused.value)


def test_the_good_environment_starts(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch)
    assert settings["ALLOWED_HOSTS"] == ["counts.example.org", "10.0.0.5"]
    database = settings["DATABASES"]["default"]
    assert database["ENGINE"] == "django.db.backends.postgresql"
    assert (database["HOST"], database["PORT"], database["NAME"]) == (
        "db.example.org",
        5433,
        "tally",
    )
    assert database["PASSWORD"] == "pass@word"
    assert settings["CELERY_BROKER_URL"] == GOOD["REDIS_URL"]
    assert settings["SESSION_COOKIE_SECURE"]
    assert settings["CSRF_COOKIE_SECURE"]
    assert settings["SECURE_SSL_REDIRECT"]
    assert settings["SECURE_HSTS_SECONDS"] > 0
    assert not settings["DEBUG"]
    assert settings.get("SECURE_PROXY_SSL_HEADER") is None
    assert not settings["BEHIND_PROXY"]


@pytest.mark.parametrize("name", sorted(GOOD))
def test_each_required_variable_is_asked_for_by_name(
    monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    message = refusal(monkeypatch, **{name: None})
    assert f"Set {name} to" in message
    assert not any(f"Set {other} to" in message for other in GOOD if other != name)


def test_all_that_is_missing_is_said_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    message = refusal(monkeypatch, **dict.fromkeys(GOOD))
    assert all(f"Set {name} to" in message for name in GOOD)


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("SECRET_KEY", "short", "too easy to guess"),
        ("SECRET_KEY", "ab" * 40, "too easy to guess"),
        ("ALLOWED_HOSTS", "*", "trusts any name"),
        ("ALLOWED_HOSTS", "counts.example.org,*", "trusts any name"),
        ("DATABASE_URL", "sqlite:///data.db", "needs PostgreSQL"),
        ("REDIS_URL", "amqp://broker", "does not start with redis://"),
        ("CSRF_TRUSTED_ORIGINS", "counts.example.org", "whole origins"),
    ],
)
def test_what_cannot_be_right_is_refused(
    monkeypatch: pytest.MonkeyPatch, name: str, value: str, sentence: str
) -> None:
    message = refusal(monkeypatch, **{name: value})
    assert sentence in message
    assert name in message


def test_plain_http_has_to_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, HTTPS="0")
    assert not settings["SESSION_COOKIE_SECURE"]
    assert not settings["SECURE_SSL_REDIRECT"]
    assert settings["SECURE_HSTS_SECONDS"] == 0


def test_a_proxy_is_believed_only_when_there_is_one(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = load(monkeypatch, BEHIND_PROXY="1")
    assert settings["SECURE_PROXY_SSL_HEADER"] == ("HTTP_X_FORWARDED_PROTO", "https")
    assert settings["BEHIND_PROXY"]
