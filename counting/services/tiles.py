"""Make the tiles of large pictures in the background (see counting/pyramid.py for their layout).

The folder of a field's tiles appears under its name in one step when all of them are there: what is
half made lies in a folder of its own, which the next attempt, or the end of this one, removes.
"""

from __future__ import annotations

import logging
import shutil
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from counting import pyramid
from counting.errors import Refused
from counting.models import ACTIVE, Field, JobState, TileJob
from ml import pictures

from . import audit, jobs

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = logging.getLogger(__name__)


def request(*, field: Field) -> TileJob | None:
    """Ask for the tiles of a new field if its picture is large; the bell rings on commit."""
    if field.width * field.height <= settings.TILES_ABOVE_PIXELS:
        return None
    job = TileJob.objects.create(field=field)
    transaction.on_commit(lambda: _ring(job.pk))
    return job


@transaction.atomic
def ask_again(*, field: Field, actor: User) -> TileJob:
    """Ask for tiles that failed, were cancelled or are gone; those that are there stay.

    Raises:
        Refused: the picture is shown whole.
    """
    job = TileJob.objects.filter(field=field).first() or request(field=field)
    if job is None:
        raise Refused(_("This picture is small enough to be shown whole; it needs no tiles."))
    there = job.state == JobState.SUCCEEDED and field.tiles_folder.is_dir()
    if there or job.state in ACTIVE:
        return job
    TileJob.objects.filter(pk=job.pk).exclude(state__in=ACTIVE).update(
        state=JobState.WAITING,
        attempts=0,
        progress=0.0,
        error="",
        cancel_requested=False,
        rung_at=None,
        next_try_at=timezone.now(),
        finished_at=None,
    )
    audit.record(actor=actor, action="tiles.request", target=job, study_id=field.study_id)
    transaction.on_commit(lambda: _ring(job.pk))
    job.refresh_from_db()
    return job


def cancel(*, field: Field, actor: User) -> TileJob:
    """Stop making a field's tiles; its picture is shown whole.

    Raises:
        Refused: no tiles are being made.
    """
    job = TileJob.objects.filter(field=field).first()
    if job is None or not jobs.ask_to_cancel(job):
        raise Refused(
            _("No tiles of this field are being made; there is nothing to cancel."), "over"
        )
    audit.record(actor=actor, action="tiles.cancel", target=job, study_id=field.study_id)
    job.refresh_from_db()
    return job


def run(job_id: int) -> None:
    """Make the tiles of one field. A second time, or beside another worker, it does no harm."""
    job = jobs.claim(TileJob, job_id)
    if job is None:
        return
    try:
        whole = job.field.tiles_folder.is_dir() or _make(job)
    except FileNotFoundError:
        jobs.fail(job, _("The stored picture is gone. Upload it again."))
    except Exception as error:
        log.exception("The tiles of field %s cannot be made", job.field_id)
        jobs.retry_later(job, _("The tiles could not be made: %(error)s") % {"error": error})
    else:
        if whole:
            jobs.succeed(job)
    if not Field.objects.filter(pk=job.field_id).exists():
        # Deleted meanwhile: whoever did it could not see these tiles yet.
        remove(job.field)


def remove(field: Field) -> None:
    """Delete the tiles of a field that is gone, whole or half made."""
    for folder in (field.tiles_folder, *_parts(field.tiles_folder)):
        shutil.rmtree(folder, ignore_errors=True)


def _make(job: TileJob) -> bool:
    """Cut the tiles; False when the job was cancelled or taken away."""
    folder = job.field.tiles_folder
    for left in _parts(folder):
        shutil.rmtree(left, ignore_errors=True)
    part = folder.with_name(f"{folder.name}.{job.token}.part")
    path = Path(job.field.image.path)
    try:
        with closing(pyramid.cut(pictures.read(path).image, part)) as work:
            for share in work:
                if not jobs.advance(job, progress=share):
                    return False
                job.refresh_from_db(fields=["cancel_requested"])
                if job.cancel_requested:
                    jobs.cancelled(job)
                    return False
        part.rename(folder)
    finally:
        shutil.rmtree(part, ignore_errors=True)
    return True


def _parts(folder: Path) -> list[Path]:
    return list(folder.parent.glob(f"{folder.name}.*.part"))


def _ring(job_id: int) -> None:
    from counting import tasks

    jobs.ring(tasks.make_tiles, job_id, TileJob)
