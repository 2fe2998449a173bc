"""Imports whose worker dies, whose disk fills up, whose archive is gone: each ends in words."""

from __future__ import annotations

import io
import shutil
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.db.models.signals import post_save
from django.test import Client
from django.utils import timezone

from counting.models import Field, ImportJob, JobState, Slide, Worker
from counting.services import imports, jobs, workers
from tests.counting.conftest import People
from tests.counting.pictures import smear_file

pytestmark = pytest.mark.django_db

FILES = 5

AtField = Callable[[int, Callable[[], object]], None]


class Killed(BaseException):
    """What a task never catches, like the end of its process."""


@pytest.fixture
def job(slide: Slide, people: People) -> ImportJob:
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as packed:
        for seed in range(FILES):
            packed.writestr(f"{seed}.png", smear_file(seed))
    return imports.start_import(slide=slide, archive=archive, name="a.zip", actor=people.bob)


@pytest.fixture
def at_field() -> Iterator[AtField]:
    """Return a function that has something happen while the n-th field from now is taken in."""
    left = 0
    happen: Callable[[], object] = kill

    def arrange(number: int, what: Callable[[], object]) -> None:
        nonlocal left, happen
        left, happen = number, what

    def taken_in(**_: object) -> None:
        nonlocal left
        left -= 1
        if left == 0:
            happen()

    post_save.connect(taken_in, sender=Field)
    yield arrange
    post_save.disconnect(taken_in, sender=Field)


def kill() -> None:
    raise Killed


def restart(job: ImportJob) -> None:
    """Do what a worker does that finds its earlier self was killed."""
    ImportJob.objects.filter(state=JobState.RUNNING).update(worker_session="before")
    Worker.objects.filter(name="inference@here").update(session="before")
    workers.beat("inference", "inference@here")
    job.refresh_from_db()


@pytest.mark.parametrize(("dies_at", "state"), [(2, JobState.WAITING), (1, JobState.FAILED)])
def test_only_deaths_without_a_file_in_between_fail_an_import(
    job: ImportJob,
    at_field: AtField,
    dies_at: int,
    state: str,
) -> None:
    workers.beat("inference", "inference@here")
    for _ in range(jobs.MAX_ATTEMPTS):
        at_field(dies_at, kill)
        with pytest.raises(Killed):
            imports.run_import(job.pk)
        restart(job)
    assert (job.state, job.done) == (state, jobs.MAX_ATTEMPTS * (dies_at - 1))
    imports.run_import(job.pk)
    job.refresh_from_db()
    assert job.state == (JobState.SUCCEEDED if state == JobState.WAITING else state)


def seen(client: Client, job: ImportJob) -> tuple[str, str]:
    body = client.get(f"/api/v1/imports/{job.pk}/").json()
    return body["state"], body["error"]


@pytest.mark.parametrize(
    ("left", "sentence"),
    [(None, "The archive is gone. Upload it again."), (b"PK", "This is not a zip archive that")],
)
def test_an_archive_that_cannot_be_read_any_more_fails_its_import(
    bob: Client, job: ImportJob, left: bytes | None, sentence: str
) -> None:
    stored = Path(job.archive.path)
    stored.unlink()
    if left is not None:
        stored.write_bytes(left)
    imports.run_import(job.pk)
    state, error = seen(bob, job)
    assert (state, error.startswith(sentence)) == ("failed", True), error


def test_an_import_that_finds_no_room_tries_again_later(bob: Client, job: ImportJob) -> None:
    # Where the pictures go there is something else.
    taken = Path(settings.MEDIA_ROOT) / "fields"
    taken.touch()
    imports.run_import(job.pk)
    state, error = seen(bob, job)
    assert (state, error.startswith("The import broke off: ")) == ("waiting", True), error

    taken.unlink()
    ImportJob.objects.filter(pk=job.pk).update(next_try_at=timezone.now())
    imports.run_import(job.pk)
    assert seen(bob, job) == ("succeeded", "")


def test_an_import_ends_after_the_file_during_which_it_is_cancelled(
    bob: Client, job: ImportJob, at_field: AtField
) -> None:
    at_field(2, lambda: bob.post(f"/api/v1/imports/{job.pk}/cancel/"))
    imports.run_import(job.pk)
    assert seen(bob, job) == ("cancelled", "")
    assert Field.objects.count() == 2


def cancel_before(job: ImportJob, people: People, at_field: AtField) -> None:
    imports.cancel_import(job=job, actor=people.bob)


def cancel_during(job: ImportJob, people: People, at_field: AtField) -> None:
    at_field(2, lambda: imports.cancel_import(job=job, actor=people.bob))
    imports.run_import(job.pk)


def damage(job: ImportJob, people: People, at_field: AtField) -> None:
    Path(job.archive.path).write_bytes(b"PK")
    imports.run_import(job.pk)


def die_each_time(job: ImportJob, people: People, at_field: AtField) -> None:
    workers.beat("inference", "inference@here")
    for _ in range(jobs.MAX_ATTEMPTS):
        jobs.sweep()
        assert Path(job.archive.path).exists()
        at_field(1, kill)
        with pytest.raises(Killed):
            imports.run_import(job.pk)
        restart(job)
    jobs.sweep()


def delete_the_slide(job: ImportJob, people: People, at_field: AtField) -> None:
    job.slide.delete()


@pytest.mark.parametrize(
    "end", [cancel_before, cancel_during, damage, die_each_time, delete_the_slide]
)
def test_no_archive_outlives_its_import(
    job: ImportJob,
    people: People,
    at_field: AtField,
    django_capture_on_commit_callbacks: Any,
    end: Callable[[ImportJob, People, AtField], None],
) -> None:
    stored = Path(job.archive.path)
    assert stored.exists()
    with django_capture_on_commit_callbacks(execute=True):
        end(job, people, at_field)
    assert not stored.exists()
    assert not ImportJob.objects.exclude(archive="").exists()


def test_an_archive_that_could_not_be_deleted_goes_later(job: ImportJob, people: People) -> None:
    imports.cancel_import(job=job, actor=people.bob)
    # A folder in its place is what the system refuses to delete like a file.
    stored = Path(job.archive.path)
    stored.unlink()
    (stored / "within").mkdir(parents=True)
    jobs.sweep()
    assert ImportJob.objects.exclude(archive="").exists()
    shutil.rmtree(stored)
    stored.touch()
    jobs.sweep()
    assert not stored.exists()
    assert not ImportJob.objects.exclude(archive="").exists()
