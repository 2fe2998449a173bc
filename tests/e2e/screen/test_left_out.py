"""What becomes of types that were left out, where a suggestion says that there are none."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import number
from tests.e2e.nothing_lost.screen import open_field
from tests.scripts import Script
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.stack]

QUESTION = "Not counted: White cells, Platelets. Save as 0?"


@pytest.fixture
def field(script: Script, fields: list[int]) -> int:
    """A field of which the suggestion says that it has no white cells."""
    prediction = script.get(f"/api/v1/fields/{fields[0]}/")["prediction"]
    assert prediction["counts"]["WBC"]["value"] == 0
    return fields[0]


def leave_out(page: Page) -> None:
    page.get_by_role("button", name="Leave out").click()


def counts_with(script: Script, field: int, red: int) -> dict[str, int]:
    """Wait until so many red cells are submitted, and return all counts."""

    def mine() -> dict[str, Any]:
        reading = script.get(f"/api/v1/fields/{field}/")["my_reading"] or {}
        submitted: dict[str, Any] = reading if reading.get("state") == "submitted" else {}
        return submitted

    wait_until(lambda: mine().get("counts", {}).get("RBC") == red, 30, "the submission")
    counts: dict[str, int] = mine()["counts"]
    return counts


def test_a_suggestion_that_comes_after_the_question_does_not_change_what_is_left_out(
    browser_page: Page, web: Stack, field: int, script: Script
) -> None:
    page = browser_page
    address = f"**/api/v1/fields/{field}/"

    def without_suggestion(route: Route) -> None:
        early = {**route.fetch().json(), "state": "predicting", "prediction": None}
        route.fulfill(json=early)

    page.route(address, without_suggestion)
    open_field(page, web, field)
    page.keyboard.press("r")
    page.keyboard.press("Enter")
    expect(page.locator("[data-notice=ask]")).to_contain_text(QUESTION)
    page.unroute(address)
    expect(page.locator("[data-type=WBC] [data-suggested]")).to_have_text("0")
    leave_out(page)
    assert counts_with(script, field, 1) == {"RBC": 1}


def test_a_type_left_out_before_is_asked_about_when_the_reading_is_corrected(
    browser_page: Page, web: Stack, field: int, script: Script
) -> None:
    page = browser_page
    script.post(f"/api/v1/fields/{field}/readings/", {"counts": {"RBC": 5}})
    open_field(page, web, field)
    expect(page.locator("[data-type=WBC] [data-suggested]")).to_have_text("0")
    number(page, "RBC").fill("6")
    page.keyboard.press("Enter")
    expect(page.locator("[data-notice=ask]")).to_contain_text(QUESTION)
    leave_out(page)
    assert counts_with(script, field, 6) == {"RBC": 6}
