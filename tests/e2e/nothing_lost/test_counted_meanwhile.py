"""A field that somebody else counted meanwhile: told, kept, and replaced only on purpose."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.nothing_lost.screen import draft_of, is_saved, open_field, press, red, submit
from tests.scripts import Script
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.stack]


def test_another_s_count_is_replaced_on_purpose_only(
    page: Page, web: Stack, field: int, script: Script
) -> None:
    (dora,) = script.colleagues("dora")
    open_field(page, web, field)
    press(page, "r", 3)
    is_saved(page)
    dora.post(f"/api/v1/fields/{field}/readings/", {"counts": {"RBC": 9}})
    submit(page)
    # The next field may be on the screen by then: it tells, and leads back.
    told = page.locator("[data-notice=elsewhere], [data-notice=counted]").filter(visible=True)
    expect(told).to_contain_text("dora has counted this field meanwhile")
    assert draft_of(script, field) == 3
    if f"/fields/{field}/" not in page.url:
        page.get_by_role("link", name="Open it and choose").click()
    expect(red(page)).to_have_value("3")
    here = page.locator("[data-notice=counted]")
    expect(here).to_be_visible()
    # Enter does not go over it.
    page.keyboard.press("Enter")
    expect(here).to_be_visible()
    assert script.get(f"/api/v1/fields/{field}/")["reference"]["RBC"] == 9

    with page.expect_response(f"**/api/v1/fields/{field}/readings/") as answer:
        page.get_by_role("button", name="Submit mine instead").click()
        # What was never counted is asked for as ever.
        ask = page.get_by_role("button", name="Save as 0")
        if ask.is_visible():
            ask.click()
    assert answer.value.status == 201
    expect(page).not_to_have_url(re.compile(f"/fields/{field}/"))
    assert script.get(f"/api/v1/fields/{field}/")["reference"]["RBC"] == 3
