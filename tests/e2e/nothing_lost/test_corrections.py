"""A correction that was begun and not submitted is told wherever its reader comes by."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.nothing_lost.screen import is_ahead, open_field, press, red, submit
from tests.scripts import Script
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.stack]


def test_a_correction_left_behind_is_found_again_and_can_be_taken_back(
    page: Page, web: Stack, three: list[int], script: Script
) -> None:
    open_field(page, web, three[0])
    is_ahead(page, three[1])
    press(page, "r", 5)
    submit(page)
    expect(page).to_have_url(re.compile(f"/fields/{three[1]}/"))
    page.keyboard.press("b")
    saved = page.locator("[data-saved]")
    expect(saved).to_have_text("Submitted")
    press(page, "r", 1)
    expect(saved).to_have_text("Correction not submitted")
    # A step and its undo leave nothing to submit: Enter goes on, to the same place.
    page.keyboard.press("Control+z")
    expect(saved).to_have_text("Submitted")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/fields/{three[1]}/"))
    page.keyboard.press("b")
    expect(saved).to_have_text("Submitted")
    press(page, "r", 1)
    expect(saved).to_have_text("Correction not submitted")

    page.locator("[data-slide-link]").click()
    card = page.locator(f"[data-field='{three[0]}']")
    expect(card.locator("[data-badge]")).to_have_text("Correction not submitted")
    expect(card.locator("[data-counts]")).to_contain_text("Red cells5")
    expect(card.locator("[data-delete]")).to_be_hidden()

    page.get_by_label("Where you are").get_by_role("link").nth(1).click()
    told = page.locator(".notice", has_text="1 correction is not submitted")
    told.get_by_role("link").click()
    expect(page).to_have_url(re.compile(f"/fields/{three[0]}/"))
    expect(saved).to_have_text("Correction not submitted")
    expect(red(page)).to_have_value("6")
    expect(page.locator("#counting")).not_to_have_class(re.compile("is-arriving"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/fields/{three[1]}/"))

    def mine() -> Any:
        return script.get(f"/api/v1/fields/{three[0]}/")

    wait_until(lambda: mine()["reference"]["RBC"] == 6, 30, "the correction")
    assert mine()["my_reading"]["revision"] == 2
    page.goto(f"{web.url}/studies/{mine()['study']}/")
    expect(page.locator(".progress-card")).to_be_visible()
    expect(told).to_be_hidden()
