"""Workers say that they are alive, in the database: it answers also when the broker does not."""

from __future__ import annotations

import logging
import secrets
import threading
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import close_old_connections, connection
from django.utils import timezone
from django.utils.translation import gettext as _

from counting.models import ImportJob, JobState, PredictionJob, TileJob, TrainingRun, Worker

if TYPE_CHECKING:
    from datetime import datetime

    from django.db.models import QuerySet

    from counting.models import JobRow

log = logging.getLogger(__name__)

JOB_TABLES: tuple[type[JobRow], ...] = (PredictionJob, TileJob, ImportJob, TrainingRun)
# Deaths in a row of the workers that try a job, without progress in between, until it fails.
MAX_ATTEMPTS = 3

# Tokens of the jobs that this process works on, from their claim to the end of its task.
held: set[str] = set()
_session = ""


def current_session() -> str:
    """Return this process's own random name; jobs claimed by it carry it."""
    global _session
    if not _session:
        _session = secrets.token_hex(8)
    return _session


def start_heartbeat(role: str, name: str) -> threading.Event:
    """Register this process as worker `name` and beat from a thread until the event is set.

    Jobs that an earlier process of the same name held when it died are waiting again at once,
    without the sweeper's patience.
    """
    _register(role, name)
    stop = threading.Event()
    thread = threading.Thread(target=_beat_until, args=(stop, role, name), daemon=True)
    thread.start()
    return stop


def _register(role: str, name: str) -> None:
    now = timezone.now()
    before = Worker.objects.filter(name=name).first()
    Worker.objects.update_or_create(
        name=name,
        defaults={
            "role": role,
            "session": current_session(),
            "started_at": now,
            "seen_at": now,
        },
    )
    if before is None or before.session == current_session():
        return
    for table in JOB_TABLES:
        freed = free(table._default_manager.filter(worker_session=before.session), now)
        if freed:
            log.warning("%s: %d jobs of the process before are waiting again", name, freed)


def free(jobs: QuerySet[JobRow], now: datetime) -> int:
    """Let the running ones of `jobs`, whose worker is gone, wait again; return how many do.

    Those that were tried often enough fail instead: they are what kills the worker.
    """
    lost = jobs.filter(state=JobState.RUNNING)
    lost.filter(attempts__gte=MAX_ATTEMPTS).update(
        state=JobState.FAILED,
        finished_at=now,
        error=_("The worker died each of the %(tries)d times it tried this.")
        % {"tries": MAX_ATTEMPTS},
    )
    return lost.update(state=JobState.WAITING, token="", next_try_at=now, rung_at=None)


def _beat_until(stop: threading.Event, role: str, name: str) -> None:
    while not stop.wait(settings.HEARTBEAT_SECONDS):
        try:
            close_old_connections()
            beat(role, name)
        except Exception:
            # The database may be away for a moment; the next beat tries again.
            log.warning("%s: no heartbeat, the database does not answer", name, exc_info=True)
    connection.close()


def beat(role: str, name: str) -> None:
    """Say once that this process and the jobs it holds are alive."""
    now = timezone.now()
    if not Worker.objects.filter(name=name, session=current_session()).update(seen_at=now):
        _register(role, name)
    for table in JOB_TABLES:
        # A job whose task broke off is held by nobody, so that the sweep finds it.
        # A copy, since tasks claim in another thread.
        table._default_manager.filter(state=JobState.RUNNING, token__in=held.copy()).update(
            heartbeat=now
        )


def retire(name: str) -> None:
    """Take a worker off the list when it stops in good order."""
    Worker.objects.filter(name=name, session=current_session()).delete()
