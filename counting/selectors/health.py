"""Is everything there that counting needs? Database, broker and workers."""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import DatabaseError, connection
from django.utils import timezone
from django.utils.translation import gettext as _

from counting.models import Worker

log = logging.getLogger(__name__)

FORGET_AFTER = timedelta(days=1)


@dataclass(frozen=True)
class WorkerHealth:
    """One worker, as its heartbeat row tells."""

    name: str
    role: str
    ok: bool
    seen_seconds_ago: float | None
    detail: str


@dataclass(frozen=True)
class Health:
    """The whole: `message` is empty when all is well, else says what is wrong and what to do."""

    ok: bool
    database: dict[str, Any]
    broker: dict[str, Any]
    workers: list[WorkerHealth]
    message: str

    def to_dict(self) -> dict[str, Any]:
        """Return it JSON-ready."""
        return asdict(self)


def check() -> Health:
    """Look at each part once; takes about a second at most when one is away."""
    database = _database()
    if not database["ok"]:
        message = _("The database does not answer. Nothing can be saved until it does.")
        return Health(False, database, {"ok": False, "detail": ""}, [], message)
    broker = _broker()
    workers = _workers()
    answering = {worker.role for worker in workers if worker.ok}
    message = ""
    if not broker["ok"]:
        message = _(
            "The message broker does not answer. Pictures and counts are safe and wait in the "
            "database; start the broker again."
        )
    elif Worker.Role.INFERENCE not in answering:
        message = _(
            "No inference worker is answering. Pictures are safe and wait in line; you can count "
            "without predictions. To start it, run “make run” on the server."
        )
    elif Worker.Role.TRAINING not in answering:
        message = _(
            "No training worker is answering. Counting goes on; retraining waits until it is "
            "started with “make run” on the server."
        )
    elif Worker.Role.SCHEDULER not in answering:
        message = _(
            "The scheduler is not answering. Counting goes on; work that was lost is not taken up "
            "again until it is started with “make run” on the server."
        )
    return Health(not message, database, broker, workers, message)


def _database() -> dict[str, Any]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
    except DatabaseError:
        log.exception("The database does not answer")
        return {"ok": False, "detail": _("does not answer")}
    return {"ok": True, "detail": connection.vendor}


def _broker() -> dict[str, Any]:
    from labsite.celery import app

    try:
        with app.connection_for_write() as broker:
            broker.ensure_connection(max_retries=1, timeout=1)
            name = str(broker.transport.driver_name)
    except Exception:  # Each transport has errors of its own.
        log.warning("The broker does not answer", exc_info=True)
        return {"ok": False, "detail": _("does not answer")}
    return {"ok": True, "detail": _("files") if name == "filesystem" else name}


def _workers() -> list[WorkerHealth]:
    now = timezone.now()
    rows = Worker.objects.filter(seen_at__gt=now - FORGET_AFTER)
    found = []
    for row in rows:
        ago = (now - row.seen_at).total_seconds()
        alive = ago <= settings.WORKER_STALE_SECONDS
        detail = _("alive") if alive else _("does not answer")
        found.append(WorkerHealth(row.name, row.role, alive, round(ago, 1), detail))
    known = {worker.role for worker in found}
    for role in Worker.Role:
        if role not in known:
            found.append(WorkerHealth(role.value, role.value, False, None, _("not started")))
    return found
