"""Limits beside the counts, what the slide holds so far, and the stop."""

from __future__ import annotations

import pytest
from playwright.sync_api import Locator, Page, expect

from counting.statistics.intervals import binomial, cells_needed, poisson
from tests.browser import number
from tests.scripts import Script

pytestmark = [pytest.mark.e2e, pytest.mark.stack]


def so_far(page: Page, code: str, column: str) -> Locator:
    return page.locator(f"[data-so-far-of={code}] [data-{column}]")


def test_limits_follow_each_key_and_count_the_slide(
    page: Page, script: Script, fields: list[int]
) -> None:
    counts = {"RBC": 80, "WBC": 8, "PLT": 0}
    script.post(f"/api/v1/fields/{fields[1]}/readings/", {"counts": counts})
    page.reload()
    expect(page.locator("[data-so-far-line]")).to_contain_text("slide 88")
    page.locator("[data-so-far] summary").click()
    for _ in range(20):
        page.keyboard.press("r")
    page.keyboard.press("w")
    expect(page.locator("[data-so-far-line]")).to_have_text("This field 21, slide 109 in 2 fields")
    expect(so_far(page, "RBC", "field")).to_have_text("2012.2–30.9")
    expect(so_far(page, "RBC", "slide")).to_have_text("10081–122")
    limits = binomial(9, 109).times(100)
    expect(so_far(page, "WBC", "share")).to_have_text(f"8{limits.low:.0f}–{limits.high:.0f}")
    # 423 cells hold ±10 %, and a field holds 50: nine fields, seven more than two.
    assert cells_needed(0.1) == 423
    expect(so_far(page, "RBC", "more").first).to_have_text("7")
    page.get_by_label("Precision").select_option("20")
    expect(so_far(page, "RBC", "more").first).to_have_text("1")
    expect(so_far(page, "PLT", "field")).to_have_text("–")


def test_the_limits_are_those_of_the_report(browser_page: Page) -> None:
    found = browser_page.evaluate(
        """async () => {
          const s = await import("/static/js/counting/statistics.js");
          return {
            poisson: [0, 1, 5, 10, 20, 50, 100, 4000].map((n) => [n, s.poisson(n)]),
            binomial: [[0, 1], [9, 100], [30, 30], [700, 4000]].map((n) => [n, s.binomial(...n)]),
            needed: [0.05, 0.1, 0.2].map((p) => [p, s.cellsNeeded(p)]),
          };
        }"""
    )
    for count, limits in found["poisson"]:
        known = poisson(count)
        assert (limits["low"], limits["high"]) == pytest.approx((known.low, known.high), rel=1e-9)
    for (part, whole), limits in found["binomial"]:
        known = binomial(part, whole)
        assert (limits["low"], limits["high"]) == pytest.approx((known.low, known.high), rel=1e-9)
    for precision, cells in found["needed"]:
        assert cells == cells_needed(precision)


def test_the_stop_rings_once_and_holds_until_the_reader_goes_on(
    page: Page, script: Script, fields: list[int]
) -> None:
    counts = {"RBC": 97, "WBC": 0, "PLT": 0}
    script.post(f"/api/v1/fields/{fields[1]}/readings/", {"counts": counts})
    page.reload()
    expect(page.locator("[data-so-far-line]")).to_contain_text("slide 97")
    page.keyboard.press("r")
    expect(number(page, "RBC")).to_have_value("1")
    assert page.evaluate("window.tones") == []
    page.locator("[data-so-far] summary").click()
    page.get_by_label("Sounds").check()
    page.get_by_label("Stop at").select_option("100")
    expect(page.locator("[data-so-far-line]")).to_contain_text("slide 98")
    page.evaluate("window.tones = []")
    page.keyboard.press("r")
    tick = page.evaluate("window.tones")
    page.keyboard.press("w")
    told = page.locator("[data-notice=stop]")
    expect(told).to_contain_text("100 cells counted on this slide")
    ring = page.evaluate("window.tones")[len(tick) :]
    assert tick
    assert ring
    assert not set(ring) & set(tick)

    page.keyboard.press("r")
    expect(number(page, "RBC")).to_have_value("2")
    page.keyboard.press("Escape")
    expect(told).to_be_hidden()
    page.keyboard.press("r")
    expect(number(page, "RBC")).to_have_value("3")
    expect(told).to_be_hidden()

    # Both choices are remembered.
    page.reload()
    expect(page.get_by_label("Sounds")).to_be_checked()
    expect(page.get_by_label("Stop at")).to_have_value("100")
