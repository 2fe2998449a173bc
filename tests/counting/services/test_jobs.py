"""Job rows: taken once, kept alive, freed when their worker dies, rung again when they wait."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from unittest.mock import patch

import pytest
from celery import shared_task
from django.utils import timezone

from counting.models import Field, JobState, Prediction, PredictionJob, Worker
from counting.services import jobs, predictions, workers

pytestmark = pytest.mark.django_db


@pytest.fixture
def job(field: Field) -> PredictionJob:
    return PredictionJob.objects.get()


def test_a_job_is_taken_by_one_worker_only(job: PredictionJob) -> None:
    first = jobs.claim(PredictionJob, job.pk)
    assert first is not None
    assert jobs.claim(PredictionJob, job.pk) is None
    assert jobs.succeed(first)
    assert jobs.claim(PredictionJob, job.pk) is None


def test_work_of_a_job_that_was_taken_away_is_thrown_away(job: PredictionJob) -> None:
    lost = jobs.claim(PredictionJob, job.pk)
    assert lost is not None
    PredictionJob.objects.filter(pk=job.pk).update(heartbeat=timezone.now() - timedelta(minutes=5))
    assert jobs.sweep()["freed"] == 1
    taken = jobs.claim(PredictionJob, job.pk)
    assert taken is not None
    assert not jobs.advance(lost, progress=0.5)
    assert not jobs.succeed(lost)
    assert jobs.succeed(taken)


def test_a_job_that_waits_is_rung_for_again(job: PredictionJob) -> None:
    assert jobs.sweep()["rung"] == 1
    # The bell has just been rung.
    assert jobs.sweep()["rung"] == 0
    PredictionJob.objects.update(rung_at=timezone.now() - timedelta(minutes=1))
    assert jobs.sweep()["rung"] == 1


def fall_silent() -> None:
    """The worker is killed, and nobody starts it again."""
    PredictionJob.objects.update(heartbeat=timezone.now() - timedelta(minutes=5))
    jobs.sweep()


def come_back() -> None:
    """The worker is killed, and the supervisor starts it again at once."""
    PredictionJob.objects.filter(state=JobState.RUNNING).update(worker_session="before")
    now = timezone.now()
    Worker.objects.update_or_create(
        name="inference@here",
        defaults={"role": "inference", "session": "before", "started_at": now, "seen_at": now},
    )
    workers.beat("inference", "inference@here")


@pytest.mark.parametrize("die", [fall_silent, come_back])
def test_a_job_that_kills_its_worker_each_time_fails_in_the_end(
    job: PredictionJob, die: Callable[[], None]
) -> None:
    for attempt in range(1, jobs.MAX_ATTEMPTS + 1):
        assert jobs.claim(PredictionJob, job.pk) is not None
        die()
        job.refresh_from_db()
        last = attempt == jobs.MAX_ATTEMPTS
        assert (job.state, job.attempts) == (
            JobState.FAILED if last else JobState.WAITING,
            attempt,
        )
    assert "died each of the 3 times" in job.error
    assert jobs.claim(PredictionJob, job.pk) is None


def test_a_broker_that_is_away_loses_nothing(job: PredictionJob) -> None:
    from counting import tasks

    with patch.object(tasks.predict, "apply_async", side_effect=ConnectionError("no broker")):
        assert jobs.sweep()["rung"] == 0
    assert jobs.sweep()["rung"] == 1


def test_a_restarted_worker_frees_the_jobs_of_its_earlier_self(job: PredictionJob) -> None:
    assert jobs.claim(PredictionJob, job.pk) is not None
    come_back()
    job.refresh_from_db()
    assert job.state == JobState.WAITING
    assert Worker.objects.get().session == workers.current_session()


def test_a_heartbeat_keeps_the_jobs_of_its_worker(job: PredictionJob) -> None:
    assert jobs.claim(PredictionJob, job.pk) is not None
    workers.beat("inference", "inference@here")
    old = timezone.now() - timedelta(minutes=5)
    PredictionJob.objects.update(heartbeat=old)
    workers.beat("inference", "inference@here")
    assert jobs.sweep()["freed"] == 0


@shared_task
def work(job_id: int, broken: bool) -> None:
    """Take a job; then break off in a way that no service foresaw, or look whether it is kept."""
    jobs.claim(PredictionJob, job_id)
    if broken:
        raise RuntimeError
    beat_late()


def beat_late() -> None:
    PredictionJob.objects.update(heartbeat=timezone.now() - timedelta(minutes=5))
    workers.beat("inference", "inference@here")


@pytest.mark.parametrize(("broken", "freed"), [(False, 0), (True, 1)])
def test_a_job_whose_task_broke_off_is_kept_alive_no_more(
    job: PredictionJob, broken: bool, freed: int
) -> None:
    work.apply((job.pk, broken))
    if broken:
        beat_late()
    assert jobs.sweep()["freed"] == freed


def test_a_picture_that_is_gone_fails_alone(job: PredictionJob, field: Field) -> None:
    field.image.delete(save=False)
    predictions.run_waiting(job.pk)
    job.refresh_from_db()
    assert (job.state, "Upload it again" in job.error) == (JobState.FAILED, True)
    assert not Prediction.objects.exists()
