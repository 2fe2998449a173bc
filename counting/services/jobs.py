"""The life of a job row: claimed, kept alive, ended; rung again by the sweeper when it waits.

The database is the truth and the broker only a bell: every step is a conditional UPDATE that
looks at its row count, so that a task may be delivered twice, late or never without harm.
"""

from __future__ import annotations

import logging
import secrets
from datetime import timedelta
from typing import Any, TypeVar

from celery import Task
from django.conf import settings
from django.db.models import F, Q
from django.db.models.functions import Coalesce
from django.utils import timezone

from counting.models import ImportJob, JobRow, JobState, PredictionJob, TileJob, TrainingRun

from .workers import MAX_ATTEMPTS, current_session, free, held

log = logging.getLogger(__name__)

J = TypeVar("J", bound=JobRow)

RETRY_AFTER = (timedelta(seconds=5), timedelta(seconds=30))
# A job that waits longer than this since its bell is rung again.
RING_AGAIN_AFTER = timedelta(seconds=20)


def claim(table: type[J], job_id: int) -> J | None:
    """Take the job if it is waiting and due; None when somebody else has it or it is over."""
    now = timezone.now()
    token = secrets.token_hex(8)
    taken = table._default_manager.filter(
        pk=job_id, state=JobState.WAITING, next_try_at__lte=now
    ).update(
        state=JobState.RUNNING,
        token=token,
        worker_session=current_session(),
        heartbeat=now,
        # Of the first try: one that goes on after it works with what that one read.
        started_at=Coalesce("started_at", now),
        attempts=F("attempts") + 1,
        error="",
    )
    if not taken:
        return None
    held.add(token)
    return table._default_manager.filter(pk=job_id, token=token).first()


def advance(job: JobRow, **changes: Any) -> bool:
    """Write progress; False when the job is no longer ours (taken away or cancelled).

    A job that goes on from here after its worker's death writes `attempts=1` too: only deaths
    without progress in between tell that the job is what kills, not evenings and power cuts.
    """
    return bool(_ours(job).update(heartbeat=timezone.now(), **changes))


def locked(job: J) -> J | None:
    """Return the row as it is now, locked until the transaction ends; None when no longer ours.

    For an end that is more than one UPDATE: nobody can cancel or take the job away meanwhile.
    """
    row: J | None = _ours(job).select_for_update().first()
    return row


def succeed(job: JobRow, **changes: Any) -> bool:
    """End the job well; False when it is no longer ours, and the work must be thrown away."""
    return bool(
        _ours(job).update(
            state=JobState.SUCCEEDED, progress=1.0, finished_at=timezone.now(), **changes
        )
    )


def fail(job: JobRow, message: str, **changes: Any) -> bool:
    """End the job badly, for good; `message` is a sentence for its owner."""
    return bool(
        _ours(job).update(
            state=JobState.FAILED, error=message, finished_at=timezone.now(), **changes
        )
    )


def retry_later(job: JobRow, message: str) -> bool:
    """Put the job back to wait for its next try, or fail it when it had enough of them."""
    # As the row has it: a job that advanced meanwhile began to count anew.
    attempts = _ours(job).values_list("attempts", flat=True).first()
    if attempts is None:
        return False
    if attempts >= MAX_ATTEMPTS:
        return fail(job, message)
    pause = RETRY_AFTER[min(attempts, len(RETRY_AFTER)) - 1]
    return bool(
        _ours(job).update(
            state=JobState.WAITING,
            token="",
            error=message,
            next_try_at=timezone.now() + pause,
            rung_at=None,
        )
    )


def give_back(job: JobRow, **changes: Any) -> bool:
    """Let the job wait again at once, for its next slice of work; not counted as a try."""
    return bool(
        _ours(job).update(
            state=JobState.WAITING,
            token="",
            attempts=F("attempts") - 1,
            next_try_at=timezone.now(),
            **changes,
        )
    )


def cancelled(job: JobRow, **changes: Any) -> bool:
    """End the job because its owner said so."""
    return bool(_ours(job).update(state=JobState.CANCELLED, finished_at=timezone.now(), **changes))


def ask_to_cancel(job: JobRow) -> bool:
    """Cancel a waiting job now, a running one at its next step; False when it is over."""
    now = timezone.now()
    rows = type(job)._default_manager.filter(pk=job.pk)
    if rows.filter(state=JobState.WAITING).update(
        state=JobState.CANCELLED, cancel_requested=True, finished_at=now
    ):
        return True
    return bool(rows.filter(state=JobState.RUNNING).update(cancel_requested=True))


def _ours(job: JobRow) -> Any:
    return type(job)._default_manager.filter(pk=job.pk, token=job.token, state=JobState.RUNNING)


def ring(task: Task[Any, Any], job_id: int, table: type[JobRow]) -> bool:
    """Send the message for a job; False when the broker is away (the sweeper rings later)."""
    try:
        task.apply_async(args=(job_id,), retry=False)
    except Exception:
        log.warning("The broker does not answer; job %s will be rung again", job_id, exc_info=True)
        return False
    table._default_manager.filter(pk=job_id).update(rung_at=timezone.now())
    return True


def sweep() -> dict[str, int]:
    """Free the jobs of dead workers, ring for those that wait too long, drop what is not kept.

    Returns how many were freed and rung for. Prediction jobs are rung for once, since one
    message makes the worker go through all that wait.
    """
    from counting import tasks

    from . import imports

    now = timezone.now()
    stale = now - timedelta(seconds=settings.WORKER_STALE_SECONDS)
    bells: tuple[tuple[type[JobRow], Task[Any, Any], int], ...] = (
        (PredictionJob, tasks.predict, 1),
        (TileJob, tasks.make_tiles, 100),
        (ImportJob, tasks.import_archive, 100),
        (TrainingRun, tasks.train, 100),
    )
    freed = rung = 0
    for table, task, most in bells:
        freed += free(table._default_manager.filter(heartbeat__lt=stale), now)
        due = table._default_manager.filter(state=JobState.WAITING, next_try_at__lte=now)
        overdue = due.filter(Q(rung_at__isnull=True) | Q(rung_at__lt=now - RING_AGAIN_AFTER))
        for job_id in overdue.order_by("rung_at", "pk").values_list("pk", flat=True)[:most]:
            rung += ring(task, job_id, table)
    imports.drop_archives()
    return {"freed": freed, "rung": rung}
