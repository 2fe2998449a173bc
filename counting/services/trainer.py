"""Carry out one training run: the trainer is a process of its own, watched from here.

Its own process means that it can be cancelled at any moment, that its memory goes back to the
machine when it ends, and that it can be niced below the predictions.
"""

from __future__ import annotations

import contextlib
import ctypes
import json
import logging
import os
import selectors
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import InterfaceError, OperationalError, close_old_connections, transaction
from django.utils.translation import gettext as _

from counting.errors import Conflict
from counting.models import JobState, TrainingRun

from . import audit, jobs, registry, training

log = logging.getLogger(__name__)

NICENESS = 10
POLL_SECONDS = 0.5
GRACE_SECONDS = 10.0
MAX_LOG = 200_000
BAD_INPUT = 2
PR_SET_PDEATHSIG = 1


def run_training(run_id: int) -> None:
    """Train, judge and register; go on from the last checkpoint when a worker died before."""
    run = jobs.claim(TrainingRun, run_id)
    if run is None:
        return
    if run.cancel_requested:
        jobs.cancelled(run, step=_("Cancelled"))
        return
    work = Path(settings.TRAINING_ROOT) / str(run.pk)
    try:
        result = _train(run, work)
        if result is not None:
            _conclude(run, work / "bundle", result)
    except TrainerError as error:
        jobs.fail(run, str(error), step=_("Failed"))
    except (OperationalError, InterfaceError):
        # The database went away for a moment. The checkpoint stays, whether it is back or not.
        log.exception("Training run %s lost the database", run.pk)
        close_old_connections()
        jobs.retry_later(run, _("The database did not answer while this run was under way."))
    except Exception as error:
        log.exception("Training run %s failed", run.pk)
        message = _("The run broke off: %(error)s") % {"error": error}
        jobs.fail(run, message, step=_("Failed"))
    run.refresh_from_db()
    if run.finished_at is not None:
        shutil.rmtree(work, ignore_errors=True)
        if run.state != JobState.CANCELLED:
            # Enough may have been counted while it ran; nobody may submit for a while.
            training.consider_after(run)


class TrainerError(Exception):
    """The trainer ended badly; the message is a sentence."""


def _train(run: TrainingRun, work: Path) -> dict[str, Any] | None:
    """Run the trainer; None when the run was cancelled or taken away."""
    work.mkdir(parents=True, exist_ok=True)
    manifest = work / "manifest.json"
    if not manifest.exists():
        content, data_hash = training.manifest(run)
        half = manifest.with_suffix(".half")
        half.write_text(json.dumps(content))
        half.rename(manifest)
        # Counts that came in while the run waited are learned too.
        jobs.advance(run, data_hash=data_hash, reference_counts=len(content["fields"]))
        run.data_hash = data_hash
    lines: list[str] = [run.log] if run.log else []
    result: dict[str, Any] | None = None
    message = ""
    with _trainer(registry.folder(run.champion), manifest, work) as process:
        for event in _events(process):
            run.refresh_from_db(fields=["cancel_requested", "token", "state"])
            if run.cancel_requested:
                _stop(process)
                jobs.cancelled(run, step=_("Cancelled"))
                return None
            changes: dict[str, Any] = {}
            match event.get("event"):
                case "progress":
                    changes = {"progress": float(event["progress"]), "step": _step(event)}
                    if changes["progress"] > run.progress:
                        # Beyond where this attempt found it; what is done again does not count.
                        changes["attempts"] = 1
                case "log":
                    lines.append(str(event["message"]))
                    changes = {"log": "\n".join(lines)[-MAX_LOG:]}
                case "result":
                    result = event
                case "error":
                    message = str(event["message"])
            if not jobs.advance(run, **changes):
                _stop(process)
                return None
        code = process.wait()
    if code == 0 and result is not None:
        return result
    raise TrainerError(_reason(code, message, work / "stderr.log"))


def _step(event: dict[str, Any]) -> str:
    step = str(event.get("step", ""))
    if event.get("eta_s"):
        left = round(float(event["eta_s"]))
        return _("%(step)s, about %(seconds)d s left") % {"step": step, "seconds": left}
    return step


def _reason(code: int, message: str, errors: Path) -> str:
    if message:
        return message
    if code == -signal.SIGKILL:
        return _("The trainer was killed, most likely because memory ran out. Close programs.")
    last = errors.read_text(errors="replace").strip().splitlines()[-1:] if errors.exists() else []
    return _("The trainer ended with status %(code)d. %(last)s") % {
        "code": code,
        "last": " ".join(last),
    }


@contextlib.contextmanager
def _trainer(bundle: Path, manifest: Path, work: Path) -> Iterator[subprocess.Popen[bytes]]:
    threads = str(settings.TRAINING_THREADS)
    command = [sys.executable, "-m", "ml", "finetune"]
    command += ["--bundle", str(bundle), "--manifest", str(manifest), "--out", str(work)]
    command += ["--threads", threads]
    with (work / "stderr.log").open("ab") as errors:
        process = subprocess.Popen(
            command,
            cwd=settings.BASE_DIR,
            env={**os.environ, "OMP_NUM_THREADS": threads, "MKL_NUM_THREADS": threads},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=errors,
            preexec_fn=_behave,
        )
        try:
            yield process
        finally:
            _stop(process)


def _behave() -> None:
    """In the child: give way to predictions, and die with the worker, however it dies."""
    os.nice(NICENESS)
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)


def _stop(process: subprocess.Popen[bytes]) -> None:
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(GRACE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
    if process.stdout is not None:
        process.stdout.close()


def _events(process: subprocess.Popen[bytes]) -> Iterator[dict[str, Any]]:
    """Yield the trainer's events, and an empty one at least each half second."""
    assert process.stdout is not None
    buffer = b""
    beat = time.monotonic()
    with selectors.DefaultSelector() as watched:
        watched.register(process.stdout, selectors.EVENT_READ)
        while True:
            if watched.select(POLL_SECONDS):
                chunk = os.read(process.stdout.fileno(), 65536)
                if not chunk:
                    return
                *whole, buffer = (buffer + chunk).split(b"\n")
                for line in whole:
                    event = _parse(line)
                    if event is not None:
                        beat = time.monotonic()
                        yield event
            if time.monotonic() - beat >= POLL_SECONDS:
                beat = time.monotonic()
                yield {}


def _parse(line: bytes) -> dict[str, Any] | None:
    try:
        event = json.loads(line)
    except ValueError:
        return {"event": "log", "message": line.decode(errors="replace")} if line.strip() else None
    return event if isinstance(event, dict) else None


def _conclude(run: TrainingRun, bundle: Path, result: dict[str, Any]) -> None:
    """Register the candidate, write the verdict, and let a better one go live.

    Nothing of it when the run was taken away, or cancelled after the trainer's last word.
    """
    verdict = result["verdict"]
    text = str(verdict["text"])
    metrics = {key: result.get(key) for key in ("champion", "candidate", "fields")}
    with transaction.atomic():
        row = jobs.locked(run)
        if row is None:
            return
        if row.cancel_requested:
            jobs.cancelled(run, step=_("Cancelled"))
            return
        candidate = registry.add_candidate(
            parent=run.champion, bundle=bundle, data_hash=run.data_hash, metrics=metrics
        )
        promoted = bool(verdict["promote"])
        if promoted:
            try:
                registry.promote(version=candidate, actor=None, instead_of=run.champion)
            except Conflict as error:
                promoted, text = False, f"{text} {error.message}"
        jobs.succeed(
            run,
            step=_("Done"),
            verdict=text,
            metrics=metrics,
            candidate=candidate,
            promoted=promoted,
        )
        audit.record(
            actor=None,
            action="training.verdict",
            target=run,
            study_id=run.study_id,
            new={"candidate": candidate.name, "promoted": promoted, "verdict": text},
        )
