"""Everything `make test` runs, leg by leg, with one summary at the end.

A failing leg does not stop the others: one run shows all that is wrong. `python tests/run.py NAME`
runs the legs whose name contains NAME.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree as ElementTree
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PYTHON = sys.executable
BIN = Path(PYTHON).parent
# Seconds after which a leg is taken to hang.
LONGEST = 1200
# Seconds a leg gets to stop its servers when it is ended early.
TO_CLEAN_UP = 30
# Exit status of pytest when no test was selected.
NOTHING_COLLECTED = 5


@dataclass(frozen=True)
class Leg:
    """One command; `pytest` legs are counted test by test, others as one check."""

    name: str
    command: tuple[str, ...]
    database: str = ""


@dataclass
class Outcome:
    """What a leg found."""

    passed: int = 0
    failed: int = 0
    skipped: int = 0
    seconds: float = 0.0
    names: list[str] = field(default_factory=list)


def pytest(marks: str, *arguments: str) -> tuple[str, ...]:
    """Return the command for a pytest leg: the tests of these marks, two at a time."""
    two = ("-n", "2", "--dist", "worksteal")
    return (PYTHON, "-m", "pytest", "-q", "--durations=5", *two, "-m", marks, *arguments)


# The regressor knows no database, no process and no page: its tests run in one leg, and the others
# need not wait until they are imported.
BUT_ML = ("--ignore", "tests/ml")
LEGS = (
    Leg("style", (str(BIN / "ruff"), "check", ".")),
    Leg("format", (str(BIN / "ruff"), "format", "--check", ".")),
    Leg("types", (str(BIN / "mypy"),)),
    Leg("tests on SQLite", pytest("not stack"), "sqlite"),
    Leg("tests on PostgreSQL and Redis", pytest("not stack and not once", *BUT_ML), "postgres"),
    Leg("processes on SQLite", pytest("stack and not e2e", *BUT_ML), "sqlite"),
    Leg(
        "processes on PostgreSQL and Redis",
        pytest("stack and not e2e and not once", *BUT_ML),
        "postgres",
    ),
    Leg("browser", pytest("e2e", *BUT_ML), "sqlite"),
)


def run(leg: Leg, folder: Path) -> Outcome:
    """Run one leg, its output passing through, and count."""
    print(f"\n=== {leg.name} ===", flush=True)
    report = folder / "report.xml"
    report.unlink(missing_ok=True)
    counted = "pytest" in leg.command
    command = [*leg.command, f"--junitxml={report}"] if counted else list(leg.command)
    began = time.monotonic()
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env={**os.environ, "DATABASE": leg.database, "OMP_NUM_THREADS": "1"},
        stdin=subprocess.DEVNULL,
    )
    try:
        status = process.wait(LONGEST)
    except subprocess.TimeoutExpired:
        print(f"{leg.name} took longer than {LONGEST} s and is ended.")
        process.send_signal(signal.SIGINT)
        status = process.wait(TO_CLEAN_UP) or 1
    except KeyboardInterrupt:
        # The terminal has told pytest too: let it stop the servers it started.
        process.wait(TO_CLEAN_UP)
        raise
    outcome = count(report) if counted else Outcome()
    outcome.seconds = time.monotonic() - began
    if not counted:
        outcome.passed, outcome.failed = (1, 0) if status == 0 else (0, 1)
    elif status not in {0, NOTHING_COLLECTED} and not outcome.failed:
        outcome.failed = 1  # pytest itself broke, or leftovers made it unhappy
    if outcome.failed and not outcome.names:
        outcome.names = [leg.name]
    return outcome


def count(report: Path) -> Outcome:
    """Read pytest's report."""
    outcome = Outcome()
    if not report.is_file():
        return outcome
    for case in ElementTree.parse(report).iter("testcase"):
        if case.find("failure") is not None or case.find("error") is not None:
            outcome.failed += 1
            outcome.names.append(f"{case.get('classname')}::{case.get('name')}")
        elif case.find("skipped") is not None:
            outcome.skipped += 1
        else:
            outcome.passed += 1
    return outcome


def main() -> int:
    """Run the legs and print the summary; 1 when anything failed."""
    wanted = sys.argv[1:]
    legs = [leg for leg in LEGS if not wanted or any(word in leg.name for word in wanted)]
    with tempfile.TemporaryDirectory() as folder:
        outcomes = [(leg, run(leg, Path(folder))) for leg in legs]
    print("\n=== summary ===")
    for leg, outcome in outcomes:
        line = f"{leg.name:36}{outcome.passed:6} passed{outcome.failed:5} failed"
        print(f"{line}{outcome.skipped:5} skipped{outcome.seconds:8.1f} s")
    for leg, outcome in outcomes:
        for name in outcome.names:
            print(f"FAILED in {leg.name}: {name}")
    passed = sum(outcome.passed for _, outcome in outcomes)
    failed = sum(outcome.failed for _, outcome in outcomes)
    seconds = sum(outcome.seconds for _, outcome in outcomes)
    print(f"{passed} passed, {failed} failed in {seconds:.0f} s")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
