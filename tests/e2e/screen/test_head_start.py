"""Who wants it starts each field from its suggestion, where there may be one."""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from ml.synthetic import render
from tests.browser import number
from tests.counting.pictures import encoded
from tests.scripts import Script
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.stack]


def test_who_wants_it_starts_each_field_from_its_suggestion(
    browser_page: Page, script: Script, slide: int, web: Stack
) -> None:
    page = browser_page
    fields = [
        script.upload(slide, encoded(render(seed, width=640, height=480).image), f"{seed}.png")
        for seed in (71, 72)
    ]
    wait_until(lambda: script.states(slide) == {"predicted": 2}, 120, "two predictions")
    prediction = script.get(f"/api/v1/fields/{fields[0]}/")["prediction"]
    assert not prediction["novel"]
    suggested = str(prediction["counts"]["RBC"]["value"])
    page.goto(f"{web.url}/fields/{fields[0]}/")
    expect(page.locator("[data-type=RBC] [data-suggested]")).to_have_text(suggested)
    expect(number(page, "RBC")).to_have_value("")
    page.locator("[data-so-far] summary").click()
    choice = page.get_by_label("Start from the suggestion")
    expect(choice).not_to_be_checked()
    choice.check()
    expect(number(page, "RBC")).to_have_value(suggested)
    choice.uncheck()
    expect(number(page, "RBC")).to_have_value("")
    choice.check()

    # Nothing is saved before the reader does something; one undo leaves the field uncounted.
    page.reload()
    expect(number(page, "RBC")).to_have_value(suggested)
    expect(page.locator("[data-saved]")).to_have_text("Suggested, not saved yet")
    assert script.get(f"/api/v1/fields/{fields[0]}/")["my_reading"] is None
    page.keyboard.press("Control+z")
    expect(number(page, "RBC")).to_have_value("")
    page.keyboard.press("Control+y")

    page.keyboard.press("Shift+r")
    expect(number(page, "RBC")).to_have_value(str(int(suggested) - 1))
    page.keyboard.press("Enter")
    page.wait_for_url(f"**/fields/{fields[1]}/")
    expect(number(page, "RBC")).not_to_have_value("")
    # Who presses before the picture is there has not looked at it.
    expect(page.locator("#counting")).not_to_have_class(re.compile("is-arriving"))
    page.keyboard.press("Enter")

    def readings() -> list[dict[str, Any]]:
        return [script.get(f"/api/v1/fields/{field}/")["my_reading"] for field in fields]

    wait_until(
        lambda: [mine and mine["state"] for mine in readings()] == ["submitted"] * 2,
        30,
        "both readings",
    )
    first, second = readings()
    assert first["counts"]["RBC"] == int(suggested) - 1
    # What began as the suggestion is told apart from what was counted beside it.
    assert [first["method"], second["method"]] == ["corrected", "accepted"]
    table = page.request.get(f"{web.url}/api/v1/studies/{script.study}/counts.csv").text()
    shown = {
        row["field"]: row["prediction_shown"]
        for row in csv.DictReader(io.StringIO(table))
        if row["field_id"] in map(str, fields)
    }
    assert shown == dict.fromkeys(("71.png", "72.png"), prediction["model_name"])
    told = script.get(f"/api/v1/fields/{fields[1]}/")["prediction"]["counts"]
    assert second["counts"] == {code: count["value"] for code, count in told.items()}


def test_no_head_start_where_the_model_does_not_know_what_it_sees(
    page: Page, script: Script, slide: int, web: Stack
) -> None:
    strange = script.upload(
        slide, encoded(Image.effect_noise((320, 240), 90).convert("RGB")), "x.png"
    )
    wait_until(lambda: script.states(slide)["predicted"] == 3, 120, "its prediction")
    page.locator("[data-so-far] summary").click()
    page.get_by_label("Start from the suggestion").check()
    page.goto(f"{web.url}/fields/{strange}/")
    expect(page.locator("[data-notice=novel]")).to_be_visible()
    expect(number(page, "RBC")).to_have_value("")


def test_no_head_start_in_a_blind_field(browser_page: Page, script: Script, web: Stack) -> None:
    study = script.post("/api/v1/studies/", {"name": "Blind", "blind_share": 1})["id"]
    slide = script.post("/api/v1/slides/", {"study": study, "code": "S"})["id"]
    picture = encoded(render(73, width=640, height=480).image)
    field = script.upload(slide, picture, "blind.png")
    wait_until(lambda: script.states(slide) == {"predicted": 1}, 120, "its prediction")
    browser_page.goto(f"{web.url}/fields/{field}/")
    browser_page.locator("[data-so-far] summary").click()
    browser_page.get_by_label("Start from the suggestion").check()
    browser_page.reload()
    expect(browser_page.locator("[data-notice=blind]")).to_be_visible()
    expect(browser_page.get_by_label("Start from the suggestion")).to_be_checked()
    expect(number(browser_page, "RBC")).to_have_value("")
