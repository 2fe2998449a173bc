"""From field to field faster than the server answers: what is done stays with the field it was
done to."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.nothing_lost.screen import (
    draft_of,
    is_ahead,
    is_saved,
    no_other_cells,
    open_field,
    press,
    red,
    submit,
)
from tests.scripts import Script
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.stack]


def hold(page: Page, address: str) -> list[Route]:
    """Keep the answers to an address back; they are in the list when they were asked for."""
    held: list[Route] = []
    page.route(address, lambda route: held.append(route))
    return held


def is_asked(page: Page, held: list[Route]) -> None:
    wait_until(lambda: page.evaluate("1") and held, 30, "the server to be asked")


def test_a_field_fetched_ahead_too_early_comes_back_as_it_was_counted(
    page: Page, web: Stack, three: list[int], script: Script
) -> None:
    open_field(page, web, three[0])
    is_ahead(page, three[1])
    press(page, "r", 2)
    submit(page)
    expect(page).to_have_url(re.compile(f"/fields/{three[1]}/"))
    press(page, "r", 3)
    is_saved(page)
    # What comes after the first field is answered when its reader is long back at the second.
    held = hold(page, f"**/next/?after={three[0]}")
    page.keyboard.press("b")
    expect(red(page)).to_have_value("2")
    is_asked(page, held)
    page.go_back()
    expect(red(page)).to_have_value("3")
    with page.expect_response(f"**/api/v1/fields/{three[1]}/"):
        held[0].continue_()
    press(page, "r", 5)
    is_saved(page)
    submit(page)
    expect(page).to_have_url(re.compile(f"/fields/{three[2]}/"))
    page.keyboard.press("b")
    expect(red(page)).to_have_value("8")


def test_the_slower_of_two_answers_does_not_take_the_screen(
    page: Page, web: Stack, three: list[int]
) -> None:
    open_field(page, web, three[0])
    for before, after in ((0, 1), (1, 2)):
        is_ahead(page, three[after])
        press(page, "r", before + 1)
        submit(page)
        expect(page).to_have_url(re.compile(f"/fields/{three[after]}/"))
    held = hold(page, f"**/api/v1/fields/{three[1]}/")
    page.go_back()
    is_asked(page, held)
    page.go_back()
    expect(red(page)).to_have_value("1")
    with page.expect_response(f"**/api/v1/fields/{three[1]}/"):
        held[0].continue_()
    expect(page).to_have_url(re.compile(f"/fields/{three[0]}/"))
    expect(page.locator("[data-field-name]")).to_have_text("0.png")
    expect(red(page)).to_have_value("1")

    # The way back knows where its reader is.
    page.unroute_all()
    page.go_forward()
    expect(red(page)).to_have_value("2")
    page.keyboard.press("b")
    expect(red(page)).to_have_value("1")


def test_what_is_done_while_a_submission_is_waited_for_is_done_to_no_field(
    page: Page, web: Stack, three: list[int], script: Script
) -> None:
    # Nobody knows what comes next: the screen stays until the counts have arrived.
    page.route("**/next/?after=*", lambda route: route.abort())
    open_field(page, web, three[0])
    press(page, "r", 3)
    no_other_cells(page)
    is_saved(page)
    held = hold(page, f"**/api/v1/fields/{three[0]}/readings/")
    page.keyboard.press("Enter")
    is_asked(page, held)
    page.keyboard.press("!")
    expect(page.get_by_role("dialog")).to_be_hidden()
    red(page).fill("7")
    expect(red(page)).to_have_value("3")
    held[0].continue_()
    expect(page).to_have_url(re.compile(f"/fields/{three[1]}/"))
    assert draft_of(script, three[0]) == 3
    assert draft_of(script, three[1]) is None
    assert script.get(f"/api/v1/fields/{three[0]}/")["my_reading"]["state"] == "submitted"


def test_a_flag_is_the_field_s_that_it_was_opened_for(
    page: Page, web: Stack, three: list[int], script: Script
) -> None:
    open_field(page, web, three[0])
    is_ahead(page, three[1])
    press(page, "r", 1)
    submit(page)
    expect(page).to_have_url(re.compile(f"/fields/{three[1]}/"))
    page.keyboard.press("!")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("heading", name="1.png")).to_be_visible()
    page.go_back()
    expect(page.locator("[data-field-name]")).to_have_text("0.png")
    expect(dialog).to_be_hidden()


def test_a_field_of_another_study_opens_on_a_page_of_its_own(
    page: Page, web: Stack, field: int, three: list[int], script: Script
) -> None:
    open_field(page, web, field)
    web.kill("web")
    press(page, "r", 4)
    page.close()
    web.start("web")
    script.post(f"/api/v1/fields/{field}/readings/", {"counts": {"RBC": 9}, "submit": False})
    other = page.context.new_page()
    open_field(other, web, three[0])
    study = other.locator("#counting").get_attribute("data-study")
    other.get_by_role("link", name="Open it and choose").click()
    expect(other.locator("[data-notice=conflict]")).to_be_visible()
    expect(red(other)).to_have_value("4")
    assert other.locator("#counting").get_attribute("data-study") != study


def test_the_fields_left_are_those_to_count_with_the_one_in_hand(
    page: Page, web: Stack, three: list[int]
) -> None:
    left = page.locator("[data-remaining]")
    open_field(page, web, three[0])
    expect(left).to_have_text("3 fields left")
    for words in ("2 fields left", "1 field left"):
        press(page, "r", 1)
        submit(page)
        expect(left).to_have_text(words)
    expect(page).to_have_url(re.compile(f"/fields/{three[2]}/"))
    page.keyboard.press("b")
    expect(page).to_have_url(re.compile(f"/fields/{three[1]}/"))
    expect(page.locator("[data-field-name]")).to_have_text("1.png")
    expect(left).to_have_text("1 field left")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/fields/{three[2]}/"))
    press(page, "r", 1)
    submit(page)
    expect(page).not_to_have_url(re.compile("/fields/"))
