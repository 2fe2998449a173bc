"""Two tabs, a closed tab, a killed server, an expired session: no count is lost, and no choice is
made in silence."""

from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from playwright.sync_api import Dialog, Locator, Page, Route, expect

from tests.browser import sign_in
from tests.counting.pictures import smear_file
from tests.scripts import Script
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = [pytest.mark.e2e, pytest.mark.stack]


@pytest.fixture(scope="module")
def slide(script: Script) -> int:
    return script.new_slide("S1")


@pytest.fixture
def field(script: Script, slide: int, request: pytest.FixtureRequest) -> int:
    """A new field for each test."""
    seed = sum(map(ord, request.node.name))
    return script.upload(slide, smear_file(seed), f"{seed}.png")


@pytest.fixture
def page(web: Stack, new_page: Callable[..., Page]) -> Page:
    made = new_page()
    sign_in(made, web)
    return made


def open_field(page: Page, web: Stack, field: int) -> Page:
    page.goto(f"{web.url}/fields/{field}/")
    expect(page.locator("[data-saved]")).not_to_have_text("\u00a0")
    return page


def press(page: Page, key: str, times: int) -> None:
    before = int(red(page).input_value() or 0)
    for _ in range(times):
        page.keyboard.press(key)
    expect(red(page)).to_have_value(str(before + times))


def red(page: Page) -> Locator:
    return page.locator("[data-type=RBC] [data-number]")


def is_saved(page: Page) -> None:
    expect(page.locator("[data-saved]")).to_have_text("Draft saved")


def another_tab(page: Page) -> Page:
    """A second tab of the same browser, signed in like the first."""
    return page.context.new_page()


def count_and_close(page: Page, web: Stack, field: int, times: int) -> None:
    """Count in another tab while the server is down, and close that tab: only the browser knows."""
    tab = open_field(another_tab(page), web, field)
    web.kill("web")
    press(tab, "r", times)
    tab.close()
    web.start("web")


def draft_of(script: Script, field: int) -> int | None:
    mine = script.get(f"/api/v1/fields/{field}/")["my_reading"]
    return mine["counts"]["RBC"] if mine else None


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
    one.keyboard.press("Enter")
    expect(one).not_to_have_url(re.compile(f"/fields/{field}/"))
    press(two, "r", 5)
    two.keyboard.press("Enter")
    # The next field may be on the screen by then: it tells, and leads back.
    told = two.locator("[data-notice=elsewhere], [data-notice=conflict]").filter(visible=True)
    expect(told).to_contain_text("You submitted this field")
    assert draft_of(script, field) == 3
    if f"/fields/{field}/" not in two.url:
        two.get_by_role("link", name="Open it and choose").click()
    expect(red(two)).to_have_value("5")
    two.get_by_role("button", name="Use mine").click()
    is_saved(two)
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
    page.get_by_role("link", name="Open it and choose").click()
    expect(page.locator("[data-notice=conflict]")).to_be_visible()
    expect(red(page)).to_have_value("4")
    assert draft_of(script, field) == 9
    page.get_by_role("button", name="Use mine").click()
    is_saved(page)
    assert draft_of(script, field) == 4


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
    wait_until(lambda: page.evaluate("1") and asked, 10, "the browser to ask")
    assert asked == ["beforeunload"]

    page.unroute_all()
    is_saved(page)
    expect(page.locator("[data-notice=trouble]")).to_be_hidden()
    assert draft_of(script, field) == 3
    # Nothing is at stake any more.
    page.goto(web.url)
    assert len(asked) == 1


def test_a_line_that_dies_in_silence_is_told_and_tried_again(
    page: Page, web: Stack, field: int, script: Script
) -> None:
    page.clock.install()
    open_field(page, web, field)
    held: list[Route] = []
    page.route("**/readings/", lambda route: held.append(route))
    press(page, "r", 2)
    wait_until(lambda: page.evaluate("1") and held, 10, "the counts to be sent")
    page.clock.fast_forward(30_000)
    expect(page.locator("[data-notice=trouble]")).to_contain_text("The server does not answer")
    assert draft_of(script, field) is None
    page.unroute_all()
    is_saved(page)
    assert draft_of(script, field) == 2


@pytest.fixture
def three(script: Script, request: pytest.FixtureRequest) -> list[int]:
    """Three fields of a study of their own, to be counted in this order."""
    script = Script(script.stack, script.token)
    script.study = script.post("/api/v1/studies/", {"name": request.node.name})["id"]
    slide = script.new_slide("S1")
    return [script.upload(slide, smear_file(seed), f"{seed}.png") for seed in range(3)]


def is_ahead(page: Page, field: int) -> None:
    """Wait until the next field is here, so that Enter shows it at once."""
    wait_until(
        lambda: page.evaluate(
            "name => performance.getEntriesByType('resource').some((e) => e.name.endsWith(name))",
            f"/api/v1/fields/{field}/",
        ),
        30,
        "the next field to be fetched",
    )
    page.wait_for_load_state("networkidle")


def test_the_next_field_shows_while_the_counts_are_on_their_way(
    page: Page, web: Stack, three: list[int], script: Script
) -> None:
    open_field(page, web, three[0])
    is_ahead(page, three[1])
    held: list[Route] = []
    page.route(f"**/api/v1/fields/{three[0]}/readings/", lambda route: held.append(route))
    press(page, "r", 3)
    page.keyboard.press("Enter")
    expect(page).to_have_url(re.compile(f"/fields/{three[1]}/"))
    press(page, "r", 2)
    # Both wait in this browser, in this order.
    assert (draft_of(script, three[0]), draft_of(script, three[1])) == (None, None)
    wait_until(lambda: page.evaluate("1") and held, 10, "the counts to be sent")
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
    page.keyboard.press("Enter")
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
    wait_until(lambda: draft_of(script, three[0]) == 3, 10, "the counts to be saved")


def test_a_lost_connection_is_told_on_the_next_field_and_nothing_is_lost(
    page: Page, web: Stack, three: list[int], script: Script
) -> None:
    open_field(page, web, three[0])
    is_ahead(page, three[1])
    press(page, "r", 3)
    is_saved(page)
    web.kill("web")
    press(page, "r", 1)
    page.keyboard.press("Enter")
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
    wait_until(lambda: page.evaluate("1") and held, 10, "the field to be asked for")
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
