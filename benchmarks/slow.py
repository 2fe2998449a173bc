"""The counting page over a slow line: seconds until a field can be counted.

    .venv/bin/python -m benchmarks.slow [--kilobits 1000] [--delay 100] [--runs 5]

Starts the web server in a folder of its own and opens the counting page of a 640 x 480 JPEG in
Chromium with nothing cached, its network slowed down by the browser itself (Chrome DevTools
Protocol, Network.emulateNetworkConditions). Prints when keys count, and when the whole picture is
there as well, from the moment of asking for the page.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path
from statistics import median

from playwright.sync_api import Browser

from ml.synthetic import render
from tests.browser import WINDOW, chromium, sign_in
from tests.counting.pictures import encoded
from tests.scripts import Script
from tests.stack import Prepared, Stack

SIZE = (640, 480)

WATCH = """
const note = (name, holds) => {
  const look = () => {
    if (holds()) window[name] = performance.now();
    else requestAnimationFrame(look);
  };
  requestAnimationFrame(look);
};
note("keys", () => document.querySelector(".tallies:not([inert])"));
note("whole", () =>
  window.OpenSeadragon?.getViewer("viewer")?.world.getItemAt(0)?.getFullyLoaded());
"""


def open_once(
    browser: Browser, stack: Stack, field: int, kilobits: float, delay: float
) -> tuple[float, float, int]:
    """Return the seconds until keys count and until the picture is whole, and the bytes read."""
    page = browser.new_page(viewport=WINDOW)
    try:
        sign_in(page, stack)
        network = page.context.new_cdp_session(page)
        network.send("Network.enable")
        network.send("Network.clearBrowserCache")
        rate = kilobits * 1000 / 8
        network.send(
            "Network.emulateNetworkConditions",
            {
                "offline": False,
                "latency": delay,
                "downloadThroughput": rate,
                "uploadThroughput": rate,
            },
        )
        page.add_init_script(WATCH)
        page.goto(f"{stack.url}/fields/{field}/")
        page.wait_for_function("() => window.keys && window.whole")
        keys, whole = page.evaluate("[window.keys, window.whole]")
        size = page.evaluate(
            """() => [...performance.getEntriesByType("resource"),
              ...performance.getEntriesByType("navigation")]
              .filter((entry) => entry.startTime < window.whole)
              .reduce((sum, entry) => sum + entry.encodedBodySize, 0)"""
        )
        return keys / 1000, whole / 1000, size
    finally:
        page.close()


def main() -> int:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--kilobits", type=float, default=1000)
    parser.add_argument("--delay", type=float, default=100, help="milliseconds for each answer")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    with (
        tempfile.TemporaryDirectory() as folder,
        chromium() as browser,
        Prepared(Path(folder)).copy() as stack,
    ):
        stack.start("web")
        script = Script.sign_in(stack)
        picture = encoded(render(1, width=SIZE[0], height=SIZE[1]).image, "JPEG")
        field = script.upload(script.new_slide("Slow"), picture, "slow.jpg")
        found = [
            open_once(browser, stack, field, options.kilobits, options.delay)
            for _ in range(options.runs)
        ]
    print(f"{options.kilobits:g} kbit/s, {options.delay:g} ms, median of {options.runs}:")
    for name, times in (
        ("keys count", [each[0] for each in found]),
        ("the picture is whole", [each[1] for each in found]),
    ):
        print(f"  {name} after {median(times):.1f} s ({min(times):.1f} to {max(times):.1f})")
    print(f"  {median(each[2] for each in found) / 1000:.0f} kB read until then")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
