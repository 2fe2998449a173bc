"""What the tests do on the counting screen, and what they look at."""

from __future__ import annotations

from playwright.sync_api import Locator, Page, expect

from tests.scripts import Script
from tests.stack import Stack
from tests.waiting import wait_until


def open_field(page: Page, web: Stack, field: int) -> Page:
    page.goto(f"{web.url}/fields/{field}/")
    expect(page.locator("[data-saved]")).not_to_have_text("\u00a0")
    return page


def press(page: Page, key: str, times: int) -> None:
    before = int(red(page).input_value() or 0)
    for _ in range(times):
        page.keyboard.press(key)
    expect(red(page)).to_have_value(str(before + times))


def no_other_cells(page: Page) -> None:
    """Say by key that there are neither white cells nor platelets."""
    for key in ("Alt+w", "0", "Alt+p", "0"):
        page.keyboard.press(key)


def submit(page: Page) -> None:
    no_other_cells(page)
    page.keyboard.press("Enter")


def answer_zero(page: Page) -> None:
    """Answer by key that the types left out are 0."""
    expect(page.locator("[data-notice=ask]")).to_be_visible()
    page.keyboard.press("0")


def let_pass(page: Page, milliseconds: int) -> None:
    """Let time pass on the page, as between the presses of a reader in haste."""
    until = page.evaluate("performance.now()") + milliseconds
    page.wait_for_function("until => performance.now() > until", arg=until)


def red(page: Page) -> Locator:
    return page.locator("[data-type=RBC] [data-number]")


def is_saved(page: Page) -> None:
    expect(page.locator("[data-saved]")).to_have_text("Draft saved")


def another_tab(page: Page) -> Page:
    """A second tab of the same browser, signed in like the first."""
    return page.context.new_page()


def draft_of(script: Script, field: int) -> int | None:
    mine = script.get(f"/api/v1/fields/{field}/")["my_reading"]
    return mine["counts"]["RBC"] if mine else None


def is_ahead(page: Page, field: int) -> None:
    """Wait until the next field is here, so that Enter shows it at once."""
    # Its picture is asked for last.
    wait_until(
        lambda: page.evaluate(
            "name => performance.getEntriesByType('resource').some((e) => e.name.includes(name))",
            f"/fields/{field}/image/",
        ),
        30,
        "the next field to be fetched",
    )
