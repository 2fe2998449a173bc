"""HemaTally in the hands of the scripted reader, in marks or in counts alone."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Any

from playwright.sync_api import Page, expect

from benchmarks.correcting.fields import TYPES, Corrections, Mark, RealField
from benchmarks.correcting.reader import Hands
from tests.scripts import Script
from tests.stack import Stack
from tests.waiting import wait_until

# Milliseconds and seconds. Generous: nothing here is a limit that is judged.
PATIENCE = 60_000
PREDICTED = 300
TALLY_KEYS = {"RBC": "r", "WBC": "w", "PLT": "p"}

READY = """(path) => {
  const { world } = OpenSeadragon.getViewer("viewer");
  return location.pathname === path
    && Boolean(world.getItemAt(0)?.getFullyLoaded())
    && !document.querySelector("[data-accept]").disabled
    && !document.querySelector("#counting").classList.contains("is-busy");
}"""
# Where a pixel of the picture is in the window, and whether nothing lies over it there.
PLACE = """([x, y]) => {
  const viewer = OpenSeadragon.getViewer("viewer");
  const point = new OpenSeadragon.Point(x, y);
  const place = viewer.world.getItemAt(0).imageToWindowCoordinates(point);
  return [place.x, place.y, viewer.element.contains(document.elementFromPoint(place.x, place.y))];
}"""


class Study:
    """The fields in a study of their own, predicted."""

    def __init__(self, stack: Stack, fields: Sequence[RealField]) -> None:
        self.script = Script.sign_in(stack)
        slide = self.script.new_slide("Correcting")
        self.ids = [
            self.script.upload(slide, field.path.read_bytes(), field.path.name) for field in fields
        ]
        states = {"predicted": len(fields)}
        wait_until(lambda: self.script.states(slide) == states, PREDICTED, "all predictions")

    def field(self, number: int) -> dict[str, Any]:
        """Return a field as the API tells it."""
        return self.script.get(f"/api/v1/fields/{self.ids[number]}/")

    def suggested(self, number: int) -> list[Mark]:
        """Return the suggested marks of a field."""
        return _marks(self.field(number)["prediction"]["marks"])

    def read(self, number: int) -> tuple[dict[str, int], list[Mark]]:
        """Return counts and marks as the reader submitted them."""
        reading = self.field(number)["my_reading"]
        assert reading["state"] == "submitted", reading
        return reading["counts"], _marks(reading["marks"])


class HemaTally:
    """The counting screen, set to start each field from its suggestion."""

    def __init__(self, page: Page, stack: Stack, study: Study, *, marks: bool) -> None:
        self.page = page
        self.hands = Hands(page)
        self.marks = marks
        self.paths = [f"/fields/{number}/" for number in study.ids]
        page.set_default_timeout(PATIENCE)
        page.goto(stack.url + self.paths[0])
        self._arrive()
        page.locator("[data-so-far] summary").click()
        page.get_by_label("Start from the suggestion").check()
        page.locator("[data-so-far] summary").click()

    def correct(self, work: Corrections, suggested: Sequence[Mark]) -> None:
        """Change what is wrong in the suggestion."""
        counts = Counter(mark.cell_type for mark in suggested)
        if self.page.locator("[data-number]").first.input_value() == "":
            # Unlike what the model learned from: it is taken over only when the reader says so.
            self.hands.press("a")
        self._expect(counts)
        if not self.marks:
            for code, difference in work.differences(suggested).items():
                key = TALLY_KEYS[code] if difference > 0 else f"Shift+{TALLY_KEYS[code]}"
                for _ in range(abs(difference)):
                    self.hands.press(key)
                counts[code] += difference
            self._expect(counts)
            return
        for mark in work.remove:
            self._click(mark)
            counts[mark.cell_type] -= 1
            self._expect(counts)
        for mark, code in work.retype:
            self._choose(code)
            self._click(mark, holding="Shift")
            counts[mark.cell_type] -= 1
            counts[code] += 1
            self._expect(counts)
        for mark in work.add:
            self._choose(mark.cell_type)
            self._click(mark)
            counts[mark.cell_type] += 1
            self._expect(counts)

    def submit(self) -> None:
        """Submit, and return when the next field's picture and suggestion are on the screen."""
        self.hands.press("Enter")
        self.paths.pop(0)
        self._arrive()

    def _arrive(self) -> None:
        if self.paths:
            self.page.wait_for_function(READY, arg=self.paths[0])
        else:
            self.page.wait_for_url("**/studies/**")

    def _choose(self, code: str) -> None:
        button = self.page.locator(f"[data-type={code}] [data-activate]")
        if button.get_attribute("aria-pressed") == "true":
            return
        self.hands.press(f"Alt+{TALLY_KEYS[code]}")
        expect(button).to_have_attribute("aria-pressed", "true")

    def _click(self, mark: Mark, *, holding: str = "") -> None:
        x, y, free = self.page.evaluate(PLACE, [mark.x, mark.y])
        assert free, mark
        self.hands.click(x, y, holding=holding)

    def _expect(self, counts: Counter[str]) -> None:
        shown = {code: str(counts[code]) for code in TYPES}
        self.page.wait_for_function(
            """(shown) => Object.entries(shown).every(([code, number]) =>
              document.querySelector(`[data-type=${code}] [data-number]`).value === number)""",
            arg=shown,
        )


def _marks(rows: Sequence[dict[str, Any]]) -> list[Mark]:
    return [Mark(row["cell_type"], row["x"], row["y"]) for row in rows]
