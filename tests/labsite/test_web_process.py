"""What the web process loads, and what every page tells the browser."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from django.test import Client

ROOT = Path(__file__).resolve().parents[2]

LOAD_EVERYTHING = """
import sys
import labsite.wsgi
from django.urls import get_resolver
get_resolver().url_patterns  # imports every view, page and API alike
print(sorted({"torch", "torchvision"} & set(sys.modules)))
"""


def test_the_web_process_never_loads_torch() -> None:
    done = subprocess.run(
        [sys.executable, "-c", LOAD_EVERYTHING],
        cwd=ROOT,
        env=os.environ,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == "[]"


@pytest.mark.django_db
def test_health_is_answered_whatever_the_host_is_called(client: Client) -> None:
    answer = client.get("/healthz", headers={"host": "unknown.example.org"})
    assert (answer.status_code, answer.content) == (200, b"ok\n")
    assert answer["Cache-Control"] == "no-store"


@pytest.mark.django_db
def test_pages_carry_the_security_headers(client: Client) -> None:
    page = client.get("/accounts/login/")
    assert page.status_code == 200
    policy = {
        words[0]: words[1:]
        for words in (part.split() for part in page["Content-Security-Policy"].split(";"))
    }
    assert policy["default-src"] == ["'self'"]
    assert policy["script-src"] == ["'self'"]
    assert policy["style-src"] == ["'self'"]
    assert policy["img-src"] == ["'self'", "blob:", "data:"]
    assert policy["frame-ancestors"] == ["'none'"]
    assert policy["object-src"] == ["'none'"]
    assert policy["base-uri"] == ["'none'"]
    assert policy["form-action"] == ["'self'"]
    assert "Content-Security-Policy-Report-Only" not in page
    assert page["X-Frame-Options"] == "DENY"
    assert page["X-Content-Type-Options"] == "nosniff"
    assert page["Referrer-Policy"] == "same-origin"


@pytest.mark.django_db
def test_an_unknown_host_name_is_refused(client: Client) -> None:
    answer = client.get("/accounts/login/", headers={"host": "unknown.example.org"})
    assert answer.status_code == 400
