"""Marks that do not add up to the number: they stay the reader's own, and the screen says so."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import Page, expect

from tests.browser import place_of
from tests.e2e.nothing_lost.screen import open_field, red
from tests.scripts import Script
from tests.stack import Stack

pytestmark = [pytest.mark.e2e, pytest.mark.stack]

# As in static/js/counting/screen.js, in milliseconds.
DOUBLE_CLICK = 350
# How light the line of a mark is at its lightest and darkest, and how opaque the mark's middle is.
LINE = """async ([x, y, width]) => {
  const { sizeAt } = await import("/static/js/counting/stamps.js");
  const item = OpenSeadragon.getViewer("viewer").world.getItemAt(0);
  const radius = sizeAt(
    (item.imageToWindowCoordinates(new OpenSeadragon.Point(width, 0)).x
      - item.imageToWindowCoordinates(new OpenSeadragon.Point(0, 0)).x) / width);
  const canvas = document.querySelector(".marks");
  const { left, top } = canvas.getBoundingClientRect();
  const at = (dx, dy) => canvas.getContext("2d").getImageData(
    (x - left + dx) * devicePixelRatio, (y - top + dy) * devicePixelRatio, 1, 1).data;
  const light = Array.from({ length: 48 }, (_, n) => {
    const [r, g, b] = at(radius * Math.cos(n * Math.PI / 24), radius * Math.sin(n * Math.PI / 24));
    return r + g + b;
  });
  return [Math.max(...light) - Math.min(...light), at(0, 0)[3]];
}"""


def test_own_marks_of_a_type_with_another_number_turn_pale_but_are_not_dashed(
    page: Page, web: Stack, field: int, script: Script
) -> None:
    open_field(page, web, field)
    expect(page.locator("#counting")).not_to_have_class(re.compile("is-arriving"))
    of = script.get(f"/api/v1/fields/{field}/")
    size = (of["width"], of["height"])
    at = place_of(page, size[0] / 4, size[1] / 4, *size)
    page.mouse.click(*at)
    page.mouse.click(*place_of(page, size[0] / 2, size[1] / 2, *size))
    expect(red(page)).to_have_value("2")
    legend = page.locator("[data-legend-apart]")
    note = page.locator("[data-type=RBC] [data-note]")
    expect(legend).to_be_hidden()
    assert page.evaluate(LINE, [*at, size[0]])[1] == 255

    red(page).fill("5")
    expect(note).to_have_text("Red cells: number only. 5 counted, 2 marked.")
    expect(legend).to_have_text("yours, not counted")
    uneven, middle = page.evaluate(LINE, [*at, size[0]])
    # A suggestion's dashes lie on white: from one to the next it is some 300 lighter.
    assert uneven < 150
    assert middle == 0

    red(page).fill("")
    expect(note).to_contain_text("Red cells: 2 marked, but no number.")
    # One mark less does not make a count of it. A second click right after one that placed a mark
    # takes nothing away.
    placed = page.evaluate("performance.now()")
    page.wait_for_function(f"() => performance.now() > {placed + DOUBLE_CLICK}")
    page.mouse.click(*at)
    expect(note).to_contain_text("Red cells: 1 marked, but no number.")
    expect(red(page)).to_have_value("")

    red(page).fill("1")
    expect(note).to_be_hidden()
    expect(legend).to_be_hidden()
