"""A training run by the real training worker: better, judged, live; cancelled; killed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tests.counting.pictures import encoded, smear
from tests.scripts import Script
from tests.stack import Prepared, Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.stack

TRAIN, HOLDOUT = 12, 6
OVER = ("succeeded", "failed", "cancelled")


@pytest.fixture(scope="module")
def stack(prepared: Prepared) -> Iterator[Stack]:
    """The whole program, for one run after another: the sweeper lives in the inference worker."""
    with prepared.copy() as stack:
        stack.start()
        yield stack


@pytest.fixture
def script(stack: Stack) -> Iterator[Script]:
    """A study with counted fields of synthetic smears on a slide to learn from and one to judge.

    What a test that failed left running is cancelled, so that the next one finds the worker free.
    """
    script = Script.sign_in(stack)
    first = script.new_slide("Learn")
    second = script.new_slide("Judge")
    for slide, seeds in ((first, range(TRAIN)), (second, range(100, 100 + HOLDOUT))):
        for seed in seeds:
            made = smear(seed, red_cells=4 + seed % 9)
            field_id = script.upload(slide, encoded(made.image), f"{seed}.png")
            script.post(
                f"/api/v1/fields/{field_id}/readings/",
                {
                    "counts": made.counts,
                    "marks": [{"cell_type": code, "x": x, "y": y} for code, x, y in made.marks],
                    "method": "marks",
                    "submit": True,
                },
            )
    yield script
    for run in script.get(f"/api/v1/studies/{script.study}/training-runs/")["results"]:
        if run["state"] not in OVER:
            script.post(f"/api/v1/training-runs/{run['id']}/cancel/", {})


def run_of(script: Script, run_id: int) -> dict[str, Any]:
    return script.get(f"/api/v1/training-runs/{run_id}/")


def wait_over(script: Script, run_id: int, seconds: int = 300) -> dict[str, Any]:
    return wait_until(
        lambda: (run := run_of(script, run_id))["state"] in OVER and run,  # type: ignore[return-value]
        seconds,
        "the training run to be over",
    )


def test_a_run_ends_with_a_verdict_and_a_candidate(script: Script) -> None:
    run_id = script.post(f"/api/v1/studies/{script.study}/training-runs/", {})["id"]
    done = wait_over(script, run_id)
    assert done["state"] == "succeeded", done
    assert done["progress"] == 1.0
    assert done["verdict"]
    assert done["log"]
    assert done["metrics"]["fields"] == {"train": TRAIN, "holdout": HOLDOUT}
    rows = script.get(f"/api/v1/studies/{script.study}/models/")["results"]
    champion = next(row for row in rows if row["state"] == "champion")
    assert {row["number"] for row in rows} == {1, 2}
    assert champion["number"] == (2 if done["promoted"] else 1)


def test_a_run_is_cancelled_while_it_trains(script: Script) -> None:
    run_id = script.post(f"/api/v1/studies/{script.study}/training-runs/", {})["id"]
    wait_until(
        lambda: run_of(script, run_id)["state"] == "running" and run_of(script, run_id)["progress"],
        120,
        "the run to make progress",
    )
    script.post(f"/api/v1/training-runs/{run_id}/cancel/", {})
    done = wait_over(script, run_id, 30)
    assert done["state"] == "cancelled"
    assert done["candidate"] is None
    rows = script.get(f"/api/v1/studies/{script.study}/models/")["results"]
    assert [row["number"] for row in rows] == [1]


def test_a_run_goes_on_when_its_worker_was_killed(script: Script) -> None:
    run_id = script.post(f"/api/v1/studies/{script.study}/training-runs/", {})["id"]
    wait_until(lambda: run_of(script, run_id)["progress"] > 0, 120, "the run to make progress")
    script.stack.kill("training")
    script.stack.start("training")
    done = wait_over(script, run_id)
    assert done["state"] == "succeeded", done
