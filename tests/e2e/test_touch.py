"""Counting with fingers on a phone: tap, drag, hold, pinch; and a picture from its camera."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import CDPSession, Page, expect

from ml.synthetic import SyntheticField
from tests.browser import number, place_of, sign_in
from tests.counting.pictures import encoded, smear
from tests.scripts import Script
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.stack]

# Longer than OpenSeadragon takes a press for a tap (clickTimeThreshold, 300 ms).
HOLD = 450
Point = tuple[float, float]


@pytest.fixture(scope="module")
def truth() -> SyntheticField:
    return smear(1)


@pytest.fixture
def phone(web: Stack, new_page: Callable[..., Page]) -> Page:
    """A signed-in reader's phone."""
    made = new_page(has_touch=True, is_mobile=True, device_scale_factor=2)
    made.set_viewport_size({"width": 390, "height": 844})
    sign_in(made, web)
    return made


@pytest.fixture
def page(phone: Page, web: Stack, script: Script, truth: SyntheticField) -> Page:
    """A new field on its screen."""
    field = script.upload(script.new_slide("Phone"), encoded(truth.image), "phone.png")
    phone.goto(f"{web.url}/fields/{field}/")
    expect(phone.locator("[data-saved]")).not_to_have_text("\u00a0")
    phone.wait_for_function("() => OpenSeadragon.getViewer('viewer').world.getItemCount() > 0")
    return phone


class Fingers:
    """Touches of a page, as the browser gets them from a screen."""

    def __init__(self, page: Page) -> None:
        self.page = page
        self.session: CDPSession = page.context.new_cdp_session(page)

    def _send(self, kind: str, points: list[Point]) -> None:
        touches = [{"x": x, "y": y, "id": n} for n, (x, y) in enumerate(points)]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})

    def move(self, *ways: tuple[Point, Point], steps: int = 8) -> None:
        """Put fingers down at the beginnings, move them to the ends, and lift them."""
        self._send("touchStart", [begin for begin, _ in ways])
        for step in range(1, steps + 1):
            part = step / steps
            self._send(
                "touchMove",
                [(a[0] + part * (b[0] - a[0]), a[1] + part * (b[1] - a[1])) for a, b in ways],
            )
        self._send("touchEnd", [])

    def hold(self, at: Point) -> None:
        """Leave a finger there for longer than a tap."""
        self._send("touchStart", [at])
        now = self.page.evaluate("performance.now()")
        self.page.wait_for_function(f"() => performance.now() > {now + HOLD}")
        self._send("touchEnd", [])


def test_cells_are_marked_moved_changed_and_taken_away_by_touch(
    page: Page, truth: SyntheticField
) -> None:

    def at(x: float, y: float) -> Point:
        """A place in parts of the picture, on the screen."""
        wide, high = truth.image.size
        return place_of(page, x * wide, y * high, wide, high)

    fingers = Fingers(page)
    page.touchscreen.tap(*at(0.3, 0.3))
    expect(number(page, "RBC")).to_have_value("1")
    fingers.move((at(0.3, 0.3), at(0.6, 0.6)))
    page.touchscreen.tap(*at(0.3, 0.3))
    expect(number(page, "RBC")).to_have_value("2")

    # Held, the moved one becomes a white cell.
    page.locator("[data-type=WBC] [data-activate]").tap()
    fingers.hold(at(0.6, 0.6))
    expect(number(page, "WBC")).to_have_value("1")
    expect(number(page, "RBC")).to_have_value("1")
    page.touchscreen.tap(*at(0.6, 0.6))
    expect(number(page, "WBC")).to_have_value("0")

    # Two fingers apart zoom in, and mark nothing.
    zoom = "OpenSeadragon.getViewer('viewer').viewport.getZoom()"
    before = page.evaluate(zoom)
    fingers.move((at(0.45, 0.5), at(0.2, 0.5)), (at(0.55, 0.5), at(0.8, 0.5)))
    page.wait_for_function(f"before => {zoom} > 1.3 * before", arg=before)
    expect(number(page, "RBC")).to_have_value("1")
    expect(number(page, "WBC")).to_have_value("0")
    expect(page.locator("[data-saved]")).to_have_text("Draft saved")


def test_a_picture_from_the_camera_is_a_field(phone: Page, web: Stack, script: Script) -> None:
    slide = script.new_slide("Camera")
    phone.goto(f"{web.url}/slides/{slide}/")
    button = phone.get_by_text("Take a picture")
    expect(button).to_be_visible()
    camera = button.locator("input")
    expect(camera).to_have_attribute("capture", "environment")
    camera.set_input_files(
        {"name": "image.jpg", "mimeType": "image/jpeg", "buffer": encoded(smear(2).image, "JPEG")}
    )
    expect(phone.locator("[data-grid] > *")).to_have_count(1)
    assert sum(script.states(slide).values()) == 1
