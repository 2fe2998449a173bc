"""What is typed for a number stays as it was typed; it is saved only when it is a count."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import number, place_of
from tests.e2e.nothing_lost.screen import is_saved, no_other_cells, open_field, press, red
from tests.scripts import Script
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.stack]

SENTENCE = "Red cells: a count is a whole number from 0 to 20,000. Correct it before you submit."


@pytest.fixture
def box(page: Page, web: Stack, three: list[int]) -> Locator:
    """The box for red cells of the first of three fields, in which two are counted by key."""
    open_field(page, web, three[0])
    no_other_cells(page)
    press(page, "r", 2)
    is_saved(page)
    return red(page)


def test_on_a_phone_the_reader_sees_what_to_correct(page: Page, box: Locator) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    box.fill("3.5")
    page.evaluate("scrollTo(0, 0)")
    page.locator("[data-submit]").click()
    expect(box).to_be_focused()
    note = page.locator("[data-type=RBC] [data-note-text]")
    expect(note).to_be_in_viewport()
    hidden_by = """(note) => {
      const { left, bottom } = note.getBoundingClientRect();
      const top = document.elementFromPoint(left + 2, bottom - 2);
      return top === note ? null : top?.outerHTML;
    }"""
    assert note.evaluate(hidden_by) is None


def refused(page: Page) -> None:
    expect(page.locator("[data-type=RBC] [data-note]")).to_have_text(SENTENCE)
    expect(red(page)).to_have_attribute("aria-invalid", "true")


def test_what_is_no_count_is_kept_as_typed_and_not_submitted(
    page: Page, three: list[int], box: Locator, script: Script
) -> None:
    for text in ("-3", "99999", "1,000", "200000", "x"):
        box.fill(text)  # as pasting does
        expect(box).to_have_value(text)
        refused(page)
    box.fill("")
    expect(box).to_have_attribute("aria-invalid", "false")
    box.press_sequentially("3.5")
    expect(box).to_have_value("3.5")
    refused(page)
    is_saved(page)
    reading = script.get(f"/api/v1/fields/{three[0]}/")["my_reading"]
    assert (reading["state"], reading["counts"]) == ("draft", {"WBC": 0, "PLT": 0})

    # Neither submitted nor counted on: the reader is led back to what they typed.
    for key in ("Enter", "r", "Shift+r"):
        page.keyboard.press(key)
        expect(box).to_be_focused()
        expect(box).to_have_value("3.5")
    page.locator("[data-type=RBC] [data-add]").click()
    expect(box).to_have_value("3.5")
    assert script.get(f"/api/v1/fields/{three[0]}/")["my_reading"]["state"] == "draft"

    box.fill(" 35 ")
    expect(box).to_have_value("35")
    expect(page.locator("[data-type=RBC] [data-note]")).to_be_hidden()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/fields/{three[1]}/"))
    page.keyboard.press("b")
    expect(box).to_have_value("35")


def test_what_was_typed_wrong_outlasts_a_visit_to_another_field_and_is_undone_like_any_step(
    page: Page, web: Stack, three: list[int], box: Locator
) -> None:
    box.fill("2O")
    refused(page)
    is_saved(page)
    page.reload()
    expect(box).to_have_value("2O")
    refused(page)
    expect(number(page, "WBC")).to_have_value("0")
    page.keyboard.press("Control+z")
    expect(box).to_have_value("2")
    page.keyboard.press("Control+y")
    refused(page)
    # A number that is said by key takes its place.
    page.keyboard.press("Alt+r")
    page.keyboard.press("0")
    expect(box).to_have_value("0")
    expect(box).to_have_attribute("aria-invalid", "false")


@pytest.fixture
def marked(page: Page, web: Stack, three: list[int], script: Script) -> Locator:
    """The same box, of the same field, in which three red cells are marked."""
    open_field(page, web, three[0])
    # A click on a picture that is still coming marks nothing.
    expect(page.locator("#counting")).not_to_have_class(re.compile("is-arriving"))
    no_other_cells(page)
    page.keyboard.press("Alt+r")
    for number_of_marks in (1, 2, 3):
        click(page, script, three[0], 40 * number_of_marks)
        expect(red(page)).to_have_value(str(number_of_marks))
    is_saved(page)
    return red(page)


def click(page: Page, script: Script, field: int, x: int) -> None:
    picture = script.get(f"/api/v1/fields/{field}/")
    page.mouse.click(*place_of(page, x, 40, picture["width"], picture["height"]))


def test_marks_do_not_bring_back_a_number_that_the_reader_is_correcting(
    page: Page, web: Stack, three: list[int], marked: Locator, script: Script
) -> None:
    marked.fill("12o")
    refused(page)
    is_saved(page)
    page.reload()
    expect(marked).to_have_value("12o")
    refused(page)
    reading = script.get(f"/api/v1/fields/{three[0]}/")["my_reading"]
    assert (reading["counts"], len(reading["marks"])) == ({"WBC": 0, "PLT": 0}, 3)

    # In another tab nobody knows what was typed, but the marks are not taken for a number either.
    other = open_field(page.context.new_page(), web, three[0])
    expect(red(other)).to_have_value("")
    note = other.locator("[data-type=RBC] [data-note]")
    expect(note).to_contain_text("Red cells: 3 marked, but no number.")


def test_nothing_is_counted_on_from_zero_over_marks_without_a_number(
    page: Page, three: list[int], marked: Locator, script: Script
) -> None:
    note = "Red cells: 3 marked, but no number."
    said = page.locator("[data-announce]")
    marked.fill("")
    expect(said).to_contain_text(note)
    page.keyboard.press("w")
    expect(number(page, "WBC")).to_have_value("1")
    expect(said).not_to_contain_text(note)
    for key in ("r", "Shift+r"):
        page.keyboard.press(key)
        expect(marked).to_be_focused()
        expect(marked).to_have_value("")
        expect(said).to_contain_text(note)
    page.locator("[data-type=RBC] [data-add]").click()
    click(page, script, three[0], 160)
    expect(marked).to_be_focused()
    expect(marked).to_have_value("")
    expect(page.locator("[data-type=RBC] [data-note]")).to_contain_text(note)

    # With a number it goes on, from there.
    marked.fill("3")
    page.keyboard.press("r")
    expect(marked).to_have_value("4")


def test_the_cross_does_not_talk_over_what_is_to_be_corrected(page: Page, box: Locator) -> None:
    said = page.locator("[data-announce]")
    box.fill("3.5")
    page.keyboard.press("Alt+w")
    expect(said).to_contain_text("White cells")
    box.blur()
    page.keyboard.press(",")
    expect(said).to_contain_text("Cross")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("r")
    expect(box).to_be_focused()
    expect(said).to_have_text(SENTENCE)
