"""Take the README's pictures: `python scripts/pictures.py [NAME ...]`, for example `counting`.

Starts the program in a data folder of its own, draws synthetic smears, walks the path in Debian's
Chromium and writes docs/pictures/*.png. `models` trains, which takes minutes. Needs what the tests
need (`make test` installs it).
"""

from __future__ import annotations

import contextlib
import io
import os
import secrets
import socket
import subprocess
import sys
import tempfile
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from PIL import Image, ImageColor
from playwright.sync_api import FilePayload, Page

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from ml.synthetic import SyntheticField, render_slide  # noqa: E402
from tests.browser import WINDOW, chromium  # noqa: E402
from tests.waiting import wait_until  # noqa: E402

PICTURES = ROOT / "docs" / "pictures"
# Bytes of a picture; fewer colors are tried until it fits.
LARGEST = 240_000
COLORS = (256, 160, 112, 80, 56)
# Small things keep their color: these tokens of the style sheets, and the cell types' colors.
TOKENS = (
    "surface",
    "ground",
    "accent",
    "accent-soft",
    "good",
    "good-soft",
    "warn",
    "warn-soft",
    "bad",
    "bad-soft",
)
# Seconds. Generous: two cores may be shared.
TO_START, TO_PREDICT, TO_TRAIN = 180, 180, 1800

# Code, stain, seed, number of fields, and how many of them are counted when the pictures are taken.
SLIDES = (
    ("S-014", "Giemsa", 41, 12, 12),
    ("S-015", "Giemsa", 47, 8, 8),
    ("S-016", "Wright-Giemsa", 45, 10, 4),
)
NAMES = ("study", "slide", "predicted", "counting", "models")


@contextlib.contextmanager
def program(folder: Path, password: str) -> Iterator[str]:
    """Run the whole program on a free port and yield its address."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    address = f"http://127.0.0.1:{port}"
    command = [sys.executable, "manage.py", "serve", "--port", str(port)]
    environment = {**os.environ, "DATA_DIR": str(folder), "ADMIN_PASSWORD": password}
    process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
    try:
        wait_until(lambda: answers(address), TO_START, "the program to start")
        yield address
    finally:
        process.terminate()
        process.wait(60)


def answers(address: str) -> bool:
    """Say whether the sign-in page comes."""
    with contextlib.suppress(OSError):
        return bool(urllib.request.urlopen(f"{address}/accounts/login/", timeout=5).status == 200)  # noqa: S310
    return False


class Walk:
    """One person's way through the program, with a page to look at and the API for the rest."""

    def __init__(self, page: Page, address: str) -> None:
        self.page = page
        self.address = address

    def api(self, path: str, body: dict[str, Any] | None = None) -> Any:
        """Ask the API as the person who is signed in."""
        cookies = {cookie["name"]: cookie["value"] for cookie in self.page.context.cookies()}
        headers = {"X-CSRFToken": cookies.get("hematally_csrf", ""), "Referer": self.address}
        url = f"{self.address}/api/v1/{path}"
        request = self.page.request
        answer = request.get(url) if body is None else request.post(url, data=body, headers=headers)
        if not answer.ok:
            raise SystemExit(f"{path}: {answer.text()}")
        return answer.json()

    def sign_in(self, name: str, password: str) -> None:
        """Sign in."""
        self.page.goto(f"{self.address}/accounts/login/")
        self.page.get_by_label("User name").fill(name)
        self.page.get_by_label("Password").fill(password)
        self.page.get_by_role("button", name="Sign in").click()
        self.page.wait_for_url(f"{self.address}/")

    def fields(self, slide: int) -> list[dict[str, Any]]:
        """Return the fields of a slide."""
        found: list[dict[str, Any]] = self.api(f"fields/?slide={slide}")["results"]
        return found

    def upload(self, slide: int, code: str, fields: list[SyntheticField]) -> None:
        """Choose a slide's pictures on its page."""
        self.page.goto(f"{self.address}/slides/{slide}/")
        files: list[FilePayload] = []
        for number, field in enumerate(fields, 1):
            buffer = io.BytesIO()
            field.image.save(buffer, "PNG")
            name = f"{code.lower()}-{number:02}.png"
            files.append({"name": name, "mimeType": "image/png", "buffer": buffer.getvalue()})
        self.page.locator("[data-pick]").first.set_input_files(files)

    def predicted(self, slide: int, number: int) -> None:
        """Wait until a slide's fields have their predictions."""

        def done() -> bool:
            return [row["state"] for row in self.fields(slide)].count("predicted") == number

        wait_until(done, TO_PREDICT, "predictions")

    def count(self, slide: int, fields: list[SyntheticField]) -> None:
        """Submit the true counts of the first fields."""
        for row, field in zip(self.fields(slide), fields, strict=False):
            self.api(
                f"fields/{row['id']}/readings/",
                {"counts": field.counts, "method": "typing", "seconds": 20},
            )

    def shoot(self, name: str) -> None:
        """Write what is on the screen, in few colors: half the bytes, the same to the eye."""
        self.page.mouse.move(0, 0)
        self.page.wait_for_timeout(800)
        shot = Image.open(io.BytesIO(self.page.screenshot())).convert("RGB")
        path = PICTURES / f"{name}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        for colors in COLORS:
            in_few_colors(shot, colors, self.small_colors()).save(path, optimize=True)
            if path.stat().st_size <= LARGEST:
                break
        print(f"{name}.png: {path.stat().st_size / 1000:.0f} kB")

    def small_colors(self) -> list[str]:
        """Return the colors of marks, badges and notices: few pixels, much meaning."""
        script = """names => names.map(name =>
            getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim())"""
        tokens: list[str] = self.page.evaluate(script, list(TOKENS))
        types = self.api("studies/")["results"][0]["cell_types"]
        return [*tokens, *(row["color"] for row in types)]


def in_few_colors(shot: Image.Image, colors: int, small: list[str]) -> Image.Image:
    """Return a palette picture of `colors` colors, the small ones among them."""
    most = shot.quantize(colors - len(small), method=Image.Quantize.MEDIANCUT)
    values = (most.getpalette() or [])[: 3 * (colors - len(small))]
    for color in small:
        values.extend(ImageColor.getrgb(color)[:3])
    values.extend(values[-3:] * (256 - colors))  # else the rest would be grays of its own
    palette = Image.new("P", (1, 1))
    palette.putpalette(values)
    return shot.quantize(palette=palette, dither=Image.Dither.NONE)


def walk(page: Page, address: str, password: str, wanted: set[str]) -> None:
    """Go the path and take the pictures that are wanted."""
    way = Walk(page, address)
    way.sign_in("admin", password)
    study = way.api("studies/", {"name": "Anemia cohort"})["id"]
    last = 0
    for code, stain, seed, number, counted in SLIDES:
        drawn = list(render_slide(seed, number, red_cells=20.0, cell_px=88.0))
        body = {"study": study, "code": code, "stain": stain, "objective": "100x oil"}
        last = way.api("slides/", body)["id"]
        way.upload(last, code, drawn)
        if "slide" in wanted and code == SLIDES[-1][0]:
            page.locator("[data-grid] > li").nth(3).wait_for()
            way.shoot("slide")
        way.predicted(last, number)
        if "predicted" in wanted and code == SLIDES[-1][0]:
            page.locator("[data-state=predicted]").nth(number - 1).wait_for()
            page.locator("[data-clear]").click()
            way.shoot("predicted")
        way.count(last, drawn[:counted])
    if "study" in wanted:
        page.goto(f"{address}/studies/{study}/")
        way.shoot("study")
    if "counting" in wanted:
        counting(way, way.fields(last)[SLIDES[-1][4]]["id"])
    if "models" in wanted:
        models(way, study)


def counting(way: Walk, field: int) -> None:
    """Take a field half counted: the reader's marks and the suggestion's beside each other."""
    page = way.page
    page.goto(f"{way.address}/fields/{field}/")
    page.locator("[data-suggested]").first.wait_for()
    page.locator("#viewer canvas").first.wait_for()
    for code in ("PLT", "WBC"):
        take = page.locator(f"[data-type={code}] [data-take]")
        if take.is_visible():
            take.click()
    page.locator("[data-type=RBC] [data-activate]").click()
    way.shoot("counting")


def models(way: Walk, study: int) -> None:
    """Take the model page after a training run."""
    run = way.api(f"studies/{study}/training-runs/", {})["id"]

    def over() -> bool:
        state: str = way.api(f"training-runs/{run}/")["state"]
        return state not in {"waiting", "running"}

    wait_until(over, TO_TRAIN, "the training run")
    print(way.api(f"training-runs/{run}/")["verdict"])
    way.page.goto(f"{way.address}/studies/{study}/models/")
    way.shoot("models")


def main() -> None:
    """Take the pictures named on the command line, or all."""
    wanted = set(sys.argv[1:]) or set(NAMES)
    if wanted - set(NAMES):
        raise SystemExit(f"Names: {', '.join(NAMES)}.")
    password = secrets.token_urlsafe(12)
    with (
        tempfile.TemporaryDirectory() as folder,
        program(Path(folder), password) as address,
        chromium() as browser,
    ):
        walk(browser.new_page(viewport=WINDOW), address, password, wanted)


if __name__ == "__main__":
    main()
