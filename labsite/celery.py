"""The Celery app, and what its processes do when they come up and go down."""

from __future__ import annotations

import atexit
import os
from importlib import import_module
from typing import Any

from celery import Celery, signals

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "labsite.settings.embedded")

app = Celery("hematally")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()


@signals.worker_ready.connect
def worker_is_ready(sender: Any, **_: object) -> None:
    """Show in the database that this worker lives, and tell the supervisor."""
    come_up(role_of(set(sender.app.amqp.queues.consume_from)), sender.hostname)


@signals.beat_init.connect
def scheduler_is_ready(**_: object) -> None:
    """The same for the scheduler, which is no worker and has no name of its own."""
    come_up("scheduler", f"scheduler@{os.uname().nodename}")


@signals.task_postrun.connect
def task_is_over(**_: object) -> None:
    """Hold no job any more, however the task ended: the solo pool works on one task at a time."""
    import_module("counting.services.workers").held.clear()


def role_of(queues: set[str]) -> str:
    """Name a worker after what it does: who trains is the training worker, and so on."""
    return next((role for role in ("training", "inference") if role in queues), "exchange")


def come_up(role: str, name: str) -> None:
    """Start the thread that writes this process's heartbeat row, then report to the supervisor."""
    workers = import_module("counting.services.workers")
    beating = workers.start_heartbeat(role, name)

    def leave() -> None:
        # A worker that stops in good order is not missing: take it off the list.
        beating.set()
        workers.retire(name)

    atexit.register(leave)
    report_ready()


def report_ready() -> None:
    """Write one line to the pipe the supervisor waits on (READY_FD), when there is one."""
    number = os.environ.pop("READY_FD", "")
    if number:
        with os.fdopen(int(number), "w") as pipe:
            pipe.write("ready\n")
