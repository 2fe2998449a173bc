"""Keys pressed twice, in the wrong place or for two things at once."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from ml.synthetic import render
from tests.browser import number
from tests.counting.pictures import encoded
from tests.e2e.nothing_lost.screen import is_ahead, open_field
from tests.scripts import Script
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.stack]


def first_alone_is_submitted(script: Script, fields: list[int]) -> None:
    """Wait until the first field is submitted; of the second, nothing was saved."""

    def mine(field: int) -> Any:
        return script.get(f"/api/v1/fields/{field}/")["my_reading"]

    wait_until(lambda: (mine(fields[0]) or {}).get("state") == "submitted", 30, "the submission")
    assert mine(fields[1]) is None


def test_the_second_half_of_a_double_press_submits_no_field_that_nobody_saw(
    browser_page: Page, script: Script, slide: int, web: Stack
) -> None:
    page = browser_page
    fields = [
        script.upload(slide, encoded(render(seed, width=640, height=480).image), f"{seed}.png")
        for seed in (81, 82)
    ]
    wait_until(lambda: script.states(slide) == {"predicted": 2}, 120, "two predictions")
    page.goto(f"{web.url}/fields/{fields[0]}/")
    page.locator("[data-so-far] summary").click()
    page.get_by_label("Start from the suggestion").check()
    expect(number(page, "RBC")).not_to_have_value("")
    page.locator("[data-so-far] summary").click()
    is_ahead(page, fields[1])
    page.keyboard.press("Enter")
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/fields/{fields[1]}/"))
    expect(number(page, "RBC")).not_to_have_value("")
    first_alone_is_submitted(script, fields)


def test_while_the_picture_is_awaited_only_what_was_counted_before_is_submitted(
    browser_page: Page, script: Script, fields: list[int], web: Stack
) -> None:
    page = browser_page
    counts = {"RBC": 5, "WBC": 0, "PLT": 0}
    draft = {"counts": counts, "submit": False}
    script.post(f"/api/v1/fields/{fields[0]}/readings/", draft)
    page.route(re.compile(r"/fields/\d+/image/"), lambda route: None)  # no picture ever arrives
    open_field(page, web, fields[0])
    expect(page.locator("#counting")).not_to_have_class(re.compile("is-arriving"))
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/fields/{fields[1]}/"))

    said = page.locator("[data-announce]")

    def is_told() -> bool:
        page.keyboard.press("Enter")
        return "The picture is still on its way." in said.inner_text()

    wait_until(is_told, 30, "word of the picture")
    expect(page).to_have_url(re.compile(f"/fields/{fields[1]}/"))
    first_alone_is_submitted(script, fields)


def test_digits_count_wherever_a_choice_was_made_and_escape_ends_one_thing_at_a_time(
    page: Page, script: Script, fields: list[int], web: Stack
) -> None:
    keys = [{"code": code, "key": key} for code, key in (("RBC", "1"), ("WBC", "2"), ("PLT", "3"))]
    script.patch(f"/api/v1/studies/{script.study}/", {"cell_types": keys})
    counts = {"RBC": 97, "WBC": 0, "PLT": 0}
    script.post(f"/api/v1/fields/{fields[1]}/readings/", {"counts": counts})
    page.reload()
    expect(page.locator("[data-so-far-line]")).to_contain_text("slide 97")
    page.locator("[data-so-far] summary").click()
    page.get_by_label("Sounds").check()
    page.keyboard.press("1")
    expect(number(page, "RBC")).to_have_value("1")
    page.get_by_label("Stop at").select_option("100")
    page.keyboard.press("2")
    expect(number(page, "WBC")).to_have_value("1")
    expect(page.get_by_label("Stop at")).to_have_value("100")

    page.keyboard.press("1")
    stop = page.locator("[data-notice=stop]")
    expect(stop).to_be_visible()
    for opens, what in (("?", "#keys"), ("!", "#flag")):
        page.keyboard.press(opens)
        expect(page.locator(what)).to_be_visible()
        page.keyboard.press("Escape")
        expect(page.locator(what)).to_be_hidden()
        expect(stop).to_be_visible()
    # What opened the list of keys closes it too.
    for shown in (True, False):
        page.keyboard.press("?")
        expect(page.locator("#keys")).to_be_visible(visible=shown)
    page.keyboard.press("v")
    page.keyboard.press("Escape")
    expect(page.locator("#view-panel")).to_be_hidden()
    expect(stop).to_be_visible()
    page.keyboard.press("Escape")
    expect(stop).to_be_hidden()
    script.patch(
        f"/api/v1/studies/{script.study}/",
        {"cell_types": [{"code": c, "key": k} for c, k in zip(counts, "rwp", strict=True)]},
    )


def test_a_stop_is_not_missed_when_the_slide_s_counts_come_late(
    page: Page, script: Script, fields: list[int]
) -> None:
    page.locator("[data-so-far] summary").click()
    page.get_by_label("Stop at").select_option("100")
    counts = {"RBC": 98, "WBC": 0, "PLT": 0}
    script.post(f"/api/v1/fields/{fields[1]}/readings/", {"counts": counts})
    held = []
    page.route("**/so-far/*", lambda route: held.append(route))
    page.reload()
    expect(page.locator("[data-saved]")).not_to_have_text("\u00a0")
    for _ in range(3):
        page.keyboard.press("r")
    expect(number(page, "RBC")).to_have_value("3")
    wait_until(lambda: page.evaluate("1") and held, 30, "the slide to be asked for")
    held[0].continue_()
    expect(page.locator("[data-notice=stop]")).to_contain_text("101 cells counted on this slide")
    page.keyboard.press("Escape")
    page.keyboard.press("r")
    expect(number(page, "RBC")).to_have_value("4")


def test_keys_that_change_several_counts_say_what_they_became(page: Page) -> None:
    said = page.locator("[data-announce]")
    for _ in range(2):
        page.keyboard.press("w")
    page.keyboard.press("Control+z")
    expect(said).to_contain_text("White cells: 1")
    page.keyboard.press("a")
    expect(said).to_contain_text(re.compile(r"Red cells: \d+, White cells: \d+, Platelets: \d+"))
    # The button keeps the focus when there is nothing left to undo.
    undo = page.locator("[data-undo]")
    undo.focus()
    for _ in range(3):
        page.keyboard.press("Enter")
    expect(undo).to_be_disabled()
    expect(undo).to_be_focused()
    page.keyboard.press("w")
    expect(number(page, "WBC")).to_have_value("1")
