"""The whole path in a real browser with real worker processes: study, upload, predict, correct,
retrain, promote, roll back, download.
"""

from __future__ import annotations

import csv
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from ml.synthetic import SyntheticField
from tests.browser import number, place_of, sign_in
from tests.counting.pictures import REFUSED, encoded, smear
from tests.stack import PASSWORD, Stack

pytestmark = [pytest.mark.e2e, pytest.mark.stack]

# Milliseconds: a training run on two cores that the browser shares.
TRAINING = 600_000
LEARN, JUDGE = 6, 5


def write(folder: Path, fields: dict[str, SyntheticField]) -> list[Path]:
    paths = []
    for name, field in fields.items():
        path = folder / name
        path.write_bytes(encoded(field.image))
        paths.append(path)
    return paths


def new_slide(page: Page, study: str, code: str) -> str:
    page.goto(study)
    page.get_by_role("link", name="New slide").first.click()
    page.get_by_label("Code").fill(code)
    page.get_by_role("button", name="Make the slide").click()
    expect(page.get_by_role("heading", name=code, level=1)).to_be_visible()
    return page.url


def upload(page: Page, paths: list[Path]) -> None:
    page.locator("[data-pick]").first.set_input_files(paths)


def cards(page: Page, state: str) -> object:
    return page.locator(f"[data-grid] > [data-state='{state}']")


def test_the_whole_path(
    stack_factory: Callable[[], Stack],
    new_page: Callable[..., Page],
    tmp_path: Path,
) -> None:
    stack = stack_factory()
    stack.start()
    page = new_page()
    sign_in(page, stack)

    # 1. A study with its rule, and a reader who joins by a link.
    page.get_by_role("link", name="New study").first.click()
    page.get_by_label("Name", exact=True).first.fill("Ward 7")
    page.get_by_role("button", name="Make the study").click()
    expect(page.get_by_role("heading", name="Ward 7", level=1)).to_be_visible()
    study = page.url
    page.goto(f"{study}members/")
    page.get_by_role("button", name=re.compile("link", re.IGNORECASE)).first.click()
    link = page.get_by_label(re.compile("invitation link", re.IGNORECASE)).input_value()
    reader = new_page()
    reader.goto(link)
    reader.get_by_label("User name").fill("bob")
    reader.get_by_label("Password").fill(PASSWORD)
    reader.get_by_role("button", name="Join").click()
    expect(reader.get_by_role("heading", name="Ward 7", level=1)).to_be_visible()

    # 2. The reader uploads: good ones, the same one twice, a bad one.
    fields = {f"learn-{n}.png": smear(n, red_cells=4 + n) for n in range(LEARN)}
    learn = new_slide(reader, study, "Learn")
    paths = write(tmp_path, fields)
    same = tmp_path / "same.tiff"
    same.write_bytes(encoded(fields["learn-0.png"].image, "TIFF"))
    bad = tmp_path / "bad.jpg"
    bad.write_bytes(REFUSED["truncated"][1]())
    upload(reader, paths)
    # 3. Predictions appear without reloading.
    expect(cards(reader, "predicted")).to_have_count(LEARN, timeout=60_000)  # type: ignore[arg-type]
    upload(reader, [same, bad])
    uploads = reader.locator("[data-upload-list]")
    expect(uploads).to_contain_text("learn-0.png on slide Learn")
    expect(uploads).to_contain_text("damaged or cut short")

    judge = new_slide(reader, study, "Judge")
    held = {f"judge-{n}.png": smear(50 + n, red_cells=5 + n) for n in range(JUDGE)}
    upload(reader, write(tmp_path, held))
    expect(cards(reader, "predicted")).to_have_count(JUDGE, timeout=60_000)  # type: ignore[arg-type]

    # 4. The reader counts every field: typing, keys, clicks, accepting; Enter brings the next.
    reader.goto(learn)
    reader.get_by_role("link", name="Start counting").click()
    truths = {**fields, **held}
    for turn, name in enumerate(truths):
        expect(reader.locator("[data-field-name]")).to_have_text(name)
        expect(reader.locator("[data-suggested]").first).to_have_text(re.compile(r"\d"))
        count_field(reader, truths[name], by_keys=turn == 0, by_clicks=turn == 1)
        reader.keyboard.press("Enter")
    expect(reader).not_to_have_url(re.compile("/fields/"))
    reader.goto(judge)
    expect(cards(reader, "counted")).to_have_count(JUDGE)  # type: ignore[arg-type]

    # 5. The admin retrains, watches, and reads the verdict.
    page.goto(f"{study}models/")
    page.get_by_role("button", name="Retrain now").click()
    expect(page.locator("[data-run-bar]")).to_be_visible()
    expect(page.locator("[data-run-state]")).to_contain_text("Succeeded", timeout=TRAINING)
    page.reload()
    expect(page.locator(".notice").first).to_contain_text(re.compile("v2 predicts now|v1 stays"))
    page.goto(f"{study}models/")
    if page.get_by_role("link", name="Make v2 champion").count():
        page.get_by_role("link", name="Make v2 champion").click()
        page.get_by_role("button", name="Make v2 champion all the same").click()
    page.get_by_role("button", name="Roll back to v1").click()
    expect(page.locator("#champion-title")).to_have_text("v1")

    # 6. The counts as CSV.
    page.goto(study)
    with page.expect_download() as download:
        page.get_by_role("link", name=re.compile("CSV")).first.click()
    with download.value.path().open(newline="") as file:
        rows = list(csv.DictReader(file))
    got = {
        row["field"]: int(row["count"])
        for row in rows
        if row["level"] == "field" and row["cell_type"] == "RBC"
    }
    assert got == {name: field.counts["RBC"] for name, field in truths.items()}
    counted = [row for row in rows if row["level"] == "field"]
    assert {row["reader"] for row in counted} == {"bob"}
    assert {row["model_version"] for row in counted} <= {"v1", "v2"}
    methods = {row["field"]: row["method"] for row in counted}
    assert (methods["learn-0.png"], methods["learn-1.png"], methods["learn-2.png"]) == (
        "tally",
        "mixed",
        "typing",
    )


def count_field(page: Page, truth: SyntheticField, *, by_keys: bool, by_clicks: bool) -> None:
    """Enter the true counts, in the way asked for."""
    if by_keys:
        for code, key in (("RBC", "r"), ("WBC", "w"), ("PLT", "p")):
            for _ in range(truth.counts[code]):
                page.keyboard.press(key)
            if not truth.counts[code]:
                page.locator(f"[data-type={code}] [data-activate]").click()
                page.keyboard.press("0")
    elif by_clicks:
        click_cells(page, truth, "RBC")
        for code in ("WBC", "PLT"):
            type_number(page, code, truth.counts[code])
    else:
        for code, count in truth.counts.items():
            type_number(page, code, count)
    for code, count in truth.counts.items():
        expect(number(page, code)).to_have_value(str(count))


def type_number(page: Page, code: str, count: int) -> None:
    box = number(page, code)
    box.fill(str(count))
    box.press("Tab")
    page.locator("h1").first.evaluate("() => document.activeElement.blur()")


def click_cells(page: Page, truth: SyntheticField, code: str) -> None:
    """Click each cell of a type where it lies in the picture on the screen."""
    page.locator(f"[data-type={code}] [data-activate]").click()
    page.locator("#viewer canvas").first.wait_for()
    # A click on a picture that is still coming marks nothing.
    expect(page.locator("#counting")).not_to_have_class(re.compile("is-arriving"))
    there = (mark for mark in truth.marks if mark[0] == code)
    for count, (_, x, y) in enumerate(there, start=1):
        page.mouse.click(*place_of(page, x, y, *truth.image.size))
        expect(number(page, code)).to_have_value(str(count))
