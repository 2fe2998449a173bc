"""Every page for everyone: axe-core finds nothing, in both themes, on desktop and phone; and no
page scrolls sideways on the smallest phone.

The list of pages is that of the permission table, so that a new page cannot be forgotten.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser import sign_in
from tests.counting.doors import address_of
from tests.counting.views.test_permissions import TABLE
from tests.e2e.conftest import PATIENCE
from tests.scripts import Script
from tests.stack import ROOT, Stack

pytestmark = [pytest.mark.e2e, pytest.mark.stack]

AXE = ROOT / "node_modules" / "axe-core" / "axe.min.js"
RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
DESKTOP, PHONE, SMALLEST = ((1280, 800), (390, 844), (360, 740))
# Pages of the table that show an administrator nothing of their own: forms that lead on, and files.
LEAD_ON = {"login", "count"}
FILES = {
    "agreement-csv",
    "agreement-plot",
    "slide-report-pdf",
    "slide-report-csv",
    "javascript-catalog",
}
PICTURES = re.compile("^field-(image|count-map|thumbnail|tile.*)$")

PAGES = sorted(
    {
        name
        for name, method, *_ in TABLE
        if method == "get" and name not in FILES | LEAD_ON and not PICTURES.match(name)
    }
)


@pytest.fixture(scope="module")
def ids(web: Stack) -> dict[str, Any]:
    """A study in use: the parameters of addresses and their values."""
    printed = web.manage("shell", "-c", "from tests.e2e.content import fill; fill()")
    found: dict[str, Any] = json.loads(printed.strip().splitlines()[-1])
    return found


@pytest.fixture(scope="module")
def page(browser: Browser, web: Stack, ids: dict[str, Any]) -> Iterator[Page]:
    """One page of a signed-in administrator for all tests here."""
    context = browser.new_context()
    context.set_default_timeout(PATIENCE)
    made = context.new_page()
    sign_in(made, web)
    yield made
    context.close()


def violations(page: Page, rules: dict[str, Any]) -> list[str]:
    """Run axe-core on the page as it is, and tell what it found: rule, help and elements."""
    if not page.evaluate("Boolean(window.axe)"):
        page.evaluate(AXE.read_text())
    found = page.evaluate(
        """async (rules) => {
          // Colors are those of the theme at once, not on their way to it.
          const still = new CSSStyleSheet();
          still.replaceSync("* { transition: none !important; }");
          document.adoptedStyleSheets = [still];
          for (let n = 0; n < 2; n += 1) await new Promise(requestAnimationFrame);
          const { violations } = await axe.run(document, rules);
          return violations.map(
            ({ id, help, nodes }) => [id, help, ...nodes.map((n) => n.target.join(" "))].join(": "),
          );
        }""",
        rules,
    )
    return [str(each) for each in found]


def look_at(page: Page) -> list[str]:
    """Tell everything that is wrong with the page as it is, on each screen and in each theme."""
    wrong = []
    everything = {"runOnly": {"type": "tag", "values": RULES}}
    colors = {"runOnly": {"type": "rule", "values": ["color-contrast"]}}
    for (width, height), theme, rules in (
        (DESKTOP, "light", everything),
        (DESKTOP, "dark", colors),
        (PHONE, "dark", everything),
        (PHONE, "light", colors),
    ):
        page.set_viewport_size({"width": width, "height": height})
        page.emulate_media(color_scheme=theme, reduced_motion="reduce")  # type: ignore[arg-type]
        wrong += [f"{width} {theme}: {each}" for each in violations(page, rules)]
    page.set_viewport_size({"width": SMALLEST[0], "height": SMALLEST[1]})
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > SMALLEST[0]:
        wrong.append(f"{SMALLEST[0]}: the page is {wide} wide")
    page.set_viewport_size({"width": DESKTOP[0], "height": DESKTOP[1]})
    return wrong


@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_for_everyone(name: str, page: Page, web: Stack, ids: dict[str, Any]) -> None:
    answer = page.goto(web.url + address_of(name, ids))
    assert answer is not None
    assert answer.status == 200
    assert answer.headers["content-type"].startswith("text/html")
    if name == "field":
        expect(page.locator("[data-saved]")).not_to_have_text("\u00a0")
        expect(page.locator("[data-suggested]").first).to_have_text(re.compile(r"\d"))
    assert look_at(page) == []


def test_pages_before_signing_in_and_for_what_is_not_there_are_for_everyone(
    new_page: Callable[..., Page], web: Stack, ids: dict[str, Any]
) -> None:
    page = new_page()
    wrong = []
    for address in ("/accounts/login/", f"/invitations/{ids['token']}/", "/no-such-page/"):
        page.goto(web.url + address)
        wrong += [f"{address} {each}" for each in look_at(page)]
    assert wrong == []


@pytest.mark.parametrize("key", ["?", "!", "v"])
def test_what_a_key_opens_is_for_everyone(
    key: str, page: Page, web: Stack, ids: dict[str, Any]
) -> None:
    page.goto(web.url + address_of("field", ids))
    expect(page.locator("[data-saved]")).not_to_have_text("\u00a0")
    page.keyboard.press(key)
    expect(page.locator("dialog[open], #view-panel:not([hidden])")).to_be_visible()
    assert look_at(page) == []


def test_a_carried_mark_and_the_counts_so_far_are_for_everyone(
    page: Page, web: Stack, ids: dict[str, Any]
) -> None:
    page.goto(web.url + address_of("field", ids))
    expect(page.locator("[data-saved]")).not_to_have_text("\u00a0")
    page.wait_for_function("() => OpenSeadragon.getViewer('viewer').world.getItemCount() > 0")
    page.locator("[data-so-far] summary").click()
    for key in (",", "w", "/"):
        page.keyboard.press(key)
    expect(page.locator(".cursor")).to_have_class(re.compile("is-carrying"))
    assert look_at(page) == []


def test_a_conflict_is_told_to_everyone(page: Page, web: Stack, ids: dict[str, Any]) -> None:
    page.goto(web.url + address_of("field", ids))
    expect(page.locator("[data-saved]")).not_to_have_text("\u00a0")
    script = Script(web, web.token)
    draft = {"counts": {"RBC": 9}, "submit": False}
    script.post(f"/api/v1/fields/{ids['field_id']}/readings/", draft)
    page.keyboard.press("r")
    expect(page.locator("[data-notice=conflict]")).to_be_visible()
    assert look_at(page) == []
    # The browser keeps an open question: the next test begins without one.
    page.locator("[data-use-other]").click()
    expect(page.locator("[data-notice=conflict]")).to_be_hidden()


def test_a_number_to_correct_is_told_to_everyone(
    page: Page, web: Stack, ids: dict[str, Any]
) -> None:
    page.goto(web.url + address_of("field", ids))
    expect(page.locator("[data-saved]")).not_to_have_text("\u00a0")
    box = page.locator("[data-type=RBC] [data-number]")
    box.fill("3.5")
    page.keyboard.press("Enter")
    expect(box).to_be_focused()
    expect(box).to_have_accessible_description(re.compile("a count is a whole number"))
    assert look_at(page) == []
