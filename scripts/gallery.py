"""Take every page, light and dark, on a desktop and on a phone: `python scripts/gallery.py [NAME]`.

Writes docs/pictures/pages/NAME.webp, the four beside each other, and docs/gallery.md, which shows
them. Draws synthetic smears, as scripts/pictures.py does, and needs what that needs. Those of
models and runs train, which takes minutes.
"""

from __future__ import annotations

import io
import json
import os
import secrets
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from PIL import Image
from playwright.sync_api import Browser, BrowserContext, Page

sys.path.insert(0, str(Path(__file__).resolve().parent))

from pictures import PICTURES, ROOT, TO_TRAIN, Walk, program

from ml.synthetic import SyntheticField, render_slide
from tests.browser import WINDOW, chromium
from tests.waiting import wait_until

PAGES = PICTURES / "pages"
DESKTOP, PHONE = (1280, 800), (390, 844)
# In the gallery the desktop is shown at this width; the phone as high as it is then.
SHOWN = 760
GAP = 16
GROUND = (128, 128, 132)
QUALITY = 80
# Name of the picture, and what the page is for.
TITLES = {
    "login": "Sign in",
    "password": "Change of password",
    "home": "Studies",
    "study-new": "A new study",
    "study": "A study",
    "study-settings": "A study's settings",
    "members": "Members and invitations",
    "invitation": "An invitation, as the invited see it",
    "slide-new": "A new slide",
    "slide": "A slide with its fields",
    "slide-edit": "What is said of a slide, put right",
    "field-delete": "A question before a field is deleted",
    "field": "The counting screen",
    "review": "The reviewer's page",
    "slide-report": "A slide's report",
    "calibrations": "Calibrations",
    "calibration": "A calibration",
    "agreement": "Agreement of readers and models",
    "models": "Models",
    "model-overrule": "A question before the gate is overruled",
    "training-run": "A training run",
    "status": "Status of the program",
}
TRAINED = ("models", "model-overrule", "training-run")
# Makes a second reader and a reviewer of a study, prints the reader's token.
MAKE_PEOPLE = """
from django.contrib.auth.models import User
from counting.models import Membership
from counting.services.tokens import create_token
for name, role in (("dewi", "reader"), ("rita", "reviewer")):
    user = User.objects.create_user(name, password="{password}")
    Membership.objects.create(study_id={study}, user=user, role=role)
print(create_token(user=User.objects.get(username="dewi")))
"""
# Slide, stain, seed, fields, fields counted by the first reader.
SLIDES = (("S-014", "Giemsa", 41, 12, 12), ("S-016", "Wright-Giemsa", 45, 10, 6))


def furnish(way: Walk, folder: Path, password: str) -> tuple[int, list[int]]:
    """Make a study that two readers counted, not always alike; return it and its slides."""
    body = {"name": "Anemia cohort", "readers_per_field": 2}
    study: int = way.api("studies/", body)["id"]
    environment = {**os.environ, "DATA_DIR": str(folder)}
    made = subprocess.run(
        [
            sys.executable,
            "manage.py",
            "shell",
            "-c",
            MAKE_PEOPLE.format(study=study, password=password),
        ],
        cwd=ROOT,
        env=environment,
        check=True,
        capture_output=True,
        text=True,
    )
    token = made.stdout.split()[-1]
    slides = []
    for code, stain, seed, number, counted in SLIDES:
        drawn = list(render_slide(seed, number, red_cells=20.0, cell_px=88.0))
        body = {"study": study, "code": code, "stain": stain, "objective": "100x oil"}
        slide = way.api("slides/", body)["id"]
        way.upload(slide, code, drawn)
        way.predicted(slide, number)
        way.count(slide, drawn[:counted])
        count_again(way, slide, drawn[: counted - 1], token)
        slides.append(slide)
    return study, slides


def count_again(way: Walk, slide: int, fields: list[SyntheticField], token: str) -> None:
    """Count fields as a second reader, who sees some cells otherwise."""
    headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
    for number, (row, field) in enumerate(zip(way.fields(slide), fields, strict=False)):
        red = field.counts["RBC"] + (-1, 0, 2, 0, 6, 1)[number % 6]
        told = {"counts": {**field.counts, "RBC": red}, "method": "typing", "seconds": 25}
        url = f"{way.address}/api/v1/fields/{row['id']}/readings/"
        answer = way.page.request.post(url, data=json.dumps(told), headers=headers)
        if not answer.ok:
            raise SystemExit(answer.text())


def calibrate(page: Page, address: str, study: int) -> str:
    """Make a calibration with samples through its pages; return its address."""
    page.goto(f"{address}/studies/{study}/calibrations/")
    page.locator("[name=cell_type][value=PLT]").check()
    page.locator("[name=microscope]").fill("Olympus CX23")
    page.locator("[name=objective]").fill("100x oil")
    page.locator("form:has([name=microscope]) .button-primary").click()
    page.wait_for_url("**/calibrations/*/")
    samples = [f"K{n}; {value}; {mean}; 20" for n, (value, mean) in enumerate(SAMPLES, 1)]
    page.locator("[name=samples]").fill("\n".join(samples))
    page.locator("form:has([name=samples]) .button-primary").click()
    page.wait_for_load_state()
    return page.url.removeprefix(address)


# An analyser's platelets per microliter, and platelets a field on the same sample's slide.
SAMPLES = (
    (152_000, 9.6),
    (210_000, 13.9),
    (244_000, 15.8),
    (180_000, 11.5),
    (310_000, 21.0),
    (98_000, 6.1),
    (265_000, 17.2),
    (221_000, 14.0),
)


def addresses(way: Walk, study: int, slides: list[int]) -> dict[str, str]:
    """Return the address of each page of `TITLES` but those that need a training."""
    page = way.page
    calibration = calibrate(page, way.address, study)
    page.goto(f"{way.address}/studies/{study}/members/")
    page.locator("form[action$='/members/invite/'] button").click()
    link = page.locator("#invitation-link").input_value()
    free = way.fields(slides[-1])[SLIDES[-1][4] + 1]["id"]
    at = f"/studies/{study}"
    return {
        "login": "/accounts/login/",
        "password": "/accounts/password/",
        "home": "/",
        "study-new": "/studies/new/",
        "study": f"{at}/",
        "study-settings": f"{at}/settings/",
        "members": f"{at}/members/",
        "invitation": urlsplit(link).path,
        "slide-new": f"{at}/slides/new/",
        "slide": f"/slides/{slides[-1]}/",
        "slide-edit": f"/slides/{slides[-1]}/edit/",
        "field-delete": f"/fields/{free}/delete/",
        "field": f"/fields/{free}/",
        "review": f"{at}/review/",
        "slide-report": f"/slides/{slides[0]}/report/",
        "calibrations": f"{at}/calibrations/",
        "calibration": calibration,
        "agreement": f"{at}/agreement/",
        "status": "/status/",
    }


def train(way: Walk, study: int) -> dict[str, str]:
    """Train once, and return the addresses of the pages that tell of it."""
    run = way.api(f"studies/{study}/training-runs/", {})["id"]

    def over() -> bool:
        return way.api(f"training-runs/{run}/")["state"] not in {"waiting", "running"}

    wait_until(over, TO_TRAIN, "the training run")
    told = {"models": f"/studies/{study}/models/", "training-run": f"/training-runs/{run}/"}
    for model in way.api(f"studies/{study}/models/")["results"]:
        if model["state"] == "candidate":
            told["model-overrule"] = f"/models/{model['id']}/overrule/"
    return told


def shoot(browser: Browser, address: str, state: Any, name: str, path: str) -> None:
    """Write a page's four looks beside each other; `state` says who is signed in."""
    shots = {}
    for kind, (width, height) in (("desktop", DESKTOP), ("phone", PHONE)):
        for theme in ("light", "dark"):
            context: BrowserContext = browser.new_context(
                viewport={"width": width, "height": height},
                color_scheme=theme,  # type: ignore[arg-type]
                storage_state=state,
                has_touch=kind == "phone",
                is_mobile=kind == "phone",
            )
            page = context.new_page()
            page.goto(address + path)
            if name == "field":
                page.locator("[data-suggested]").first.wait_for()
                page.locator("#viewer canvas").first.wait_for()
            page.wait_for_load_state("networkidle")
            page.wait_for_timeout(500)
            shots[kind, theme] = Image.open(io.BytesIO(page.screenshot())).convert("RGB")
            context.close()
    high = round(DESKTOP[1] * SHOWN / DESKTOP[0])
    slim = round(PHONE[0] * high / PHONE[1])
    sheet = Image.new("RGB", (SHOWN + slim + 3 * GAP, 2 * high + 3 * GAP), GROUND)
    for row, theme in enumerate(("light", "dark")):
        top = GAP + row * (high + GAP)
        desktop = shots["desktop", theme].resize((SHOWN, high), Image.Resampling.LANCZOS)
        sheet.paste(desktop, (GAP, top))
        phone = shots["phone", theme].resize((slim, high), Image.Resampling.LANCZOS)
        sheet.paste(phone, (SHOWN + 2 * GAP, top))
    file = PAGES / f"{name}.webp"
    file.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(file, quality=QUALITY, method=6)
    print(f"{file.name}: {file.stat().st_size / 1000:.0f} kB", flush=True)


def write_page() -> None:
    """Write docs/gallery.md with the pictures that are there."""
    about = (
        "Light and dark, on a desktop (1280 pixels wide) and on a phone (390). The smears are "
        "drawn. Made by `python scripts/gallery.py`."
    )
    lines = ["# Every page", about]
    for name, title in TITLES.items():
        if (PAGES / f"{name}.webp").is_file():
            lines += [f"## {title}", f"![{title}](pictures/pages/{name}.webp)"]
    (ROOT / "docs" / "gallery.md").write_text("\n\n".join(lines) + "\n", encoding="utf-8")


def main() -> None:
    """Take the pages named on the command line, or all."""
    wanted = set(sys.argv[1:]) or set(TITLES)
    if wanted - set(TITLES):
        raise SystemExit(f"Names: {', '.join(TITLES)}.")
    password = secrets.token_urlsafe(12)
    with (
        tempfile.TemporaryDirectory() as folder,
        program(Path(folder), password) as address,
        chromium() as browser,
    ):
        page = browser.new_page(viewport=WINDOW)
        way = Walk(page, address)
        way.sign_in("admin", password)
        study, slides = furnish(way, Path(folder), password)
        paths = addresses(way, study, slides)
        if wanted & set(TRAINED):
            paths |= train(way, study)
        admin = page.context.storage_state()
        # Who has read a field does not rule on it: the reviewer is somebody else.
        other = Walk(browser.new_page(), address)
        other.sign_in("rita", password)
        states = {"login": None, "invitation": None, "review": other.page.context.storage_state()}
        for name in TITLES:
            if name in wanted and name in paths:
                shoot(browser, address, states.get(name, admin), name, paths[name])
    write_page()


if __name__ == "__main__":
    main()
