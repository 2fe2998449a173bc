"""No zero is recorded that nobody counted: types left out are asked for, and haste is no answer."""

from __future__ import annotations

import re
from typing import Any

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.browser import number
from tests.counting.pictures import smear_file
from tests.e2e.nothing_lost.screen import (
    answer_zero,
    is_ahead,
    is_saved,
    let_pass,
    open_field,
    press,
    red,
)
from tests.scripts import Script
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.stack]

# The second press comes as soon as the next field does.
PRESS_0_AND_AGAIN = """() => new Promise((done) => {
  const press = () => document.dispatchEvent(new KeyboardEvent("keydown", { key: "0" }));
  const again = new MutationObserver(() => { press(); done(); });
  again.observe(document.querySelector("[data-field-name]"), { childList: true });
  press();
})"""


@pytest.fixture
def blind(script: Script, request: pytest.FixtureRequest) -> list[int]:
    """Two fields that show no suggestion before they are submitted."""
    body = {"name": request.node.name, "blind_share": 1}
    study = script.post("/api/v1/studies/", body)["id"]
    slide = script.post("/api/v1/slides/", {"study": study, "code": "S1"})["id"]
    return [script.upload(slide, smear_file(seed), f"{seed}.png") for seed in range(2)]


@pytest.fixture
def ask(page: Page, web: Stack, blind: list[int]) -> Locator:
    """The question about types left out, on the screen of the first of those fields."""
    open_field(page, web, blind[0])
    expect(page.locator("[data-notice=blind]")).to_be_visible()
    expect(page.locator("#counting")).not_to_have_class(re.compile("is-arriving"))
    return page.locator("[data-notice=ask]")


def submitted(script: Script, field: int) -> dict[str, int]:
    """Wait until a field is submitted, and return its counts."""

    def mine() -> dict[str, Any]:
        return script.get(f"/api/v1/fields/{field}/")["my_reading"] or {"state": "none"}

    wait_until(lambda: mine()["state"] == "submitted", 30, "the submission")
    counts: dict[str, int] = mine()["counts"]
    return counts


def test_types_that_were_not_touched_are_named_before_they_are_zero(
    page: Page, blind: list[int], ask: Locator, script: Script
) -> None:
    press(page, "r", 2)
    page.keyboard.press("Enter")
    expect(ask).to_contain_text("Not counted: White cells, Platelets. Save as 0?")
    is_saved(page)
    assert script.get(f"/api/v1/fields/{blind[0]}/")["my_reading"]["state"] == "draft"

    # Counting on takes the question back; who typed a 0 is not asked about it.
    number(page, "WBC").fill("0")
    expect(ask).to_be_hidden()
    page.keyboard.press("Enter")
    expect(ask).to_contain_text("Not counted: Platelets. Save as 0?")
    answer_zero(page)
    expect(page).to_have_url(re.compile(f"/fields/{blind[1]}/"))
    assert submitted(script, blind[0]) == {"RBC": 2, "WBC": 0, "PLT": 0}


def test_a_field_of_which_every_type_was_counted_is_submitted_at_once(
    page: Page, blind: list[int], ask: Locator, script: Script
) -> None:
    for key in ("r", "w", "Shift+w", "Alt+p", "0", "Enter"):
        page.keyboard.press(key)
    expect(page).to_have_url(re.compile(f"/fields/{blind[1]}/"))
    assert submitted(script, blind[0]) == {"RBC": 1, "WBC": 0, "PLT": 0}


def test_an_empty_field_is_asked_about_and_left_as_it_is(
    page: Page, blind: list[int], ask: Locator, script: Script
) -> None:
    page.keyboard.press("Enter")
    expect(ask).to_contain_text("Nothing is counted yet. Save all types as 0?")
    page.keyboard.press("Escape")
    expect(ask).to_be_hidden()
    assert script.get(f"/api/v1/fields/{blind[0]}/")["my_reading"] is None
    page.keyboard.press("Enter")
    answer_zero(page)
    expect(page).to_have_url(re.compile(f"/fields/{blind[1]}/"))
    assert submitted(script, blind[0]) == {"RBC": 0, "WBC": 0, "PLT": 0}


@pytest.mark.parametrize("apart", [100, 300])
def test_enter_pressed_in_haste_saves_no_field_that_nobody_counted(
    page: Page, blind: list[int], ask: Locator, script: Script, apart: int
) -> None:
    for key in ("r", "w", "Shift+w", "Alt+p", "0"):
        page.keyboard.press(key)
    for _ in blind:  # from the first field to the second, and there
        for _ in range(1500 // apart):
            page.keyboard.press("Enter")
            let_pass(page, apart)
        expect(page).to_have_url(re.compile(f"/fields/{blind[1]}/"))
        expect(page.locator("#counting")).not_to_have_class(re.compile("is-arriving"))
    expect(ask).to_contain_text("Nothing is counted yet. Save all types as 0?")
    expect(page.locator("[data-announce]")).to_have_text("Press 0 to save as 0, or Esc to go back.")
    assert submitted(script, blind[0]) == {"RBC": 1, "WBC": 0, "PLT": 0}
    assert script.get(f"/api/v1/fields/{blind[1]}/")["my_reading"] is None


def test_the_button_that_asked_does_not_answer(
    page: Page, blind: list[int], ask: Locator, script: Script
) -> None:
    press(page, "r", 2)
    is_saved(page)
    # In one place: where the finger is, no other button comes.
    place = page.locator("[data-submit]").bounding_box()
    assert place is not None
    for _ in range(3):
        page.mouse.click(place["x"] + place["width"] / 2, place["y"] + place["height"] / 2)
        let_pass(page, 400)
    expect(ask).to_contain_text("Not counted: White cells, Platelets. Save as 0?")
    assert script.get(f"/api/v1/fields/{blind[0]}/")["my_reading"]["state"] == "draft"
    # Who goes to the question's own button means it.
    ask.get_by_role("button", name="Save as 0").focus()
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/fields/{blind[1]}/"))
    assert submitted(script, blind[0]) == {"RBC": 2, "WBC": 0, "PLT": 0}


def test_0_answers_for_no_type_that_was_chosen_after_the_question(
    page: Page, blind: list[int], ask: Locator, script: Script
) -> None:
    press(page, "r", 2)
    page.keyboard.press("Enter")
    expect(ask).to_be_visible()
    for key in ("Alt+w", "0", "Enter"):
        page.keyboard.press(key)
    expect(ask).to_contain_text("Not counted: Platelets. Save as 0?")


def test_0_pressed_twice_counts_nothing_in_the_next_field(
    page: Page, blind: list[int], ask: Locator, script: Script
) -> None:
    is_ahead(page, blind[1])
    press(page, "r", 2)
    page.keyboard.press("Enter")
    expect(ask).to_be_visible()
    page.evaluate(PRESS_0_AND_AGAIN)
    expect(page).to_have_url(re.compile(f"/fields/{blind[1]}/"))
    assert submitted(script, blind[0]) == {"RBC": 2, "WBC": 0, "PLT": 0}
    expect(red(page)).to_have_value("")
    assert script.get(f"/api/v1/fields/{blind[1]}/")["my_reading"] is None
