"""A worker that dies while it cuts a large picture into tiles: another one makes them whole."""

from __future__ import annotations

import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from PIL import Image

from tests.counting.pictures import encoded
from tests.scripts import Script
from tests.stack import Stack
from tests.waiting import wait_until

pytestmark = pytest.mark.stack


def upload_large(stack: Stack) -> Callable[[], dict[str, Any]]:
    """Upload a large picture to a stack without workers; return what asks after its tiles."""
    stack.start("web", "scheduler")
    script = Script.sign_in(stack)
    picture = encoded(Image.new("RGB", (9_000, 6_000), (225, 220, 228)), "JPEG")
    field = script.upload(script.new_slide("Large"), picture, "large.jpg")

    def told() -> dict[str, Any]:
        tiles: dict[str, Any] = script.get(f"/api/v1/fields/{field}/")["tiles"]
        return tiles

    return told


def test_a_worker_killed_while_tiling_leaves_nothing_half_made(
    stack_factory: Callable[[], Stack],
) -> None:
    stack = stack_factory()
    told = upload_large(stack)
    assert told()["state"] == "waiting"
    stack.start("inference")
    wait_until(lambda: told()["progress"] > 0, 90, "the first tiles")
    stack.kill("inference")
    assert told()["state"] == "running"
    folder = stack.data_dir / "media" / "tiles"
    (left,) = folder.iterdir()
    assert left.suffix == ".part"

    stack.start("inference")
    wait_until(lambda: told()["state"] == "succeeded", 90, "the tiles of the second worker")
    (whole,) = folder.iterdir()
    assert whole.name == left.name.split(".")[0]
    row = told()
    last = whole / str(row["last_level"])
    assert len(list(last.iterdir())) == 18 * 12

    request = urllib.request.Request(f"{stack.url}{row['url']}{row['first_level']}/0_0.jpg")
    with urllib.request.urlopen(request, timeout=30) as answer:
        assert "/accounts/login/" in answer.url  # pages ask for a session


def test_a_picture_that_kills_its_worker_each_time_is_given_up(
    stack_factory: Callable[[], Stack],
) -> None:
    stack = stack_factory()
    told = upload_large(stack)
    # Started again at once each time, as the supervisor does.
    for _ in range(3):
        stack.start("inference")
        wait_until(lambda: told()["state"] == "running", 90, "the worker to try")
        stack.kill("inference")
    stack.start("inference")
    wait_until(lambda: told()["state"] == "failed", 90, "the job to be given up")
    assert "died each of the 3 times" in told()["error"]
