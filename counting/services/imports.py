"""Unpack uploaded zip archives into fields, a few files at a time."""

from __future__ import annotations

import logging
import secrets
import stat
import zipfile
from io import SEEK_END
from typing import TYPE_CHECKING, Any, BinaryIO

from django.conf import settings
from django.core.files import File
from django.db import transaction
from django.template.defaultfilters import filesizeformat
from django.utils.translation import gettext as _

from counting.errors import Conflict, Refused
from counting.models import ACTIVE, ImportJob, Slide

from . import audit, intake, jobs

if TYPE_CHECKING:
    from django.contrib.auth.models import User

log = logging.getLogger(__name__)

# Files done before the worker looks at other work (predictions) again.
SLICE = 10
# A picture shrinks little in a zip; something that grows a hundredfold is a bomb.
MAX_RATIO = 100
IGNORED = ("__MACOSX/", ".DS_Store", "Thumbs.db", "desktop.ini")


def start_import(*, slide: Slide, archive: BinaryIO, name: str, actor: User) -> ImportJob:
    """Keep the archive and ask a worker to unpack it.

    Raises:
        Refused: it is not a zip, or holds too much; the sentence names the limit.
    """
    if archive.seek(0, SEEK_END) > settings.MAX_ARCHIVE_BYTES:
        raise Refused(
            _("This archive is larger than %(most)s. Split it.")
            % {"most": filesizeformat(settings.MAX_ARCHIVE_BYTES)},
            "archive",
        )
    entries = _entries(archive)
    archive.seek(0)
    job = ImportJob(
        slide=slide, name=intake.clean_name(name), requested_by=actor, total=len(entries)
    )
    job.archive.save(f"{secrets.token_hex(16)}.zip", File(archive), save=False)
    try:
        with transaction.atomic():
            job.save()
            audit.record(
                actor=actor,
                action="import.start",
                target=job,
                study_id=slide.study_id,
                new={"slide": slide.code, "files": job.total},
            )
            transaction.on_commit(lambda: _ring(job.pk))
    except BaseException:
        job.archive.delete(save=False)
        raise
    return job


def cancel_import(*, job: ImportJob, actor: User) -> ImportJob:
    """Stop an import; what came in stays.

    Raises:
        Refused: it is over.
    """
    if not jobs.ask_to_cancel(job):
        raise Refused(_("This import is over; there is nothing to cancel."), "over")
    audit.record(actor=actor, action="import.cancel", target=job, study_id=job.slide.study_id)
    transaction.on_commit(lambda: drop_archives(pk=job.pk))
    job.refresh_from_db()
    return job


def run_import(job_id: int) -> None:
    """Take in the next few files of an archive, then ring for the rest."""
    job = jobs.claim(ImportJob, job_id)
    if job is None:
        return
    try:
        _take_in_next(job)
    except Refused as error:
        jobs.fail(job, error.message)
    except Exception as error:
        log.exception("Import %s broke off", job.pk)
        jobs.retry_later(job, _("The import broke off: %(error)s") % {"error": error})
    drop_archives(pk=job.pk)


def drop_archives(**among: Any) -> None:
    """Delete the archives of the imports that are over, `among` these or all.

    They hold the pictures as they came, with metadata and names. What cannot be deleted now is
    tried again by the next sweep.
    """
    over = ImportJob.objects.filter(**among).exclude(state__in=ACTIVE).exclude(archive="")
    for job in over:
        try:
            delete_archive(job)
        except OSError:
            log.warning("The archive of import %s cannot be deleted", job.pk, exc_info=True)
        else:
            ImportJob.objects.filter(pk=job.pk).update(archive="")


def delete_archive(job: ImportJob) -> None:
    """Delete the file of an import that is over or gone."""
    if job.archive:
        job.archive.delete(save=False)


def _take_in_next(job: ImportJob) -> None:
    """Take in a slice of the files, then end the job or ring for the rest.

    Raises:
        Refused: the stored archive is gone or cannot be read any more.
    """
    if job.cancel_requested:
        jobs.cancelled(job)
        return
    try:
        archive = job.archive.open("rb")
    except FileNotFoundError:
        raise Refused(_("The archive is gone. Upload it again."), "archive") from None
    with archive:
        entries = _entries(archive)
        results: list[dict[str, Any]] = list(job.results)
        with zipfile.ZipFile(archive) as packed:
            for entry in entries[job.done : job.done + SLICE]:
                results.append(_take_in(job, packed, entry))
                if not jobs.advance(
                    job,
                    results=results,
                    done=len(results),
                    progress=len(results) / len(entries),
                    attempts=1,
                ):
                    return
                job.refresh_from_db(fields=["cancel_requested"])
                if job.cancel_requested:
                    jobs.cancelled(job)
                    return
    if len(results) < len(entries):
        jobs.give_back(job)
        _ring(job.pk)
    else:
        jobs.succeed(job)


def _take_in(job: ImportJob, packed: zipfile.ZipFile, entry: zipfile.ZipInfo) -> dict[str, Any]:
    result: dict[str, Any] = {"name": intake.clean_name(entry.filename), "field": None}
    try:
        field = intake.add_field(
            slide=job.slide,
            data=_unpack(packed, entry),
            name=entry.filename,
            actor=job.requested_by,
        )
    except Conflict as error:
        return {
            **result,
            "outcome": "duplicate",
            "field": error.existing,
            "message": error.message,
        }
    except Refused as error:
        return {**result, "outcome": "refused", "message": error.message}
    warning = intake.name_warning(entry.filename)
    return {**result, "outcome": "added", "field": field.pk, "message": warning}


def _unpack(packed: zipfile.ZipFile, entry: zipfile.ZipInfo) -> bytes:
    try:
        with packed.open(entry) as file:
            # Never more than allowed, whatever the archive says of itself.
            return file.read(settings.MAX_UPLOAD_BYTES + 1)
    except Exception:  # Broken deflate streams and wrong checksums raise many things.
        raise Refused(_("This file is damaged inside the archive."), "broken") from None


def _entries(archive: BinaryIO | File[bytes]) -> list[zipfile.ZipInfo]:
    try:
        with zipfile.ZipFile(archive) as packed:
            found = [entry for entry in packed.infolist() if _is_file(entry)]
    except Exception:  # zipfile raises many things on files that only look like one.
        raise Refused(
            _("This is not a zip archive that can be read. Pack the pictures again."), "archive"
        ) from None
    if not found:
        raise Refused(_("This archive is empty."), "archive")
    if any(entry.flag_bits & 0x1 for entry in found):
        raise Refused(_("This archive has a password. Pack it without one."), "archive")
    if len(found) > settings.MAX_ARCHIVE_FILES:
        raise Refused(
            _("This archive holds %(n)d files; at most %(most)d are taken at once. Split it.")
            % {"n": len(found), "most": settings.MAX_ARCHIVE_FILES},
            "archive",
        )
    size = sum(entry.file_size for entry in found)
    packed_size = sum(entry.compress_size for entry in found)
    if size > settings.MAX_ARCHIVE_BYTES or size > MAX_RATIO * max(packed_size, 10_000):
        raise Refused(_("This archive unpacks to more than is taken at once. Split it."), "archive")
    return found


def _is_file(entry: zipfile.ZipInfo) -> bool:
    if entry.is_dir() or any(part in entry.filename for part in IGNORED):
        return False
    mode = entry.external_attr >> 16
    return not mode or stat.S_ISREG(mode) or not stat.S_IFMT(mode)


def _ring(job_id: int) -> None:
    from counting import tasks

    jobs.ring(tasks.import_archive, job_id, ImportJob)
