"""What the slide page says of uploads, in a real browser."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest
from playwright.sync_api import FilePayload, Page, Route, expect

from tests.browser import sign_in
from tests.counting.pictures import smear_file
from tests.scripts import Script
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.stack]

UNPACK = """
from counting.models import ImportJob
from counting.services import imports
imports.run_import(ImportJob.objects.latest("pk").pk)
"""


def test_the_sum_counts_the_pictures_of_an_archive(
    new_page: Callable[..., Page], web: Stack, script: Script
) -> None:
    slide = script.new_slide("ZIP")
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, seed in (("a.png", 61), ("b.png", 62), ("again.png", 61)):
            archive.writestr(name, smear_file(seed))
        archive.writestr("notes.txt", "no picture")
    page = new_page()
    sign_in(page, web)
    page.goto(f"{web.url}/slides/{slide}/")
    page.locator("[data-pick]").first.set_input_files(
        [
            FilePayload(name="one.png", mimeType="image/png", buffer=smear_file(63)),
            FilePayload(name="zip.zip", mimeType="application/zip", buffer=packed.getvalue()),
        ]
    )
    total = page.locator("[data-upload-sum]")
    expect(total).to_have_text("1 of 5 files done · 1 added")
    web.manage("shell", "-c", UNPACK)
    expect(total).to_have_text("5 of 5 files done · 3 added · 1 there already · 1 refused")


def test_a_picture_whose_answer_was_lost_is_added_and_any_other_is_there_already(
    new_page: Callable[..., Page], web: Stack, script: Script
) -> None:
    slide = script.new_slide("LOST")
    script.upload(slide, smear_file(65), "before.png")
    page = new_page()
    sign_in(page, web)
    page.goto(f"{web.url}/slides/{slide}/")
    tries: list[str] = []

    def lose_each_first_answer(route: Route) -> None:
        tries.append(route.request.method)
        if len(tries) == 3:
            # The server takes it, as when it is killed before it can say so.
            script.upload(slide, smear_file(64), "lost.png")
        if len(tries) in {1, 3}:
            route.abort()
        else:
            route.continue_()

    page.route("**/api/v1/fields/", lose_each_first_answer)
    page.locator("[data-pick]").first.set_input_files(
        [
            FilePayload(name="again.png", mimeType="image/png", buffer=smear_file(65)),
            FilePayload(name="lost.png", mimeType="image/png", buffer=smear_file(64)),
        ]
    )
    total = page.locator("[data-upload-sum]")
    words = "2 of 2 files done · 1 added · 1 there already"
    expect(total).to_have_text(words)
    assert len(tries) == 4
    expect(page.locator("[data-upload-list]")).to_contain_text("before.png on slide LOST")
    expect(page.locator("[data-grid] [data-name][title='lost.png']")).to_have_count(1)
