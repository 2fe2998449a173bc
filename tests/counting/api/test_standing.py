"""A draft over a submitted count is told as what it is, and never as saved for good."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.test import Client

from counting.models import Field, Reading, Slide, Study
from counting.services import flags
from tests.counting.conftest import People, bare_fields, count

pytestmark = pytest.mark.django_db


def save(client: Client, field: Field, *, submit: bool, **counts: int) -> Any:
    return client.post(
        f"/api/v1/fields/{field.pk}/readings/",
        {"counts": counts, "submit": submit},
        content_type="application/json",
    ).json()


def stands(client: Client, field: Field) -> tuple[Any, Any]:
    body = client.get(f"/api/v1/fields/{field.pk}/").json()
    return body["my_standing"], body["my_submitted"]


def test_a_draft_over_a_submitted_count_is_a_correction_until_it_is_submitted_or_taken_back(
    bob: Client, alice: Client, field: Field
) -> None:
    assert stands(bob, field) == (None, None)
    assert save(bob, field, submit=False, RBC=24)["standing"] == "draft"
    assert stands(bob, field) == ("draft", None)
    assert save(bob, field, submit=True, RBC=25)["standing"] == "submitted"
    assert stands(bob, field) == ("submitted", {"RBC": 25})
    assert save(bob, field, submit=False, RBC=26)["standing"] == "correction"
    assert stands(bob, field) == ("correction", {"RBC": 25})
    assert stands(alice, field) == (None, None)

    # A step and its undo leave nothing to submit.
    assert save(bob, field, submit=False, RBC=25)["standing"] == "submitted"
    assert stands(bob, field) == ("submitted", {"RBC": 25})
    assert save(bob, field, submit=True, RBC=26)["standing"] == "submitted"
    assert stands(bob, field) == ("submitted", {"RBC": 26})


def test_the_study_names_what_its_reader_has_not_submitted(
    bob: Client, alice: Client, study: Study, slide: Slide, people: People
) -> None:
    address = f"/studies/{study.pk}/"
    fields = bare_fields(slide, 6)
    for each in fields[:4]:
        count(each, people.bob, RBC=25)
    assert "not submitted" not in bob.get(address).content.decode()

    for each, red in zip(fields[:4], (25, 26, 27, 28), strict=True):
        save(bob, each, submit=False, RBC=red)
    save(bob, fields[4], submit=False, RBC=3)
    save(bob, fields[5], submit=False)  # nothing is left in it
    page = bob.get(address).content.decode()
    assert "3 corrections are not submitted" in page
    assert re.search(rf'<a href="/fields/{fields[1].pk}/">Open the first', page)
    assert re.search(rf'<a href="/fields/{fields[4].pk}/">1 draft is not submitted', page)
    assert "not submitted" not in alice.get(address).content.decode()

    # What is left out of the study, or counted by another reader meanwhile, waits for nobody.
    flags.flag(field=fields[1], actor=people.bob, reason="focus", note="")
    count(fields[4], people.rita, RBC=4)
    count(fields[2], people.bob, RBC=27)
    page = bob.get(address).content.decode()
    assert "1 correction is not submitted" in page
    assert "draft" not in page
    assert Reading.objects.filter(state=Reading.State.DRAFT, reader=people.bob).count() == 5
