"""A killed server, a dead line, an expired session, a refusal: no count is lost, all is told."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, Route, expect

from tests.browser import sign_in
from tests.e2e.nothing_lost.screen import (
    another_tab,
    draft_of,
    is_ahead,
    is_saved,
    open_field,
    press,
    red,
    submit,
)
from tests.scripts import Script
from tests.stack import PASSWORD, Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.stack]


MAKE_STRANGER = f"""
from django.contrib.auth.models import User
User.objects.create_user("stranger", password={PASSWORD!r})
"""


def test_a_server_killed_while_counting_gets_everything_when_it_is_back(
    page: Page, web: Stack, field: int, script: Script
) -> None:
    open_field(page, web, field)
    press(page, "r", 2)
    is_saved(page)
    web.kill("web")
    press(page, "r", 3)
    expect(page.locator("[data-saved]")).to_have_text("Not saved on the server yet")
    press(page, "r", 1)
    web.start("web")
    is_saved(page)
    expect(page.locator("[data-notice=trouble]")).to_be_hidden()
    assert draft_of(script, field) == 6


def test_a_line_that_dies_in_silence_is_told_and_tried_again(
    page: Page, web: Stack, field: int, script: Script
) -> None:
    page.clock.install()
    open_field(page, web, field)
    held: list[Route] = []
    page.route("**/readings/", lambda route: held.append(route))
    press(page, "r", 2)
    wait_until(lambda: page.evaluate("1") and held, 30, "the counts to be sent")
    page.clock.fast_forward(30_000)
    expect(page.locator("[data-notice=trouble]")).to_contain_text("The server does not answer")
    assert draft_of(script, field) is None
    page.unroute_all()
    is_saved(page)
    assert draft_of(script, field) == 2


def test_the_next_field_shows_while_the_counts_are_on_their_way(
    page: Page, web: Stack, three: list[int], script: Script
) -> None:
    open_field(page, web, three[0])
    is_ahead(page, three[1])
    held: list[Route] = []
    page.route(f"**/api/v1/fields/{three[0]}/readings/", lambda route: held.append(route))
    press(page, "r", 3)
    submit(page)
    expect(page).to_have_url(re.compile(f"/fields/{three[1]}/"))
    press(page, "r", 2)
    # Both wait in this browser, in this order.
    assert (draft_of(script, three[0]), draft_of(script, three[1])) == (None, None)
    wait_until(lambda: page.evaluate("1") and held, 30, "the counts to be sent")
    held[0].continue_()
    is_saved(page)
    assert (draft_of(script, three[0]), draft_of(script, three[1])) == (3, 2)
    assert script.get(f"/api/v1/fields/{three[0]}/")["reference"]["RBC"] == 3

    # Back at once: what was submitted is there, as submitted.
    page.keyboard.press("b")
    expect(red(page)).to_have_value("3")
    expect(page.locator("[data-saved]")).to_have_text("Submitted")


def test_counts_that_the_server_does_not_take_bring_the_reader_back(
    page: Page, web: Stack, three: list[int], script: Script
) -> None:
    open_field(page, web, three[0])
    is_ahead(page, three[1])
    refusal = "The counts were refused."
    page.route(
        f"**/api/v1/fields/{three[0]}/readings/",
        lambda route: route.fulfill(status=400, json={"detail": refusal, "code": "counts"}),
    )
    press(page, "r", 3)
    submit(page)
    told = page.locator("[data-notice=elsewhere]")
    expect(told).to_contain_text(f"0.png is not saved, but kept in this browser. {refusal}")
    expect(page).to_have_url(re.compile(f"/fields/{three[1]}/"))
    press(page, "r", 1)
    page.unroute_all()
    told.get_by_role("link").click()
    expect(red(page)).to_have_value("3")
    expect(told).to_be_hidden()
    is_saved(page)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/fields/{three[1]}/"))
    expect(red(page)).to_have_value("1")
    wait_until(lambda: draft_of(script, three[0]) == 3, 30, "the counts to be saved")


def test_a_lost_connection_is_told_on_the_next_field_and_nothing_is_lost(
    page: Page, web: Stack, three: list[int], script: Script
) -> None:
    open_field(page, web, three[0])
    is_ahead(page, three[1])
    press(page, "r", 3)
    is_saved(page)
    web.kill("web")
    press(page, "r", 1)
    submit(page)
    expect(page).to_have_url(re.compile(f"/fields/{three[1]}/"))
    expect(page.locator("[data-notice=trouble]")).to_contain_text("The server does not answer")
    expect(page.locator("[data-saved]")).to_have_text("Not saved on the server yet")
    later = another_tab(page)
    page.close()
    web.start("web")
    assert draft_of(script, three[0]) == 3

    # The tab is gone: the next visit, of another field, sends what was submitted.
    open_field(later, web, three[2])
    wait_until(
        lambda: (script.get(f"/api/v1/fields/{three[0]}/")["reference"] or {}).get("RBC") == 4,
        30,
        "the submission to be sent",
    )


def test_a_screen_that_cannot_go_on_without_the_connection_says_so(
    page: Page, web: Stack, three: list[int], script: Script
) -> None:
    page.route("**/next/?after=*", lambda route: route.abort())
    open_field(page, web, three[0])
    page.route("**/readings/", lambda route: route.abort())
    saved, trouble = page.locator("[data-saved]"), page.locator("[data-notice=trouble]")
    press(page, "r", 3)
    expect(saved).to_have_text("Not saved on the server yet")
    expect(trouble).not_to_contain_text("You can go on")
    submit(page)
    expect(saved).to_have_text("Waiting for the connection")
    expect(trouble).to_contain_text("You can go on once this field is saved.")
    page.unroute("**/readings/")
    expect(page).to_have_url(re.compile(f"/fields/{three[1]}/"))
    expect(trouble).to_be_hidden()
    assert draft_of(script, three[0]) == 3


def test_an_expired_session_keeps_the_counts_until_signed_in_again(
    page: Page, web: Stack, field: int, script: Script
) -> None:
    open_field(page, web, field)
    page.context.clear_cookies()
    press(page, "r", 5)
    expect(page.locator("[data-notice=trouble]")).to_contain_text("You are signed out")
    assert draft_of(script, field) is None
    with page.context.expect_page() as opened:
        page.locator("[data-sign-in]").click()
    sign_in(opened.value, web)
    page.bring_to_front()
    is_saved(page)
    assert draft_of(script, field) == 5


def test_nothing_can_be_typed_before_the_draft_is_there(
    page: Page, web: Stack, field: int, script: Script
) -> None:
    script.post(f"/api/v1/fields/{field}/readings/", {"counts": {"RBC": 4}, "submit": False})
    held: list[Route] = []
    page.route(f"**/api/v1/fields/{field}/", lambda route: held.append(route))
    page.goto(f"{web.url}/fields/{field}/")
    takes_focus = "box => { box.focus(); return document.activeElement === box; }"
    assert not red(page).evaluate(takes_focus)
    wait_until(lambda: page.evaluate("1") and held, 30, "the field to be asked for")
    held[0].continue_()
    expect(red(page)).to_have_value("4")
    assert red(page).evaluate(takes_focus)


def test_a_flagged_field_leaves_the_screen_and_says_why(
    page: Page, web: Stack, field: int, script: Script
) -> None:
    open_field(page, web, field)
    press(page, "r", 2)
    page.keyboard.press("!")
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("New comment").fill("Rings around the stain.")
    dialog.get_by_role("button", name="Add the comment").click()
    expect(dialog.locator("[data-comments]")).to_contain_text("Rings around the stain.")
    dialog.get_by_label("Out of focus").check()
    dialog.get_by_label("In a few words").fill("Left half")
    dialog.get_by_role("button", name="Flag and go on").click()
    expect(page).not_to_have_url(re.compile(f"/fields/{field}/"))

    open_field(page, web, field)
    expect(red(page)).to_have_value("2")
    expect(page.locator("[data-notice=flag]")).to_contain_text("out of focus", ignore_case=True)
    page.keyboard.press("!")
    page.get_by_role("button", name="Take the flag back").click()
    expect(page.locator("[data-notice=flag]")).to_be_hidden()
    assert script.get(f"/api/v1/fields/{field}/")["flag"] is None


def test_counts_wait_for_their_reader_while_a_stranger_to_the_study_is_signed_in(
    page: Page, web: Stack, three: list[int], script: Script
) -> None:
    web.manage("shell", "-c", MAKE_STRANGER)
    open_field(page, web, three[0])
    is_ahead(page, three[1])
    press(page, "r", 5)
    is_saved(page)
    page.context.clear_cookies()
    other = another_tab(page)
    sign_in(other, web, "stranger")
    # Only now, so that the stranger's session is what the submission meets.
    submit(page)
    told = page.locator("[data-notice=trouble]")
    expect(told).to_contain_text("You are signed in as stranger now")
    expect(page.locator("[data-notice=elsewhere]")).to_be_hidden()
    other.get_by_role("button", name="Sign out").click()
    sign_in(other, web)
    page.bring_to_front()
    wait_until(
        lambda: (script.get(f"/api/v1/fields/{three[0]}/")["reference"] or {}).get("RBC") == 5,
        30,
        "the submission to be sent",
    )
    expect(told).to_be_hidden()
