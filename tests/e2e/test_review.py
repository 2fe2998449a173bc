"""The reviewer rules with one key, or counts again."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import sign_in
from tests.counting.pictures import smear_file
from tests.e2e.nothing_lost.screen import submit
from tests.scripts import Script
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.stack]


def test_one_key_rules_and_another_counts_again(
    web: Stack, script: Script, new_page: Callable[..., Page]
) -> None:
    body = {"name": "Two readers", "readers_per_field": 2}
    script.study = script.post("/api/v1/studies/", body)["id"]
    slide = script.new_slide("S1")
    fields = [script.upload(slide, smear_file(seed), f"{seed}.png") for seed in range(3)]
    for reader, red in zip(script.colleagues("bob", "rita"), (8, 20), strict=True):
        for field in fields:
            reader.post(f"/api/v1/fields/{field}/readings/", {"counts": {"RBC": red}})

    def reference(field: int) -> dict[str, int] | None:
        counts: dict[str, int] | None = script.get(f"/api/v1/fields/{field}/")["reference"]
        return counts

    page = new_page()
    sign_in(page, web)
    page.goto(f"{web.url}/studies/{script.study}/review/")
    expect(page.get_by_role("heading", name="S1 / 0.png")).to_be_visible()
    page.keyboard.press("l")
    expect(page.get_by_role("heading", name="S1 / 1.png")).to_be_visible()
    page.keyboard.press("2")
    expect(page.get_by_role("status")).to_contain_text("1.png has its count now")
    assert [reference(field) for field in fields] == [None, {"RBC": 20}, None]

    expect(page.get_by_role("heading", name="S1 / 0.png")).to_be_visible()
    page.keyboard.press("1")
    expect(page.get_by_role("heading", name="S1 / 2.png")).to_be_visible()
    assert reference(fields[0]) == {"RBC": 8}

    page.keyboard.press("u")
    expect(page.get_by_role("status")).to_contain_text("Your ruling on 0.png is undone")
    expect(page.get_by_role("heading", name="S1 / 0.png")).to_be_visible()
    assert reference(fields[0]) is None
    page.keyboard.press("2")
    expect(page.get_by_role("heading", name="S1 / 2.png")).to_be_visible()
    assert reference(fields[0]) == {"RBC": 20}

    page.keyboard.press("3")
    expect(page).to_have_url(re.compile(f"/fields/{fields[2]}/"))
    expect(page.locator("[data-saved]")).to_have_text("Nothing to save yet")
    page.locator("[data-type=RBC] [data-number]").fill("14")
    submit(page)
    expect(page).to_have_url(re.compile(f"/studies/{script.study}/review/"))
    expect(page.get_by_role("heading", name="Nothing waits for your ruling")).to_be_visible()
    assert reference(fields[2]) == {"RBC": 14, "WBC": 0, "PLT": 0}


def test_a_reader_who_corrects_a_ruled_field_sees_that_the_ruling_holds(
    web: Stack, script: Script, new_page: Callable[..., Page]
) -> None:
    body = {"name": "Ruled", "readers_per_field": 2}
    script.study = script.post("/api/v1/studies/", body)["id"]
    field = script.upload(script.new_slide("S1"), smear_file(1), "1.png")
    reader, reviewer = script.colleagues("rob", "dora")
    members = script.get(f"/api/v1/studies/{script.study}/members/")["results"]
    (dora,) = (row["id"] for row in members if row["username"] == "dora")
    script.patch(f"/api/v1/studies/{script.study}/members/{dora}/", {"role": "reviewer"})
    none = {"WBC": 0, "PLT": 0}
    reader.post(f"/api/v1/fields/{field}/readings/", {"counts": {"RBC": 20, **none}})
    mine = script.post(f"/api/v1/fields/{field}/readings/", {"counts": {"RBC": 8, **none}})
    reviewer.post(f"/api/v1/fields/{field}/rulings/", {"reading": mine["id"]})

    page = new_page()
    sign_in(page, web)
    page.goto(f"{web.url}/fields/{field}/")
    notice = page.locator("[data-notice=ruled]")
    expect(notice).to_contain_text("dora has ruled on this field.")
    expect(notice).to_contain_text("it is kept, but the ruling holds")
    page.locator("[data-type=RBC] [data-number]").fill("15")
    page.locator("[data-submit]").click()
    expect(page).to_have_url(f"{web.url}/studies/{script.study}/")
    kept = script.get(f"/api/v1/fields/{field}/")
    assert (kept["reference"]["RBC"], kept["my_reading"]["counts"]["RBC"]) == (8, 15)
    (found,) = reviewer.get(f"/api/v1/studies/{script.study}/review/")["results"]
    assert (found["field"], found["ruled"]["id"]) == (field, mine["id"])
