"""Two tabs, a closed tab, a left page: no count is lost, and no choice is made in silence."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Dialog, Page, Route, expect

from tests.counting.pictures import smear_file
from tests.e2e.nothing_lost.screen import (
    another_tab,
    draft_of,
    is_saved,
    open_field,
    press,
    red,
    submit,
)
from tests.scripts import Script
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.stack]


def count_and_close(page: Page, web: Stack, field: int, times: int) -> None:
    """Count in another tab while the server is down, and close that tab: only the browser knows."""
    tab = open_field(another_tab(page), web, field)
    web.kill("web")
    press(tab, "r", times)
    tab.close()
    web.start("web")


def test_two_tabs_on_one_field_are_told_and_the_reader_chooses(
    page: Page, web: Stack, field: int, script: Script
) -> None:
    one, two = open_field(page, web, field), open_field(another_tab(page), web, field)
    press(one, "r", 3)
    is_saved(one)
    press(two, "r", 5)
    told = two.locator("[data-notice=conflict]")
    expect(told).to_contain_text("saved from another tab or device meanwhile")
    expect(told.locator("[data-version-mine]")).to_contain_text("Red cells 5")
    expect(told.locator("[data-version-other]")).to_contain_text("Red cells 3")
    assert draft_of(script, field) == 3

    # Enter does not go over it either, and what is counted meanwhile is not lost.
    two.keyboard.press("Enter")
    press(two, "r", 1)
    expect(told).to_be_visible()
    two.get_by_role("button", name="Use mine").click()
    expect(told).to_be_hidden()
    is_saved(two)
    assert draft_of(script, field) == 6

    press(one, "r", 1)
    expect(one.locator("[data-notice=conflict]")).to_be_visible()
    one.get_by_role("button", name="Use the other").click()
    expect(red(one)).to_have_value("6")
    expect(one.locator("[data-notice=conflict]")).to_be_hidden()
    press(one, "r", 1)
    is_saved(one)
    assert draft_of(script, field) == 7


def test_submitting_over_a_submission_from_another_tab_is_told(
    page: Page, web: Stack, field: int, script: Script
) -> None:
    one, two = open_field(page, web, field), open_field(another_tab(page), web, field)
    press(one, "r", 3)
    submit(one)
    expect(one).not_to_have_url(re.compile(f"/fields/{field}/"))
    press(two, "r", 5)
    submit(two)
    # The next field may be on the screen by then: it tells, and leads back.
    told = two.locator("[data-notice=elsewhere], [data-notice=conflict]").filter(visible=True)
    expect(told).to_contain_text("You submitted this field")
    assert draft_of(script, field) == 3
    if f"/fields/{field}/" not in two.url:
        two.get_by_role("link", name="Open it and choose").click()
    expect(red(two)).to_have_value("5")
    two.get_by_role("button", name="Use mine").click()
    expect(two.locator("[data-saved]")).to_have_text("Correction not submitted")
    assert script.get(f"/api/v1/fields/{field}/")["reference"]["RBC"] == 3


def test_a_closed_tab_comes_back_with_its_counts(
    page: Page, web: Stack, field: int, script: Script
) -> None:
    count_and_close(page, web, field, 4)
    assert draft_of(script, field) is None

    open_field(page, web, field)
    expect(red(page)).to_have_value("4")
    expect(page.locator("[data-notice=restored]")).to_be_visible()
    is_saved(page)
    assert draft_of(script, field) == 4


def test_counts_kept_here_that_were_saved_elsewhere_meanwhile_wait_for_a_choice(
    page: Page, web: Stack, field: int, slide: int, script: Script
) -> None:
    count_and_close(page, web, field, 4)
    script.post(f"/api/v1/fields/{field}/readings/", {"counts": {"RBC": 9}, "submit": False})

    # Another field is on the screen when what was left is sent.
    other = script.upload(slide, smear_file(7001), "other.png")
    open_field(page, web, other)
    told = page.locator("[data-notice=elsewhere]")
    expect(told).to_contain_text(f"{name_of(script, field)} is not saved")
    told.get_by_role("link", name="Open it and choose").click()
    expect(page.locator("[data-notice=conflict]")).to_be_visible()
    expect(red(page)).to_have_value("4")
    assert draft_of(script, field) == 9
    page.get_by_role("button", name="Use mine").click()
    is_saved(page)
    assert draft_of(script, field) == 4


def test_counts_left_by_another_tab_are_sent_as_they_were_left(
    page: Page, web: Stack, field: int, script: Script
) -> None:
    open_field(page, web, field)
    page.route("**/readings/", lambda route: route.abort())
    press(page, "r", 4)
    expect(page.locator("[data-saved]")).to_have_text("Not saved on the server yet")

    # As after signing in again in a tab of its own: the first tab still tries.
    tab = another_tab(page)
    sent: list[int] = []

    def pass_on(route: Route) -> None:
        body = route.request.post_data_json or {}
        sent.append(body["counts"]["RBC"])
        route.continue_()

    tab.route("**/readings/", pass_on)
    tab.goto(f"{web.url}/fields/{field}/")
    expect(red(tab)).to_have_value("4")
    press(tab, "r", 1)
    is_saved(tab)
    assert sent == [4, 5]

    # So the first tab is told, and what was counted in the other one stays.
    page.unroute_all()
    expect(page.locator("[data-notice=conflict]")).to_be_visible()
    assert draft_of(script, field) == 5


def test_a_browser_that_keeps_nothing_asks_before_it_leaves(
    page: Page, web: Stack, field: int, script: Script
) -> None:
    page.add_init_script(
        "Storage.prototype.setItem = () => { throw new DOMException('', 'QuotaExceededError'); };"
    )
    open_field(page, web, field)
    page.route("**/readings/", lambda route: route.abort())
    press(page, "r", 3)
    expect(page.locator("[data-notice=trouble]")).to_contain_text("leave this page open")
    asked: list[str] = []

    def stay(dialog: Dialog) -> None:
        asked.append(dialog.type)
        dialog.dismiss()

    page.on("dialog", stay)
    page.close(run_before_unload=True)
    wait_until(lambda: page.evaluate("1") and asked, 30, "the browser to ask")
    assert asked == ["beforeunload"]

    page.unroute_all()
    is_saved(page)
    expect(page.locator("[data-notice=trouble]")).to_be_hidden()
    assert draft_of(script, field) == 3
    # Nothing is at stake any more.
    page.goto(web.url)
    assert len(asked) == 1


CLOSED = (
    "is closed to you now. Ask who runs its study to let you in again; your counts are kept in "
    "this browser: Red cells 4."
)
REFUSED = "is not saved, but kept in this browser. No."


@pytest.mark.parametrize(
    ("status", "code", "words", "opens"),
    [(404, "not_found", CLOSED, False), (400, "counts", REFUSED, True)],
)
def test_counts_that_the_server_takes_no_more_are_kept_until_the_reader_gives_them_up(
    page: Page,
    web: Stack,
    field: int,
    slide: int,
    script: Script,
    status: int,
    code: str,
    words: str,
    opens: bool,
) -> None:
    count_and_close(page, web, field, 4)
    page.route(
        f"**/api/v1/fields/{field}/readings/",
        lambda route: route.fulfill(status=status, json={"detail": "No.", "code": code}),
    )
    other = script.upload(slide, smear_file(7002 + status), "other.png")
    told = page.locator("[data-notice=elsewhere]")
    for _ in range(2):  # told at each visit
        open_field(page, web, other)
        expect(told).to_contain_text(f"{name_of(script, field)} {words}")
        expect(told.get_by_role("link")).to_be_visible(visible=opens)
    told.get_by_role("button", name="Discard these counts").click()
    expect(told).to_be_hidden()
    assert kept(page) == []


def test_undo_outlasts_a_reload_and_a_visit_to_another_field(
    page: Page, web: Stack, three: list[int], script: Script
) -> None:
    open_field(page, web, three[0])
    press(page, "r", 3)
    page.keyboard.press("Control+z")
    is_saved(page)
    page.reload()
    expect(red(page)).to_have_value("2")
    page.keyboard.press("Control+y")
    expect(red(page)).to_have_value("3")
    open_field(page, web, three[1])
    press(page, "r", 1)
    page.keyboard.press("b")
    expect(red(page)).to_have_value("3")
    for left in ("2", "1", ""):
        page.keyboard.press("Control+z")
        expect(red(page)).to_have_value(left)
    is_saved(page)

    # Counted anew elsewhere: those steps would lead back over it.
    script.post(f"/api/v1/fields/{three[0]}/readings/", {"counts": {"RBC": 9}, "submit": False})
    open_field(page, web, three[0])
    expect(red(page)).to_have_value("9")
    expect(page.locator("[data-undo]")).to_be_disabled()


def name_of(script: Script, field: int) -> str:
    return str(script.get(f"/api/v1/fields/{field}/")["name"])


def kept(page: Page) -> list[str]:
    """Return the names of the counts that this browser keeps."""
    return list(
        page.evaluate("Object.keys(localStorage).filter((key) => key.includes(':reading:'))")
    )
