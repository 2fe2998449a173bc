"""A request that is too large is refused before its body is read; what people send fits."""

from __future__ import annotations

from typing import Any

import pytest
from django.conf import settings as configured
from django.http import HttpResponse
from django.test import Client

from counting.models import Field, Slide
from labsite.bodies import FORM_BYTES

pytestmark = pytest.mark.django_db


class Unread:
    """A body that may not be looked at."""

    def read(self, *_: Any) -> bytes:
        raise AssertionError("the body was read")

    readline = read


def announce(client: Client, address: str, length: int, **more: Any) -> HttpResponse:
    """Send a request that says how large its body is."""
    answer = client.generic(
        "POST",
        address,
        CONTENT_LENGTH=str(length),
        CONTENT_TYPE="multipart/form-data; boundary=x",
        **{"wsgi.input": Unread(), **more},
    )
    assert isinstance(answer, HttpResponse)
    return answer


def test_what_is_too_large_for_the_api_is_refused_unread(bob: Client, field: Field) -> None:
    most = configured.MAX_BODY_BYTES
    answer = announce(bob, f"/api/v1/fields/{field.pk}/readings/", most + 1)
    assert answer.status_code == 413
    assert answer.json()["code"] == "too_large"
    assert "at most 4.0\xa0MB are taken here" in answer.json()["detail"]


@pytest.mark.parametrize("address", ["/accounts/login/", "/no-such-page/", "/studies/1/settings/"])
def test_what_is_too_large_for_a_page_is_refused_with_a_sentence(
    client: Client, db: None, address: str
) -> None:
    answer = announce(client, address, configured.MAX_BODY_BYTES + 1)
    assert (answer.status_code, answer["Content-Type"]) == (413, "text/plain; charset=utf-8")
    assert "This is too large: at most" in answer.content.decode()


def test_the_sentence_comes_in_the_language_of_who_asks(client: Client, db: None) -> None:
    client.cookies["hematally_language"] = "id"
    answer = announce(client, "/accounts/login/", configured.MAX_BODY_BYTES + 1)
    assert answer["Content-Language"] == "id"


def test_each_upload_has_the_limit_of_its_files(bob: Client, slide: Slide, settings: Any) -> None:
    settings.MAX_UPLOAD_BYTES, settings.MAX_ARCHIVE_BYTES = 10**8, 10**9
    for address, most in (
        ("/api/v1/fields/", 10**8),
        (f"/api/v1/slides/{slide.pk}/imports/", 10**9),
    ):
        assert announce(bob, address, most + FORM_BYTES + 1).status_code == 413
        with pytest.raises(AssertionError, match="the body was read"):
            announce(bob, address, most + FORM_BYTES)


def test_a_reading_with_the_most_marks_fits(bob: Client, field: Field) -> None:
    marks = [
        {"cell_type": "RBC", "x": n % 320 + 0.123456789012, "y": 239.123456789012}
        for n in range(20_000)
    ]
    marks = [{**mark, "x": min(mark["x"], 320)} for mark in marks]
    answer = bob.post(
        f"/api/v1/fields/{field.pk}/readings/",
        {"marks": marks, "method": "marks"},
        content_type="application/json",
    )
    assert answer.status_code == 201
    assert answer.json()["counts"]["RBC"] == 20_000
