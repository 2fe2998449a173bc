"""Marks by pointer and by keys alone: confirmed, changed, carried, taken away."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from counting.services.cell_types import RESERVED_KEYS
from ml.synthetic import render
from tests.browser import number, place_of
from tests.counting.pictures import encoded
from tests.scripts import Script
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.stack]


def test_suggested_marks_become_the_reader_s_own_and_change_their_type(
    page: Page, script: Script, fields: list[int]
) -> None:
    field = script.get(f"/api/v1/fields/{fields[0]}/")
    red = [mark for mark in field["prediction"]["marks"] if mark["cell_type"] == "RBC"]
    # One cell is tallied by key: it gets one of the marks, so that no cell counts twice.
    page.keyboard.press("r")
    page.keyboard.press("Space")
    expect(number(page, "RBC")).to_have_value(str(len(red)))
    expect(page.locator("[data-type=RBC] [data-note]")).to_be_hidden()
    page.keyboard.press("Space")
    expect(number(page, "RBC")).to_have_value(str(len(red)))

    page.locator("[data-type=WBC] [data-activate]").click()
    at = place_of(page, red[0]["x"], red[0]["y"], field["width"], field["height"])
    page.keyboard.down("Alt")
    page.mouse.click(*at)
    page.keyboard.up("Alt")
    expect(number(page, "RBC")).to_have_value(str(len(red) - 1))
    expect(number(page, "WBC")).to_have_value("1")
    expect(page.locator("[data-saved]")).to_have_text("Draft saved")
    reading = script.get(f"/api/v1/fields/{fields[0]}/")["my_reading"]
    kinds = [mark["cell_type"] for mark in reading["marks"]]
    assert (kinds.count("RBC"), kinds.count("WBC")) == (len(red) - 1, 1)
    page.keyboard.press("Control+z")
    page.keyboard.press("Control+z")
    expect(number(page, "RBC")).to_have_value("1")


def test_a_type_is_chosen_by_key_without_counting_one(
    page: Page, script: Script, fields: list[int]
) -> None:
    page.keyboard.press("Alt+w")
    chosen = page.locator("[data-type=WBC] [data-activate]")
    expect(chosen).to_have_attribute("aria-pressed", "true")
    expect(page.locator("[data-announce]")).to_have_text("White cells")
    expect(number(page, "WBC")).to_have_value("")
    field = script.get(f"/api/v1/fields/{fields[0]}/")
    page.keyboard.press("m")  # without marks, one of which might lie there
    at = place_of(page, 1, 1, field["width"], field["height"])
    page.mouse.click(*at)
    expect(number(page, "WBC")).to_have_value("1")
    # Also from within a number.
    page.keyboard.press("n")
    page.keyboard.press("Alt+p")
    chosen = page.locator("[data-type=PLT] [data-activate]")
    expect(chosen).to_have_attribute("aria-pressed", "true")
    expect(number(page, "PLT")).to_have_value("")
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("chooses Red cells without counting")


def test_cells_are_marked_changed_and_taken_away_without_a_pointer(
    page: Page, script: Script, fields: list[int]
) -> None:
    field = script.get(f"/api/v1/fields/{fields[0]}/")
    said = page.locator("[data-announce]")
    page.keyboard.press(",")
    expect(page.locator(".cursor")).to_be_visible()
    expect(said).to_contain_text("Cross on")
    page.keyboard.press("Tab")
    expect(said).to_contain_text("suggested, at")
    page.keyboard.press("w")
    expect(said).to_contain_text("White cells, marked, at")
    expect(number(page, "WBC")).to_have_value("1")
    page.keyboard.press("p")
    expect(said).to_contain_text("Platelets, marked, at")
    expect(number(page, "WBC")).to_have_value("0")
    expect(number(page, "PLT")).to_have_value("1")

    # Three steps to the right nothing is marked; three back, the mark is there again.
    place = re.search(r"at (\d+), (\d+)", said.inner_text())
    assert place is not None
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowRight")
    expect(said).to_have_text(re.compile("No mark at|suggested, at"))
    moved = re.search(r"at (\d+), (\d+)", said.inner_text())
    assert moved is not None
    assert int(moved[1]) > int(place[1])
    assert moved[2] == place[2]
    for _ in range(3):
        page.keyboard.press("ArrowLeft")
    expect(said).to_contain_text("Platelets, marked, at")
    page.keyboard.press("Delete")
    expect(said).to_have_text("Mark removed.")
    expect(number(page, "PLT")).to_have_value("0")

    # Escape gives Tab and the tally keys back.
    page.keyboard.press("Escape")
    expect(page.locator(".cursor")).to_be_hidden()
    page.keyboard.press("r")
    expect(number(page, "RBC")).to_have_value("1")
    expect(page.locator("[data-saved]")).to_have_text("Draft saved")
    assert script.get(f"/api/v1/fields/{fields[0]}/")["my_reading"]["marks"] == []
    assert field["my_reading"] is None


def test_a_mark_is_carried_elsewhere_without_a_pointer(
    page: Page, script: Script, fields: list[int]
) -> None:
    said = page.locator("[data-announce]")

    def marks() -> list[tuple[float, float]]:
        """The reader's marks as the server has them."""
        mine = script.get(f"/api/v1/fields/{fields[0]}/")["my_reading"]
        return [(mark["x"], mark["y"]) for mark in mine["marks"]] if mine else []

    page.wait_for_function("() => OpenSeadragon.getViewer('viewer').world.getItemCount() > 0")
    page.keyboard.press(",")
    page.keyboard.press("/")
    expect(said).to_have_text("No mark here.")
    page.keyboard.press("Tab")
    page.keyboard.press("w")
    expect(said).to_contain_text("White cells, marked, at")
    wait_until(lambda: len(marks()) == 1, 30, "the mark")
    (first,) = marks()

    page.keyboard.press("/")
    expect(said).to_contain_text("White cells picked up. Arrows carry it")
    expect(page.locator(".cursor")).to_have_class(re.compile("is-carrying"))
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    expect(said).to_contain_text("White cells, carried to")
    page.keyboard.press("Shift+ArrowDown")
    page.keyboard.press("Enter")
    expect(said).to_contain_text("White cells put down at")
    expect(number(page, "WBC")).to_have_value("1")
    wait_until(lambda: marks() != [first], 30, "the mark at its new place")
    ((x, y),) = marks()
    assert x > first[0]
    assert first[1] < y < first[1] + (x - first[0]) / 3

    # Escape puts it back and leaves the cross; nothing is to be undone but the first way.
    page.keyboard.press("/")
    page.keyboard.press("ArrowUp")
    page.keyboard.press("Escape")
    expect(said).to_have_text("Mark put back.")
    expect(page.locator(".cursor")).to_be_visible()
    page.keyboard.press("Control+z")
    wait_until(lambda: marks() == [first], 30, "one undo")
    page.keyboard.press("Control+y")
    wait_until(lambda: marks() == [(x, y)], 30, "its redo")

    # Whatever else the reader does finds the mark where it hangs.
    page.keyboard.press("/")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("p")
    expect(number(page, "PLT")).to_have_value("1")
    expect(number(page, "WBC")).to_have_value("0")
    wait_until(lambda: marks() != [(x, y)], 30, "the mark put down")
    ((left, _),) = marks()
    assert first[0] < left < x
    page.keyboard.press("?")
    expect(page.get_by_role("dialog")).to_contain_text("picks up the mark under the cross")


def test_every_letter_with_a_meaning_is_kept_from_cell_types(browser_page: Page) -> None:
    found = browser_page.evaluate(
        """async () => {
          const { meaning } = await import("/static/js/counting/keys.js");
          const where = { keys: new Map(), typing: false, dialog: false, button: false,
                          cursor: false, carrying: false };
          return [..."abcdefghijklmnopqrstuvwxyz0123456789"].filter(
            (key) => meaning(new KeyboardEvent("keydown", { key }), where),
          );
        }"""
    )
    assert set(found) == RESERVED_KEYS


def test_marks_are_not_given_up_unasked_where_nothing_is_suggested(
    browser_page: Page, script: Script, web: Stack
) -> None:
    study = script.post("/api/v1/studies/", {"name": "Blind", "blind_share": 1})["id"]
    slide = script.post("/api/v1/slides/", {"study": study, "code": "S"})["id"]
    picture = encoded(render(74, width=640, height=480).image)
    field = script.upload(slide, picture, "blind.png")
    wait_until(lambda: script.states(slide) == {"predicted": 1}, 120, "its prediction")
    page = browser_page
    page.goto(f"{web.url}/fields/{field}/")
    page.locator("[data-type=RBC] [data-activate]").click()
    expect(page.locator("#counting")).not_to_have_class(re.compile("is-arriving"))
    for marked, x in enumerate((100, 300), start=1):
        page.mouse.click(*place_of(page, x, 200, 640, 480))
        expect(number(page, "RBC")).to_have_value(str(marked))
    number(page, "RBC").fill("")
    number(page, "WBC").fill("2")
    page.keyboard.press("Enter")
    expect(page.get_by_role("button", name="Save as 0")).to_be_visible()
    expect(page.locator("[data-saved]")).to_have_text("Draft saved")
    draft = script.get(f"/api/v1/fields/{field}/")["my_reading"]
    assert (draft["state"], len(draft["marks"])) == ("draft", 2)
