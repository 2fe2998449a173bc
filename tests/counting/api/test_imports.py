"""A zip of pictures: each file is added, named as a duplicate or refused; the rest goes on."""

from __future__ import annotations

import io
import zipfile
from collections.abc import Callable

import pytest
from django.test import Client

from counting.models import Field, ImportJob, JobState, Slide
from counting.services import imports
from tests.counting.conftest import upload
from tests.counting.pictures import SVG, png_bomb, smear_file, truncated

pytestmark = pytest.mark.django_db


def packed(files: dict[str, bytes], method: int = zipfile.ZIP_STORED) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", method) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return buffer.getvalue()


def send(client: Client, slide: Slide, data: bytes) -> tuple[int, dict]:
    answer = client.post(
        f"/api/v1/slides/{slide.pk}/imports/", {"archive": upload(data, "fields.zip")}
    )
    return answer.status_code, answer.json()


@pytest.fixture
def work() -> Callable[[], None]:
    def until_done() -> None:
        while (job := ImportJob.objects.filter(state=JobState.WAITING).first()) is not None:
            imports.run_import(job.pk)

    return until_done


def test_each_file_of_an_archive_gets_its_outcome(
    bob: Client, slide: Slide, field: Field, work: Callable[[], None]
) -> None:
    files = {
        "smear/new.png": smear_file(2),
        "smear/same.png": smear_file(1),
        "smear/again.tiff": smear_file(2, "TIFF"),
        "broken.jpg": truncated(),
        "picture.jpg": SVG,
        "bomb.png": png_bomb(),
        "notes.txt": b"not a picture",
        "__MACOSX/smear/._new.png": b"rubbish",
        **{f"more/{seed}.png": smear_file(seed) for seed in range(10, 18)},
    }
    status, body = send(bob, slide, packed(files))
    assert (status, body["state"], body["total"]) == (202, "waiting", 15)

    work()
    done = bob.get(f"/api/v1/imports/{body['id']}/").json()
    assert (done["state"], done["progress"], done["done"]) == ("succeeded", 1.0, 15)
    outcomes = {row["name"]: row["outcome"] for row in done["results"]}
    assert outcomes["new.png"] == "added"
    assert (outcomes["same.png"], outcomes["again.tiff"]) == ("duplicate", "duplicate")
    for name in ("broken.jpg", "picture.jpg", "bomb.png", "notes.txt"):
        assert outcomes[name] == "refused"
    assert all(row["message"] for row in done["results"] if row["outcome"] == "refused")
    assert Field.objects.count() == 10
    same = next(row for row in done["results"] if row["name"] == "same.png")
    assert same["field"] == field.pk
    # The archive itself is not kept.
    assert not ImportJob.objects.get().archive


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "not a zip"),
        (b"PK\x03\x04 but then nothing", "not a zip"),
        (packed({}), "empty"),
        (packed({"x.png": b"\0" * 50_000_000}, zipfile.ZIP_DEFLATED), "more than is taken"),
    ],
)
def test_a_bad_archive_is_refused(bob: Client, slide: Slide, data: bytes, words: str) -> None:
    status, body = send(bob, slide, data)
    assert (status, words in body["detail"]) == (400, True), body
    assert not ImportJob.objects.exists()
    assert send(bob, slide, packed({"x.png": smear_file(1)}))[0] == 202


def test_an_archive_of_too_many_files_is_refused(bob: Client, slide: Slide, settings) -> None:
    settings.MAX_ARCHIVE_FILES = 2
    status, body = send(bob, slide, packed({f"{n}.png": b"x" for n in range(3)}))
    assert (status, "at most 2" in body["detail"]) == (400, True)
    assert send(bob, slide, packed({f"{n}.png": b"x" for n in range(2)}))[0] == 202


def test_an_archive_over_the_limit_is_refused_before_it_is_kept(
    bob: Client, slide: Slide, settings
) -> None:
    picture = packed({"1.png": smear_file(1)})
    settings.MAX_ARCHIVE_BYTES = len(picture)
    # It unpacks to little: only the file itself is too large.
    status, body = send(bob, slide, b"\0" * 100 + picture)
    assert (status, "Split it" in body["detail"], "larger than" in body["detail"]) == (
        400,
        True,
        True,
    )
    assert not ImportJob.objects.exists()
    assert send(bob, slide, picture)[0] == 202


def test_a_cancelled_import_keeps_what_came_in(bob: Client, slide: Slide) -> None:
    files = {f"{seed}.png": smear_file(seed) for seed in range(imports.SLICE + 3)}
    _, body = send(bob, slide, packed(files))
    imports.run_import(body["id"])
    answer = bob.post(f"/api/v1/imports/{body['id']}/cancel/")
    assert answer.json()["state"] == "cancelled"
    imports.run_import(body["id"])
    assert Field.objects.count() == imports.SLICE
    again = bob.post(f"/api/v1/imports/{body['id']}/cancel/")
    assert (again.status_code, "over" in again.json()["detail"]) == (400, True)


def test_an_import_goes_on_where_a_dead_worker_stopped(
    bob: Client, slide: Slide, work: Callable[[], None]
) -> None:
    files = {f"{seed}.png": smear_file(seed) for seed in range(4)}
    _, body = send(bob, slide, packed(files))
    job = ImportJob.objects.get()
    # A worker took two files in, noted one, and died.
    for seed in range(2):
        bob.post("/api/v1/fields/", {"slide": slide.pk, "image": upload(smear_file(seed))})
    ImportJob.objects.filter(pk=job.pk).update(
        done=1, results=[{"name": "0.png", "outcome": "added", "field": 1, "message": ""}]
    )
    work()
    done = bob.get(f"/api/v1/imports/{body['id']}/").json()
    assert [row["outcome"] for row in done["results"]] == ["added", "duplicate", "added", "added"]
    assert Field.objects.count() == 4
