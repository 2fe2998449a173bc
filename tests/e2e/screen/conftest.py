"""The counting screen with predictions: one installation for all tests of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Page, expect

from tests.browser import sign_in
from tests.counting.pictures import smear_file
from tests.scripts import Script
from tests.stack import Prepared, Stack
from tests.waiting import wait_until


@pytest.fixture(scope="session")
def web(prepared: Prepared) -> Iterator[Stack]:
    """The web server and the inference worker, for all modules here."""
    with prepared.copy() as stack:
        stack.start("web", "inference")
        yield stack


@pytest.fixture
def slide(script: Script, request: pytest.FixtureRequest) -> int:
    """A slide of each test's own, of a known scale."""
    body = {"study": script.study, "code": request.node.name[:60], "microns_per_pixel": 0.1}
    return int(script.post("/api/v1/slides/", body)["id"])


@pytest.fixture
def fields(script: Script, slide: int, request: pytest.FixtureRequest) -> list[int]:
    """Two predicted fields."""
    seed = sum(map(ord, request.node.name))
    made = [script.upload(slide, smear_file(seed + n), f"{n}.png") for n in range(2)]
    wait_until(lambda: script.states(slide) == {"predicted": 2}, 120, "two predictions")
    return made


@pytest.fixture
def browser_page(web: Stack, new_page: Callable[..., Page]) -> Page:
    """Any page of a signed-in reader; the tones it plays are kept in `tones`."""
    made = new_page()
    made.add_init_script(
        "window.tones = [];"
        "const start = OscillatorNode.prototype.start;"
        "OscillatorNode.prototype.start = function (at) {"
        "  window.tones.push(this.frequency.value); return start.call(this, at); };"
    )
    sign_in(made, web)
    return made


@pytest.fixture
def page(browser_page: Page, web: Stack, fields: list[int]) -> Page:
    """The first of the two fields on the screen."""
    browser_page.goto(f"{web.url}/fields/{fields[0]}/")
    expect(browser_page.locator("[data-suggested]").first).not_to_be_empty()
    return browser_page
