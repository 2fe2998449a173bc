"""The counting screen in Chromium: from a click to its painted mark, from Enter to the next field.

    .venv/bin/python -m benchmarks.marks [--marks 2000] [--clicks 60] [--fields 30]

Starts the web server in a folder of its own and counts as a reader would. A click's time runs from
the browser's own time stamp of the event to the end of the frame in which its mark is painted, on
a field that holds so many marks already. Enter's time runs to the end of the frame in which the
next field's name and whole picture are on the screen; between two fields the reader takes a
second, in which the next one is fetched ahead.
"""

from __future__ import annotations

import argparse
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median

from playwright.sync_api import Page, expect

from ml.synthetic import render
from tests.browser import WINDOW, chromium, number, place_of, sign_in
from tests.counting.pictures import encoded
from tests.scripts import Script
from tests.stack import Prepared, Stack

# Milliseconds.
CLICK_LIMIT = 50
ENTER_LIMIT = 150
THINKING = 1000
SIZE = (640, 480)
# The part of the picture that is full of marks; clicks go to the rest.
FULL = 0.75

WATCH = """
window.times = [];
// After a frame is painted: a message sent from its callback comes behind the painting.
const painted = (then) => requestAnimationFrame(() => {
  const channel = new MessageChannel();
  channel.port1.onmessage = () => then(performance.now());
  channel.port2.postMessage(0);
});
addEventListener("pointerup", (event) => {
  painted((now) => window.times.push(now - event.timeStamp));
}, true);
addEventListener("keydown", (event) => {
  if (event.key !== "Enter") return;
  const name = () => document.querySelector("[data-field-name]").textContent;
  const before = name();
  const look = () => {
    const { world } = OpenSeadragon.getViewer("viewer");
    const shown = name() !== before && world.getItemAt(0)?.getFullyLoaded();
    if (shown) painted((now) => window.times.push(now - event.timeStamp));
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
}, true);
"""


def p95(times: Sequence[float]) -> float:
    """Return what 95 of 100 times stay below or at."""
    return sorted(times)[max(0, -(-len(times) * 95 // 100) - 1)]


def prepare(stack: Stack, fields: int, marks: int) -> tuple[int, int]:
    """Make a slide with fields; the first has a draft full of marks. Return its id and the next."""
    script = Script.sign_in(stack)
    slide = script.new_slide("Bench")
    ids = [
        script.upload(
            slide, encoded(render(seed, width=SIZE[0], height=SIZE[1]).image, "JPEG"), f"{seed}.jpg"
        )
        for seed in range(fields + 2)
    ]
    columns = max(1, round((marks * FULL * SIZE[0] / SIZE[1]) ** 0.5))
    rows = -(-marks // columns)
    draft = [
        {
            "cell_type": "RBC",
            "x": (n % columns + 0.5) * FULL * SIZE[0] / columns,
            "y": (n // columns + 0.5) * SIZE[1] / rows,
        }
        for n in range(marks)
    ]
    body = {"counts": {"RBC": marks}, "marks": draft, "method": "marks", "submit": False}
    script.post(f"/api/v1/fields/{ids[0]}/readings/", body)
    return ids[0], ids[1]


def time_clicks(page: Page, clicks: int) -> list[float]:
    """Mark cells in the free part of the picture and return the milliseconds of each click."""
    count = number(page, "RBC")
    before = int(count.input_value())
    for n in range(clicks):
        x = FULL * SIZE[0] + 15 + 18 * (n % 7)
        y = 20 + 18 * (n // 7)
        page.mouse.click(*place_of(page, x, y, *SIZE))
        page.wait_for_function("n => window.times.length > n", arg=n)
    expect(count).to_have_value(str(before + clicks))
    times: list[float] = page.evaluate("window.times")
    return times


def time_enters(page: Page, fields: int) -> list[float]:
    """Count fields one after the other and return the milliseconds from Enter to the next."""
    page.evaluate("window.times = []")
    for n in range(fields):
        page.wait_for_timeout(THINKING)
        for key in ("r", "Alt+w", "0", "Alt+p", "0", "Enter"):
            page.keyboard.press(key)
        page.wait_for_function("n => window.times.length > n", arg=n)
    times: list[float] = page.evaluate("window.times")
    return times


def main() -> int:
    """Measure, print, and return 1 when a limit is passed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--marks", type=int, default=2000)
    parser.add_argument("--clicks", type=int, default=60)
    parser.add_argument("--fields", type=int, default=30)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        chromium() as browser,
        Prepared(Path(folder)).copy() as stack,
    ):
        stack.start("web")
        full, first = prepare(stack, options.fields, options.marks)
        page = browser.new_page(viewport=WINDOW)
        page.add_init_script(WATCH)
        sign_in(page, stack)
        page.goto(f"{stack.url}/fields/{full}/")
        expect(number(page, "RBC")).to_have_value(str(options.marks))
        page.wait_for_timeout(THINKING)
        clicks = time_clicks(page, options.clicks)
        page.goto(f"{stack.url}/fields/{first}/")
        page.wait_for_timeout(THINKING)
        enters = time_enters(page, options.fields)
    passed = True
    for name, times, limit in (
        (f"click to painted mark, {options.marks} marks", clicks, CLICK_LIMIT),
        ("Enter to the next field on the screen", enters, ENTER_LIMIT),
    ):
        print(f"{name}: n {len(times)}, median {median(times):.0f} ms, p95 {p95(times):.0f} ms")
        print(f"  p95 under {limit} ms: {'yes' if p95(times) < limit else 'NO'}")
        passed = passed and p95(times) < limit
    return int(not passed)


if __name__ == "__main__":
    raise SystemExit(main())
