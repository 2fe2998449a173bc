"""The reviewer looks into the field beside both readings' marks: two pictures that move as one."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.browser import sign_in
from tests.e2e.test_tiles import CELL, HEIGHT, WIDTH, field_file
from tests.e2e.test_touch import Fingers
from tests.scripts import Script
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.stack]

View = list[float]

# Makes the tiles of a field, as a worker does.
CUT = """
from counting.models import TileJob
from counting.services import tiles
tiles.run(TileJob.objects.get(field={field}).pk)
"""
# Zoom, and the middle of what is seen, of both pictures.
VIEWS = """() => [...document.querySelectorAll("[data-viewer]")].map((element) => {
  const { viewport } = OpenSeadragon.getViewer(element);
  const { x, y } = viewport.getCenter(true);
  return [viewport.getZoom(true), x, y].map((number) => Number(number.toFixed(4)));
})"""
# Whether something is drawn over a place of the field, in both pictures.
DRAWN = """([x, y]) => [...document.querySelectorAll("[data-viewer]")].map((element) => {
  const item = OpenSeadragon.getViewer(element).world.getItemAt(0);
  if (!item) return false;
  const place = item.imageToViewerElementCoordinates(new OpenSeadragon.Point(x, y));
  const context = element.querySelector(".marks").getContext("2d");
  const at = [place.x, place.y].map((each) => Math.round(each * devicePixelRatio));
  return context.getImageData(...at, 1, 1).data[3] > 0;
})"""
# Where a place of the field is on the screen, in the second picture.
PLACE = """([x, y]) => {
  const element = document.querySelectorAll("[data-viewer]")[1];
  const item = OpenSeadragon.getViewer(element).world.getItemAt(0);
  const place = item.imageToViewerElementCoordinates(new OpenSeadragon.Point(x, y));
  const { left, top } = element.getBoundingClientRect();
  return [left + place.x, top + place.y];
}"""


def rest(page: Page, what: str, than: View) -> View:
    """Wait until both pictures have come to rest at the same view, and `what` holds of it."""
    page.wait_for_function(
        f"""(then) => {{
          const [now, other] = ({VIEWS})().map(String);
          const still = now === window.last;
          window.last = now;
          return still && now === other && ({what})(now.split(",").map(Number), then);
        }}""",
        arg=than,
        polling=400,
    )
    view: View = page.evaluate(VIEWS)[0]
    return view


def test_both_pictures_of_a_large_field_are_looked_into_as_one(
    web: Stack, script: Script, new_page: Callable[..., Page]
) -> None:
    body = {"name": "Two readers", "readers_per_field": 2}
    script.study = script.post("/api/v1/studies/", body)["id"]
    field = script.upload(script.new_slide("Large"), field_file(), "large.jpg")
    elsewhere = (1_200, 3_000)
    marks = [
        [{"cell_type": "RBC", "x": CELL[0], "y": CELL[1]}],
        [{"cell_type": "WBC", "x": elsewhere[0] + 200 * n, "y": elsewhere[1]} for n in range(4)],
    ]
    for reader, made in zip(script.colleagues("bela", "rosa"), marks, strict=True):
        reader.post(f"/api/v1/fields/{field}/readings/", {"marks": made})

    # The page goes over to the tiles by itself.
    page = new_page(has_touch=True)
    sign_in(page, web)
    page.goto(f"{web.url}/studies/{script.study}/review/")
    note = page.locator("[data-tiles]")
    expect(note).to_contain_text("is being cut into tiles")
    web.manage("shell", "-c", CUT.format(field=field))
    expect(note).to_be_hidden()
    page.wait_for_function(f"(at) => ({DRAWN})(at).includes(true)", arg=CELL)
    assert page.evaluate(DRAWN, CELL) == [True, False]
    assert page.evaluate(DRAWN, elsewhere) == [False, True]
    whole = rest(page, "() => true", [])

    # The wheel over the cell in the second picture, down to the pixels of the file.
    page.locator("[data-viewer]").nth(1).scroll_into_view_if_needed()
    page.mouse.move(*page.evaluate(PLACE, CELL))
    last = script.get(f"/api/v1/fields/{field}/")["tiles"]["last_level"]
    with page.expect_response(lambda answer: f"/tiles/{last}/" in answer.url):
        # The viewer leaves out turns of the wheel that follow on each other too fast.
        near = whole
        while near[0] < 6 * whole[0]:
            page.mouse.wheel(0, -240)
            near = rest(page, "(now, then) => now[0] > then[0]", near)
    assert page.evaluate(DRAWN, CELL) == [True, False]
    page.keyboard.press("m")
    assert page.evaluate(DRAWN, CELL) == [False, False]

    # Keys: arrows where the focus is, zoom and the whole from anywhere.
    page.locator("[data-viewer] .openseadragon-canvas").first.focus()
    page.keyboard.press("ArrowLeft")
    left = rest(page, "(now, then) => now[1] < then[1] && now[0] === then[0]", near)
    page.keyboard.press("-")
    rest(page, "(now, then) => now[0] < then[0]", left)
    page.keyboard.press("Home")
    assert rest(page, "(now, then) => String(now) === String(then)", whole) == whole

    # Two fingers apart.
    x, y = page.evaluate(PLACE, [WIDTH / 2, HEIGHT / 2])
    Fingers(page).move(((x - 20, y), (x - 120, y)), ((x + 20, y), (x + 120, y)))
    rest(page, "(now, then) => now[0] > 1.3 * then[0]", whole)

    # Nothing of this was a ruling.
    assert script.get(f"/api/v1/fields/{field}/")["reference"] is None
    page.keyboard.press("2")
    expect(page.get_by_text("large.jpg has its count now")).to_be_visible()
