"""A large field: shown whole while its tiles are made, then from tiles; marks keep their places."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from PIL import Image, ImageDraw
from playwright.sync_api import Page, expect

from tests.browser import number, place_of, sign_in
from tests.counting.pictures import encoded
from tests.scripts import Script
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.stack]

WIDTH, HEIGHT = 6_000, 4_000
# A cell far from the middle, in pixels of the picture, and how wide it is.
CELL = (4_710, 1_130)
RADIUS = 60


def field_file() -> bytes:
    image = Image.new("RGB", (WIDTH, HEIGHT), (228, 222, 230))
    ImageDraw.Draw(image).circle(CELL, RADIUS, fill=(200, 40, 70))
    return encoded(image, "JPEG", quality=95)


COLOR = """([x, y]) => {
  const canvas = document.querySelector("#viewer .openseadragon-canvas canvas");
  const { left, top, width } = canvas.getBoundingClientRect();
  const ratio = canvas.width / width;
  const place = [(x - left) * ratio, (y - top) * ratio];
  return [...canvas.getContext("2d").getImageData(...place, 1, 1).data].slice(0, 3);
}"""


def wait_for_red(page: Page, at: tuple[float, float]) -> None:
    """Wait until the picture shows its one cell there."""
    page.wait_for_function(
        f"(at) => {{ const [red, green] = ({COLOR})(at); return red > 150 && green < 100; }}",
        arg=list(at),
    )


def test_a_large_field_is_counted_from_its_tiles(
    web: Stack, script: Script, new_page: Callable[..., Page]
) -> None:
    field = script.upload(script.new_slide("Large"), field_file(), "large.jpg")
    page = new_page()
    sign_in(page, web)
    tiles: list[str] = []
    page.on("response", lambda answer: "/tiles/" in answer.url and tiles.append(answer.url))

    # No worker runs: the whole picture is shown, and the page says why it may be slow.
    page.goto(f"{web.url}/fields/{field}/")
    note = page.locator("[data-tiles]")
    expect(note).to_contain_text("is being cut into tiles")
    expect(note).not_to_contain_text("%")  # while nothing is done, no figure
    at = place_of(page, *CELL, WIDTH, HEIGHT)
    wait_for_red(page, at)
    assert not tiles

    web.start("inference")
    expect(note).to_be_hidden(timeout=90_000)
    wait_for_red(page, at)
    assert tiles
    assert all(url.startswith(f"{web.url}/fields/{field}/tiles/") for url in tiles)

    # Opened anew, it comes from tiles alone.
    whole: list[str] = []
    page.on("request", lambda asked: asked.url.endswith("/image/") and whole.append(asked.url))
    page.reload()
    wait_for_red(page, at)
    assert not whole
    beside = place_of(page, CELL[0] + 2 * RADIUS, CELL[1], WIDTH, HEIGHT)
    assert page.evaluate(COLOR, beside)[1] > 150

    page.mouse.click(*at)
    expect(number(page, "RBC")).to_have_value("1")
    expect(page.locator("[data-saved]")).to_have_text("Draft saved")
    (mark,) = script.get(f"/api/v1/fields/{field}/")["my_reading"]["marks"]
    # A CSS pixel is about six of the picture here.
    assert (mark["x"], mark["y"]) == pytest.approx(CELL, abs=6)

    # Closer: the level at full size is asked for.
    last = script.get(f"/api/v1/fields/{field}/")["tiles"]["last_level"]
    page.mouse.move(*at)
    with page.expect_response(lambda answer: f"/tiles/{last}/" in answer.url):
        for _ in range(12):
            page.mouse.wheel(0, -240)
    web.stop("inference")
