"""Fields are counted by one rule: it stands from the first count on."""

from __future__ import annotations

import re

import pytest
from django.test import Client

from counting.models import AuditEntry, Field, Study
from counting.services import readings
from tests.counting.conftest import People, count

pytestmark = pytest.mark.django_db

FORM = {"name": "Ward 8", "counting_rule": "none", "readers_per_field": "1", "blind_percent": "20"}
REFUSED = (
    "1 field is counted by the rule “Count every visible cell, also those cut by the edge”. "
    "Counts by two rules cannot be compared: make a new study for the other rule."
)


def rules_on(page: str) -> dict[str, str]:
    """Return whether each rule's choice on a page is checked or disabled."""
    found = re.findall(r'name="counting_rule" value="(\w+)"[^>]*?( checked| disabled)?>', page)
    return {value: state.strip() for value, state in found}


def test_the_rule_can_be_changed_while_nobody_has_submitted(
    alice: Client, field: Field, people: People
) -> None:
    readings.save_reading(field=field, reader=people.bob, counts={"RBC": 3}, submit=False)
    settings = f"/studies/{field.study_id}/settings/"
    page = alice.get(settings).content.decode()
    assert rules_on(page) == {"all": "checked", "none": "", "top_left": ""}
    assert "It stays as it is" not in page
    assert alice.post(settings, FORM).status_code == 302
    assert Study.objects.get().counting_rule == "none"


def test_the_page_tells_that_the_rule_stands_and_refuses_another(
    alice: Client, field: Field, people: People
) -> None:
    count(field, people.bob, RBC=3)
    settings = f"/studies/{field.study_id}/settings/"
    page = alice.get(settings).content.decode()
    stands = {"all": "checked", "none": "disabled", "top_left": "disabled"}
    assert rules_on(page) == stands
    assert "It stays as it is: 1 field is counted by it" in page

    # The page was opened before the count: the rest of what it says is still there to be saved.
    told = alice.post(settings, FORM)
    page = told.content.decode()
    assert told.status_code == 400
    assert REFUSED in page
    assert rules_on(page) == stands
    assert 'value="Ward 8"' in page
    assert 'value="20"' in page
    study = Study.objects.get()
    assert (study.name, study.counting_rule, study.blind_share) == ("Ward 7", "all", 0.0)
    assert not AuditEntry.objects.filter(action="study.update").exists()

    assert alice.post(settings, {**FORM, "counting_rule": "all"}).status_code == 302
    study.refresh_from_db()
    assert (study.name, study.counting_rule, study.blind_share) == ("Ward 8", "all", 0.2)


def test_the_api_refuses_another_rule_with_all_that_came_with_it(
    alice: Client, field: Field, people: People
) -> None:
    count(field, people.bob, RBC=3)
    address = f"/api/v1/studies/{field.study_id}/"
    change = {"counting_rule": "none", "name": "Ward 8"}
    told = alice.patch(address, change, content_type="application/json")
    assert (told.status_code, told.json()["code"]) == (400, "counting_rule")
    assert told.json()["detail"] == REFUSED
    kept = alice.get(address).json()
    assert (kept["name"], kept["counting_rule"]) == ("Ward 7", "all")
    same = {**change, "counting_rule": "all"}
    assert alice.patch(address, same, content_type="application/json").status_code == 200


def test_a_new_study_does_not_promise_that_its_rule_can_change(alice: Client) -> None:
    page = alice.get("/studies/new/").content.decode()
    assert "not the counting rule once a field is counted" in page
    assert "disabled" not in rules_on(page).values()
