"""Real workers that die at the worst moment: no picture is left without its prediction."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tests.counting.pictures import smear_file
from tests.scripts import Script
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.stack

FIELDS = 20


def test_a_worker_killed_while_predicting_loses_nothing(
    stack_factory: Callable[[], Stack],
) -> None:
    stack = stack_factory()
    stack.start("web", "scheduler")
    script = Script.sign_in(stack)
    slide = script.new_slide("Recovery")
    ids = [script.upload(slide, smear_file(seed), f"{seed}.png") for seed in range(FIELDS)]
    assert script.states(slide) == {"waiting": FIELDS}

    stack.start("inference")
    wait_until(lambda: script.states(slide).get("predicted", 0) > 0, 90, "a first prediction")
    stack.kill("inference")
    before = script.states(slide).get("predicted", 0)

    stack.start("inference")
    wait_until(
        lambda: script.states(slide) == {"predicted": FIELDS},
        90,
        f"all {FIELDS} predictions after {before} before the kill",
    )
    for field_id in ids:
        assert script.get(f"/api/v1/fields/{field_id}/")["prediction"]["counts"]["RBC"]


def test_pictures_wait_with_a_sentence_when_no_worker_runs(
    stack_factory: Callable[[], Stack],
) -> None:
    stack = stack_factory()
    stack.start("web")
    script = Script.sign_in(stack)
    health = script.get("/api/v1/status/")
    assert not health["ok"]
    assert "No inference worker is answering" in health["message"]
    assert health["database"]["ok"]
    assert health["broker"]["ok"]
    slide = script.new_slide("Alone")
    script.upload(slide, smear_file(1), "one.png")
    assert script.states(slide) == {"waiting": 1}

    stack.start("inference", "training", "scheduler")
    wait_until(lambda: script.states(slide) == {"predicted": 1}, 60, "the prediction")
    wait_until(lambda: script.get("/api/v1/status/")["ok"], 30, "all to be well")

    stack.kill("inference")
    wait_until(
        lambda: "inference" in script.get("/api/v1/status/")["message"], 30, "the missing worker"
    )
