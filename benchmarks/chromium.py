"""The browser of the benchmarks, and the way into a running installation with it."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Page, sync_playwright

from tests.stack import PASSWORD, Stack

FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
WINDOW = {"width": 1280, "height": 800}


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Chromium without a graphics card, and end it."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def new_page(browser: Browser) -> Page:
    """Open a page with cookies and storage of its own, in a window of every benchmark's size."""
    return browser.new_page(viewport={"width": WINDOW["width"], "height": WINDOW["height"]})


def sign_in(page: Page, stack: Stack) -> None:
    """Sign in as the installation's first administrator."""
    page.goto(f"{stack.url}/accounts/login/")
    page.get_by_label("User name").fill("admin")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{stack.url}/")


def picture_on(page: Page, size: tuple[int, int]) -> tuple[float, float, float]:
    """Return left, top and scale of a picture that the counting screen shows whole."""
    frame = page.locator("#viewer").bounding_box()
    assert frame is not None
    scale = min(frame["width"] / size[0], frame["height"] / size[1])
    left = frame["x"] + (frame["width"] - size[0] * scale) / 2
    top = frame["y"] + (frame["height"] - size[1] * scale) / 2
    return left, top, scale
