"""A real browser: Debian's Chromium, driven by Playwright, against the real stack."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from tests.browser import WINDOW, chromium
from tests.scripts import Script
from tests.stack import Prepared, Stack

# Milliseconds. Generous: two cores are shared with four processes of the program, and counts that
# could not be saved are sent again after up to ten seconds.
PATIENCE = 30_000


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    # Playwright's own event loop makes Django believe that it is called from async code.
    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    expect.set_options(timeout=PATIENCE)
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def web(prepared: Prepared) -> Iterator[Stack]:
    """The web server alone: a field can be counted without its prediction."""
    with prepared.copy() as stack:
        stack.start("web")
        yield stack


@pytest.fixture(scope="module")
def script(web: Stack) -> Script:
    """The administrator's script on that server, with a study of its own."""
    return Script.sign_in(web)


@pytest.fixture
def new_page(browser: Browser) -> Iterator[Callable[..., Page]]:
    """Return a function that opens a page in a browser of its own (cookies, storage).

    The page must not raise: a script error or a refused inline style fails the test.
    """
    contexts: list[BrowserContext] = []
    troubles: list[str] = []

    def make(**options: object) -> Page:
        context = browser.new_context(viewport=WINDOW, **options)  # type: ignore[arg-type]
        context.set_default_timeout(PATIENCE)
        contexts.append(context)
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on(
            "console",
            lambda message: (
                troubles.append(message.text) if "Content Security Policy" in message.text else None
            ),
        )
        return page

    yield make
    for context in contexts:
        context.close()
    assert not troubles, troubles
