"""Large pictures in tiles: made in the background, served like the picture, gone with the field."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from django.contrib.auth.models import User
from django.test import Client
from PIL import Image

from counting.models import AuditEntry, Field, JobState, Slide, TileJob
from counting.services import intake, jobs, tiles
from tests.counting.conftest import People, upload
from tests.counting.pictures import encoded

pytestmark = pytest.mark.django_db

# Not a multiple of a tile on either side.
WIDTH, HEIGHT = 3300, 2500


def picture() -> Image.Image:
    """Colors that tell the place: red from left to right, green from top to bottom."""
    red = np.tile(np.linspace(0, 255, WIDTH), (HEIGHT, 1))
    green = np.tile(np.linspace(0, 255, HEIGHT)[:, None], (1, WIDTH))
    pixels = np.stack([red, green, np.full_like(red, 90.0)], axis=-1)
    return Image.fromarray(pixels.astype(np.uint8))


@pytest.fixture(scope="module")
def large_file() -> bytes:
    return encoded(picture(), "PNG", compress_level=1)


@pytest.fixture
def large(bob: Client, slide: Slide, large_file: bytes) -> Field:
    """A large field that came in through the API; no worker has looked at it."""
    answer = bob.post(
        "/api/v1/fields/", {"slide": slide.pk, "image": upload(large_file, "large.png")}
    )
    assert answer.status_code == 201, answer.content
    return Field.objects.get(pk=answer.json()["id"])


def told(client: Client, field: Field) -> Any:
    return client.get(f"/api/v1/fields/{field.pk}/").json()["tiles"]


def make(field: Field) -> TileJob:
    """Do the worker's part."""
    tiles.run(field.tile_job.pk)
    return TileJob.objects.get(field=field)


def tile(client: Client, field: Field, level: int, column: int, row: int) -> Image.Image:
    answer = client.get(f"{told(client, field)['url']}{level}/{column}_{row}.jpg")
    assert (answer.status_code, answer["Content-Type"]) == (200, "image/jpeg")
    return Image.open(io.BytesIO(b"".join(answer.streaming_content)))  # type: ignore[attr-defined]


def test_tiles_lie_where_the_picture_has_them(bob: Client, large: Field) -> None:
    assert told(bob, large)["state"] == JobState.WAITING
    first = f"/fields/{large.pk}/tiles/12/0_0.jpg"
    assert bob.get(first).status_code == 404
    make(large)
    row = told(bob, large)
    assert (row["state"], row["progress"], row["error"]) == (JobState.SUCCEEDED, 1.0, "")
    assert (row["first_level"], row["last_level"]) == (9, 12)
    answer = bob.get(first)
    assert answer.status_code == 200
    assert "private" in answer["Cache-Control"]
    assert "Cookie" in answer["Vary"]

    size, overlap = row["size"], row["overlap"]
    whole = picture()
    for level in range(row["first_level"], row["last_level"] + 1):
        step = 2 ** (row["last_level"] - level)
        wide, high = -(-WIDTH // step), -(-HEIGHT // step)
        columns, rows = -(-wide // size), -(-high // size)
        for column, line in {(0, 0), (columns - 1, 0), (columns - 1, rows - 1)}:
            left, top = max(0, column * size - overlap), max(0, line * size - overlap)
            right = min(wide, (column + 1) * size + overlap)
            bottom = min(high, (line + 1) * size + overlap)
            found = tile(bob, large, level, column, line)
            assert found.size == (right - left, bottom - top)
            x, y = found.width // 2, found.height // 2
            there = whole.getpixel(((left + x) * step, (top + y) * step))
            assert np.abs(np.subtract(found.getpixel((x, y)), there)).max() <= 6
        beyond = bob.get(f"{row['url']}{level}/{columns}_0.jpg")
        assert beyond.status_code == 404


def test_a_small_picture_is_shown_whole(bob: Client, field: Field) -> None:
    assert told(bob, field) is None
    answer = bob.post(f"/api/v1/fields/{field.pk}/tiles/")
    assert (answer.status_code, "shown whole" in answer.json()["detail"]) == (400, True)


def test_strangers_get_no_tile(
    people: People, large: Field, client_of: Callable[[User | None], Client]
) -> None:
    make(large)
    address = f"/fields/{large.pk}/tiles/9/0_0.jpg"
    assert client_of(people.rita).get(address).status_code == 200
    assert client_of(people.charlie).get(address).status_code == 404
    assert client_of(None).get(address).status_code == 302


def test_a_cancelled_job_can_be_asked_for_again(bob: Client, people: People, large: Field) -> None:
    answer = bob.post(f"/api/v1/fields/{large.pk}/tiles/cancel/")
    assert (answer.status_code, answer.json()["tiles"]["state"]) == (200, JobState.CANCELLED)
    assert make(large).state == JobState.CANCELLED
    over = bob.post(f"/api/v1/fields/{large.pk}/tiles/cancel/")
    assert (over.status_code, "nothing to cancel" in over.json()["detail"]) == (400, True)

    answer = bob.post(f"/api/v1/fields/{large.pk}/tiles/")
    assert (answer.status_code, answer.json()["tiles"]["state"]) == (202, JobState.WAITING)
    assert make(large).state == JobState.SUCCEEDED
    actions = AuditEntry.objects.filter(action__startswith="tiles.", actor=people.bob)
    assert {entry.action for entry in actions} == {"tiles.cancel", "tiles.request"}


def test_a_running_job_stops_at_the_next_row(bob: Client, large: Field) -> None:
    TileJob.objects.filter(field=large).update(cancel_requested=True)
    assert make(large).state == JobState.CANCELLED
    assert not list(large.tiles_folder.parent.glob("*"))


def test_what_a_dead_worker_left_is_cleared_away(bob: Client, large: Field) -> None:
    lost = jobs.claim(TileJob, large.tile_job.pk)
    assert lost is not None
    left = large.tiles_folder.with_name(f"{large.tiles_folder.name}.{lost.token}.part")
    (left / "12").mkdir(parents=True)
    TileJob.objects.filter(pk=lost.pk).update(heartbeat="2020-01-01T00:00:00Z")
    assert jobs.sweep()["freed"] == 1
    assert make(large).state == JobState.SUCCEEDED
    assert [each.name for each in left.parent.iterdir()] == [large.tiles_folder.name]
    # The dead worker's word no longer counts.
    assert not jobs.succeed(lost)


def test_tiles_that_are_there_are_not_made_again(bob: Client, large: Field) -> None:
    make(large)
    before = (large.tiles_folder / "9" / "0_0.jpg").stat().st_mtime_ns
    TileJob.objects.filter(field=large).update(state=JobState.WAITING)
    assert make(large).state == JobState.SUCCEEDED
    assert (large.tiles_folder / "9" / "0_0.jpg").stat().st_mtime_ns == before


def test_a_picture_that_is_gone_says_so(bob: Client, large: Field) -> None:
    Path(large.image.path).unlink()
    assert make(large).state == JobState.FAILED
    assert "Upload it again" in told(bob, large)["error"]


def test_pictures_and_tiles_go_with_the_field(
    bob: Client, large: Field, django_capture_on_commit_callbacks: Any
) -> None:
    make(large)
    kept = [Path(large.image.path), Path(large.thumbnail.path), large.tiles_folder]
    assert all(path.exists() for path in kept)
    with django_capture_on_commit_callbacks() as callbacks:
        large.slide.delete()
    assert all(path.exists() for path in kept)  # a roll back would still need them
    for callback in callbacks:
        callback()
    assert not any(path.exists() for path in kept)


def test_a_picture_of_more_than_a_hundred_megapixels_is_refused(
    slide: Slide, people: People
) -> None:
    from counting.errors import Refused

    with pytest.raises(Refused, match="more than 100 million pixels"):
        intake.add_field(
            slide=slide,
            data=encoded(Image.new("1", (10_001, 10_000)), "PNG"),
            name="huge.png",
            actor=people.bob,
        )
