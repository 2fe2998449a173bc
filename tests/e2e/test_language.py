"""The counting screen and its neighbors in Bahasa Indonesia: what scripts say is translated too."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser import sign_in
from tests.counting.pictures import smear_file
from tests.e2e.nothing_lost.screen import answer_zero
from tests.language import Detector, Words
from tests.scripts import Script
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.stack]

PHONE = ViewportSize(width=390, height=844)


def test_counting_in_bahasa_indonesia(
    web: Stack, script: Script, new_page: Callable[..., Page]
) -> None:
    slide = script.new_slide("LANG-1")
    fields = [script.upload(slide, smear_file(seed), f"{seed}.png") for seed in (31, 32)]
    detector = Detector()
    page = new_page(locale="id-ID")
    page.set_viewport_size(PHONE)
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))

    def hold_no_english() -> None:
        words = Words(page.content())
        assert words.found
        assert not list(detector.english(words.found, ("0.png", "31.png", "32.png")))
        wide = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
        assert not page.evaluate(wide)

    page.goto(f"{web.url}/accounts/login/")
    assert not [address for address in asked if "/words/" in address]
    page.get_by_role("button", name="English").click()
    sign_in(page, web)
    page.get_by_role("button", name="Bahasa Indonesia").click()
    expect(page.get_by_role("heading", name="Studi", exact=True)).to_be_visible()
    hold_no_english()

    page.goto(f"{web.url}/fields/{fields[0]}/")
    expect(page.locator("[data-remaining]")).to_have_text(re.compile(r"Sisa \d+ lapang pandang"))
    assert [address for address in asked if "/words/id" in address]
    page.keyboard.press("r")
    expect(page.locator("[data-saved]")).to_have_text("Draf tersimpan")
    hold_no_english()
    page.keyboard.press("Enter")
    expect(page.locator("[data-notice=ask]")).to_contain_text("Belum dihitung")
    hold_no_english()
    answer_zero(page)
    expect(page.locator("[data-announce]")).to_contain_text("Terkirim.")
    hold_no_english()

    page.goto(f"{web.url}/slides/{slide}/")
    expect(page.locator(".field-card")).to_have_count(2)
    expect(page.get_by_text("Terhitung", exact=True).first).to_be_visible()
    hold_no_english()
    page.goto(f"{web.url}/status/")
    expect(page.locator("[data-status-message]")).not_to_be_empty()
    hold_no_english()


def test_moments_are_the_lab_s_wherever_the_reader_sits(
    web: Stack, script: Script, new_page: Callable[..., Page]
) -> None:
    field = script.upload(script.new_slide("ZONE-1"), smear_file(33), "33.png")
    comment = {"text": "Rings around the stain."}
    written = script.post(f"/api/v1/fields/{field}/comments/", comment)["created_at"]
    page = new_page(timezone_id="Asia/Jakarta")
    sign_in(page, web)
    page.goto(f"{web.url}/fields/{field}/")
    expect(page.locator("[data-saved]")).not_to_have_text("\u00a0")
    page.keyboard.press("!")
    # The API writes moments in the server's zone.
    at = page.get_by_role("dialog").locator("[data-at]")
    expect(at).to_have_text(written[:16].replace("T", " "))
