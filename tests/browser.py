"""The browser of tests, benchmarks and pictures, and where things are on the counting screen."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, Locator, Page, ViewportSize, sync_playwright

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
WINDOW = ViewportSize(width=1280, height=800)


@contextmanager
def chromium() -> Iterator[Browser]:
    """Start Debian's Chromium without a graphics card, and end it."""
    program = shutil.which("chromium") or shutil.which("google-chrome")
    if program is None:
        raise SystemExit("Chromium is not installed: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=list(FLAGS))
        try:
            yield browser
        finally:
            browser.close()


def sign_in(page: Page, stack: Stack, username: str = "admin", password: str = PASSWORD) -> None:
    """Sign in, as the installation's first administrator when nobody else is named."""
    page.goto(f"{stack.url}/accounts/login/")
    page.get_by_label("User name").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{stack.url}/")


def number(page: Page, code: str) -> Locator:
    """Return the box with the count of a cell type."""
    return page.locator(f"[data-type={code}] [data-number]")


def place_of(page: Page, x: float, y: float, width: int, height: int) -> tuple[float, float]:
    """Return where a pixel of a picture of that size lies on the screen, which shows it whole."""
    frame = page.locator("#viewer").bounding_box()
    assert frame is not None
    scale = min(frame["width"] / width, frame["height"] / height)
    left = frame["x"] + (frame["width"] - width * scale) / 2
    top = frame["y"] + (frame["height"] - height * scale) / 2
    return left + x * scale, top + y * scale
