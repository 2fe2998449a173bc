"""Label Studio in the hands of the scripted reader: key points, one key per class.

Its own best way is taken: the suggested marks are there when a task opens, and the class stays
chosen after a mark was placed ("Keep label selected after creating a region").
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import urllib.request
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from playwright.sync_api import Page

from benchmarks.correcting.fields import Corrections, Mark, RealField
from benchmarks.correcting.reader import Hands
from labsite.processes import die_with_parent
from tests.servers import free_port
from tests.waiting import wait_until

REQUIREMENTS = Path(__file__).parents[1] / "label-studio.txt"
# Seconds: the first start makes its database.
START_TIMEOUT = 300
# Milliseconds.
PATIENCE = 60_000
EMAIL = "reader@example.org"
SIZE = (640, 480)
# Width of a key point in percent of the picture's: about as large as our marks.
WIDTH = 1
KEYS = {"RBC": "1", "WBC": "2", "PLT": "3"}
LABELS = "".join(f'<Label value="{code}" hotkey="{key}"/>' for code, key in KEYS.items())
CONFIG = (
    '<View><Image name="image" value="$image"/>'
    f'<KeyPointLabels name="cells" toName="image">{LABELS}</KeyPointLabels></View>'
)
# The screen's own store: what a reader sees, asked for without looking.
READY = """([task, marks]) => {
  const store = window.Htx;
  const shown = store?.annotationStore?.selected;
  return store?.task?.id === task && !store.isLoading
    && shown?.regionStore.regions.length === marks
    && [...shown.names.values()].some((each) => each.type === "image" && each.imageIsLoaded);
}"""
COUNTS = """(counts) => {
  const found = {};
  for (const region of window.Htx.annotationStore.selected.regionStore.regions) {
    found[region.labels[0]] = (found[region.labels[0]] ?? 0) + 1;
  }
  return Object.entries(counts).every(([code, number]) => (found[code] ?? 0) === number);
}"""
CHOSEN = """() => {
  const names = [...window.Htx.annotationStore.selected.names.values()];
  return names.find((each) => each.type === "keypointlabels").selectedValues();
}"""
SELECTED = "(n) => window.Htx.annotationStore.selected.regionStore.selection.size === n"
PICTURE = """() => {
  const found = [...document.querySelectorAll("img")].filter((each) => each.width > 200);
  const { x, y, width } = found[0].getBoundingClientRect();
  return [x, y, width];
}"""


class CannotInstall(Exception):
    """Label Studio is not to be had here."""


def install(folder: Path) -> None:
    """Make a virtual environment with Label Studio, unless it is there.

    Raises:
        CannotInstall: the package index does not have it or cannot be reached.
    """
    if (folder / "bin" / "label-studio").exists():
        return
    subprocess.run([sys.executable, "-m", "venv", str(folder)], check=True)
    command = [str(folder / "bin" / "pip"), "install", "--quiet", "-r", str(REQUIREMENTS)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise CannotInstall(done.stderr.strip().rpartition("\n")[2])


class Server:
    """Label Studio with SQLite in a folder of its own; asks nothing of the network."""

    def __init__(self, environment: Path, folder: Path) -> None:
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.token = secrets.token_hex(20)
        self.password = secrets.token_urlsafe(12)
        settings = {
            "LABEL_STUDIO_BASE_DATA_DIR": str(folder),
            "LABEL_STUDIO_USERNAME": EMAIL,
            "LABEL_STUDIO_PASSWORD": self.password,
            "LABEL_STUDIO_USER_TOKEN": self.token,
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            "COLLECT_ANALYTICS": "false",
            "LATEST_VERSION_CHECK": "false",
            "SENTRY_DSN": "",
            "FRONTEND_SENTRY_DSN": "",
        }
        command = [str(environment / "bin" / "label-studio"), "start", "--no-browser"]
        command += ["--internal-host", "127.0.0.1", "--port", str(self.port)]
        self.log = folder / "server.log"
        with self.log.open("w") as log:
            self.process = subprocess.Popen(
                command,
                env={"PATH": os.environ["PATH"], "HOME": str(folder), **settings},
                cwd=folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                preexec_fn=die_with_parent,
            )

    def wait(self) -> None:
        """Return when it answers."""
        wait_until(
            lambda: self._healthy() or self.process.poll() is not None,
            START_TIMEOUT,
            "Label Studio to answer",
        )
        assert self.process.poll() is None, self.log.read_text(errors="replace")[-2000:]

    def close(self) -> None:
        """End it."""
        self.process.terminate()
        self.process.wait(30)

    def _healthy(self) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url}/health", timeout=5):  # noqa: S310
                return True
        except OSError:
            return False

    def call(self, address: str, body: bytes | dict[str, Any] | None, kind: str = "") -> Any:
        """Post a body to the API, or get without one, and return the JSON of the answer."""
        data = json.dumps(body).encode() if isinstance(body, dict) else body
        request = urllib.request.Request(self.url + address, data)  # noqa: S310
        request.add_header("Authorization", f"Token {self.token}")
        request.add_header("Content-Type", kind or "application/json")
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310
            return json.load(answer)


class Project:
    """The fields as tasks with suggested marks."""

    def __init__(
        self, server: Server, fields: Sequence[RealField], suggested: Sequence[Sequence[Mark]]
    ) -> None:
        self.server = server
        made = {"title": "Correcting", "label_config": CONFIG, "show_collab_predictions": True}
        self.id = server.call("/api/projects/", {**made, "model_version": "base"})["id"]
        for field in fields:
            self._upload(field)
        rows = server.call(f"/api/tasks?project={self.id}&page_size={len(fields)}", None)["tasks"]
        self.tasks = sorted(row["id"] for row in rows)
        for task, marks in zip(self.tasks, suggested, strict=True):
            result = [_region(mark) for mark in marks]
            body = {"task": task, "result": result, "model_version": "base", "score": 1}
            server.call("/api/predictions/", body)

    def _upload(self, field: RealField) -> None:
        edge = secrets.token_hex(16)
        head = f'--{edge}\r\nContent-Disposition: form-data; name="file"; '
        head += f'filename="{field.path.name}"\r\nContent-Type: image/jpeg\r\n\r\n'
        body = head.encode() + field.path.read_bytes() + f"\r\n--{edge}--\r\n".encode()
        kind = f"multipart/form-data; boundary={edge}"
        self.server.call(f"/api/projects/{self.id}/import", body, kind)

    def read(self, number: int) -> list[Mark]:
        """Return the marks that the reader submitted."""
        (annotation,) = self.server.call(f"/api/tasks/{self.tasks[number]}/", None)["annotations"]
        return [
            Mark(
                row["value"]["keypointlabels"][0],
                row["value"]["x"] / 100 * SIZE[0],
                row["value"]["y"] / 100 * SIZE[1],
            )
            for row in annotation["result"]
        ]


def _region(mark: Mark) -> dict[str, Any]:
    place = {"x": 100 * mark.x / SIZE[0], "y": 100 * mark.y / SIZE[1], "width": WIDTH}
    return {
        "id": secrets.token_hex(5),
        "type": "keypointlabels",
        "from_name": "cells",
        "to_name": "image",
        "original_width": SIZE[0],
        "original_height": SIZE[1],
        "value": {**place, "keypointlabels": [mark.cell_type]},
    }


class LabelStudio:
    """Its labeling stream: each task opens with the suggested marks as the reader's own."""

    def __init__(self, page: Page, project: Project, suggested: Sequence[Sequence[Mark]]) -> None:
        self.page = page
        self.hands = Hands(page)
        server = project.server
        self.coming = [
            (task, len(marks)) for task, marks in zip(project.tasks, suggested, strict=True)
        ]
        page.set_default_timeout(PATIENCE)
        page.goto(f"{server.url}/user/login/")
        page.fill("input[name=email]", EMAIL)
        page.fill("input[name=password]", server.password)
        page.click("button[type=submit]")
        page.wait_for_url(f"{server.url}/")
        page.goto(f"{server.url}/projects/{project.id}/data?labeling=1")
        self._arrive()
        if not page.evaluate("window.Htx.settings.continuousLabeling"):
            page.evaluate("window.Htx.settings.toggleContinuousLabeling()")
        self.left, self.top, width = page.evaluate(PICTURE)
        self.scale = width / SIZE[0]

    def correct(self, work: Corrections, suggested: Sequence[Mark]) -> None:
        """Change what is wrong in the suggested marks."""
        counts = Counter(mark.cell_type for mark in suggested)
        for mark in work.remove:
            self._select(mark)
            self.hands.press("Backspace")
            counts[mark.cell_type] -= 1
            self._expect(counts)
        for mark, code in work.retype:
            self._select(mark)
            self.hands.press(KEYS[code])
            counts[mark.cell_type] -= 1
            counts[code] += 1
            self._expect(counts)
            self.hands.press("Escape")
            self.page.wait_for_function(SELECTED, arg=0)
        for mark in work.add:
            if self.page.evaluate(CHOSEN) != [mark.cell_type]:
                self.hands.press(KEYS[mark.cell_type])
            self._click(mark)
            counts[mark.cell_type] += 1
            self._expect(counts)

    def submit(self) -> None:
        """Submit, and return when the next task's picture and marks are on the screen."""
        self.hands.press("Control+Enter")
        self.coming.pop(0)
        self._arrive()

    def _arrive(self) -> None:
        if self.coming:
            self.page.wait_for_function(READY, arg=list(self.coming[0]))
        else:
            self.page.get_by_text("no more", exact=False).first.wait_for()

    def _select(self, mark: Mark) -> None:
        self._click(mark)
        self.page.wait_for_function(SELECTED, arg=1)

    def _click(self, mark: Mark) -> None:
        self.hands.click(self.left + mark.x * self.scale, self.top + mark.y * self.scale)

    def _expect(self, counts: Counter[str]) -> None:
        self.page.wait_for_function(COUNTS, arg=dict(counts))
