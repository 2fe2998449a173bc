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


def test_a_worker_killed_while_tiling_leaves_nothing_half_made(
    stack_factory: Callable[[], Stack],
) -> None:
    stack = stack_factory()
    stack.start("web", "scheduler")
    script = Script.sign_in(stack)
    picture = encoded(Image.new("RGB", (9_000, 6_000), (225, 220, 228)), "JPEG")
    field = script.upload(script.new_slide("Large"), picture, "large.jpg")

    def told() -> dict[str, Any]:
        tiles: dict[str, Any] = script.get(f"/api/v1/fields/{field}/")["tiles"]
        return tiles

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
