"""Celery tasks: thin doors to the services. Messages carry ids; the rows carry the truth."""

from __future__ import annotations

from celery import shared_task

from counting.services import imports, jobs, predictions, tiles, trainer, training


@shared_task
def predict(job_id: int) -> int:
    """Predict this job's field and a few more that wait; return how many were written."""
    return predictions.run_waiting(job_id)


@shared_task
def train(run_id: int) -> None:
    """Carry out a training run."""
    trainer.run_training(run_id)


@shared_task
def make_tiles(job_id: int) -> None:
    """Cut a large field's picture into tiles."""
    tiles.run(job_id)


@shared_task
def import_archive(job_id: int) -> None:
    """Take in the next files of an uploaded archive."""
    imports.run_import(job_id)


@shared_task
def sweep() -> dict[str, int]:
    """Ring again for jobs that wait too long or whose worker died."""
    return jobs.sweep()


@shared_task
def retrain_on_schedule() -> int:
    """Start a training run in each study whose labels changed."""
    return training.consider_on_schedule()
