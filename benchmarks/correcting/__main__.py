"""Keystrokes, clicks and seconds to correct real fields, here and in Label Studio.

    .venv/bin/python -m benchmarks.correcting --data ../shared/data [--fields 30]

The same scripted reader corrects the same BCCD test fields from the same suggested marks (those of
the shipped bundle) to the same reference, in the same browser: in Label Studio with key points, and
here once with each cell as a mark and once with counts alone. What the reader leaves is read back
from both and must be what it should be.

Label Studio is installed into an environment that is thrown away, or with `--label-studio ENV` into
ENV, which is kept.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

from playwright.sync_api import Browser

from benchmarks.correcting import label_studio
from benchmarks.correcting.fields import (
    TYPES,
    Corrections,
    Mark,
    RealField,
    corrections,
    read,
    same,
)
from benchmarks.correcting.hematally import HemaTally, Study
from benchmarks.correcting.reader import Effort, read_all
from benchmarks.correcting.report import table, verdicts
from tests.browser import WINDOW, chromium, sign_in
from tests.stack import Prepared, Stack

WAYS = {"HemaTally, each cell a mark": True, "HemaTally, counts alone": False}

# A field's corrections and what was suggested for it.
Task = tuple[Corrections, Sequence[Mark]]


def main() -> int:
    """Measure and print; return 1 when no way of reading takes at most half, 2 when it can't be."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", 1)[0])
    parser.add_argument(
        "--data", type=Path, required=True, help="folder with boxes.csv, fields.csv"
    )
    parser.add_argument("--fields", type=int, default=30)
    parser.add_argument("--label-studio", type=Path, metavar="ENV", help="its environment, kept")
    options = parser.parse_args()
    try:
        fields = read(options.data, options.fields)
    except (OSError, ValueError) as error:
        print(f"The fields cannot be read: {error}", file=sys.stderr)
        return 2
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        environment = options.label_studio or folder / "environment"
        try:
            label_studio.install(environment)
        except label_studio.CannotInstall as error:
            print(
                f"Label Studio cannot be installed here, so there is nothing to compare with. "
                f"Give an environment that has it with --label-studio. pip says: {error}",
                file=sys.stderr,
            )
            return 2
        with chromium() as browser:
            ours, tasks = here(browser, folder, fields)
            theirs = there(browser, folder, environment, fields, tasks)
    wrong = [work.number for work, _ in tasks]
    print(
        f"{len(fields)} fields, {sum(wrong)} things to correct, in {sum(map(bool, wrong))} of them"
    )
    print(table(theirs, ours))
    words, halved = verdicts(theirs, ours)
    print(words)
    return int(not halved)


def here(
    browser: Browser, folder: Path, fields: Sequence[RealField]
) -> tuple[dict[str, Sequence[Effort]], list[Task]]:
    """Read the fields in each of our ways; return what each took, and what was to do."""
    ours: dict[str, Sequence[Effort]] = {}
    with Prepared(folder).copy() as stack:
        stack.start("web", "inference")
        studies = {way: Study(stack, fields) for way in WAYS}
        tasks = [_task(field, studies[next(iter(WAYS))], n) for n, field in enumerate(fields)]
        # Nothing is left to predict: the worker would only take the processor.
        stack.stop("inference")
        for way, marks in WAYS.items():
            ours[way] = _read(browser, stack, studies[way], tasks, way, marks=marks)
    return ours, tasks


def _task(field: RealField, study: Study, number: int) -> Task:
    suggested = study.suggested(number)
    return corrections(field.cells, suggested), suggested


def _read(
    browser: Browser, stack: Stack, study: Study, tasks: Sequence[Task], way: str, *, marks: bool
) -> list[Effort]:
    page = browser.new_page(viewport=WINDOW)
    sign_in(page, stack)
    efforts = read_all(HemaTally(page, stack, study, marks=marks), tasks, _progress(way, tasks))
    page.close()
    for number, (work, _) in enumerate(tasks):
        counts, found = study.read(number)
        wanted = Counter(mark.cell_type for mark in work.marks)
        assert counts == {code: wanted[code] for code in TYPES}, (number, counts, wanted)
        assert not marks or same(found, work.marks), (number, found, work.marks)
    return efforts


def there(
    browser: Browser,
    folder: Path,
    environment: Path,
    fields: Sequence[RealField],
    tasks: Sequence[Task],
) -> list[Effort]:
    """Read the fields in Label Studio and return what each took."""
    data = folder / "label-studio"
    data.mkdir()
    server = label_studio.Server(environment, data)
    suggested = [marks for _, marks in tasks]
    try:
        server.wait()
        project = label_studio.Project(server, fields, suggested)
        page = browser.new_page(viewport=WINDOW)
        tool = label_studio.LabelStudio(page, project, suggested)
        efforts = read_all(tool, tasks, _progress("Label Studio", tasks))
        page.close()
        for number, (work, _) in enumerate(tasks):
            found = project.read(number)
            assert same(found, work.marks), (number, found, work.marks)
    finally:
        server.close()
    return efforts


def _progress(name: str, tasks: Sequence[Task]) -> Callable[[int], None]:
    def tell(done: int) -> None:
        end = "\n" if done == len(tasks) else ""
        print(f"\r{name}: {done} of {len(tasks)} fields", end=end, file=sys.stderr, flush=True)

    return tell


if __name__ == "__main__":
    raise SystemExit(main())
