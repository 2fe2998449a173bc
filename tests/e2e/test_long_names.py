"""Long names without a place to break widen no page on a phone."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, ViewportSize, expect

from tests.browser import sign_in
from tests.counting.pictures import smear_file
from tests.scripts import Script
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.stack]

PHONE = ViewportSize(width=390, height=844)


def test_a_long_name_widens_no_page(
    web: Stack, script: Script, new_page: Callable[..., Page]
) -> None:
    study = script.post("/api/v1/studies/", {"name": "w" * 60})["id"]
    slide = script.post("/api/v1/slides/", {"study": study, "code": "m" * 40})["id"]
    field = script.upload(slide, smear_file(71), "n" * 60 + ".png")
    script.post(f"/api/v1/fields/{field}/readings/", {"counts": {"RBC": 5}})
    page = new_page()
    page.set_viewport_size(PHONE)
    sign_in(page, web)
    wide = {}
    for address in (
        "/",
        f"/studies/{study}/",
        f"/studies/{study}/agreement/",
        f"/studies/{study}/members/",
        f"/slides/{slide}/",
        f"/slides/{slide}/edit/",
        f"/slides/{slide}/delete/",
        f"/slides/{slide}/report/",
        f"/fields/{field}/",
    ):
        page.goto(web.url + address)
        expect(page.locator("h1").first).to_be_attached()
        width = page.evaluate("document.documentElement.scrollWidth")
        if width > PHONE["width"]:
            wide[address] = width
    assert wide == {}
