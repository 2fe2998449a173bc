"""Ask for predictions and make them. Only the worker's part imports torch."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from counting.models import (
    CountMap,
    Field,
    JobState,
    ModelVersion,
    Prediction,
    PredictionJob,
    Reading,
    ReferenceCount,
    Study,
)

from . import jobs, registry

if TYPE_CHECKING:
    from ml.predict import FieldPrediction, Predictor

log = logging.getLogger(__name__)

BATCH = 8


def request(*, fields: Sequence[Field], version: ModelVersion | None = None) -> int:
    """Ask for the prediction of `fields` (all of one study) by `version`, else by the champion.

    A job that failed before waits again; fields that have their prediction are left alone.
    Returns the number of jobs that wait now. The bell rings when the transaction commits.
    """
    if not fields:
        return 0
    if version is None:
        version = registry.champion(fields[0].study)
    ids = [field.pk for field in fields]
    done = set(
        Prediction.objects.filter(field__in=ids, model_version=version).values_list(
            "field_id", flat=True
        )
    )
    todo = [pk for pk in ids if pk not in done]
    PredictionJob.objects.bulk_create(
        [PredictionJob(field_id=pk, model_version=version) for pk in todo], ignore_conflicts=True
    )
    rows = PredictionJob.objects.filter(field__in=todo, model_version=version)
    rows.exclude(state__in=(JobState.WAITING, JobState.RUNNING)).update(
        state=JobState.WAITING,
        attempts=0,
        error="",
        rung_at=None,
        next_try_at=timezone.now(),
        finished_at=None,
    )
    first = rows.filter(state=JobState.WAITING).order_by("pk").first()
    if first is not None:
        first_id = first.pk
        transaction.on_commit(lambda: _ring(first_id))
    return len(todo)


@transaction.atomic
def renew(*, fields: Sequence[Field]) -> None:
    """Predict `fields` (of one study, without submitted readings) anew, as if for the first time.

    For what changed how the model sees them: no version's prediction of before may come back.
    """
    ids = [field.pk for field in fields]
    # The jobs first: a worker that writes at this moment ends before, one that still predicts
    # finds its job gone and throws its work away.
    PredictionJob.objects.filter(field__in=ids).delete()
    # A draft says with its next save what its reader sees then.
    drafts = Reading.objects.filter(field__in=ids, state=Reading.State.DRAFT)
    drafts.update(shown_prediction=None)
    Prediction.objects.filter(field__in=ids).delete()
    request(fields=fields)


def request_for_uncounted(*, study: Study, version: ModelVersion) -> int:
    """Ask for the prediction by `version` of each field that has no reference count."""
    # Jobs for the model before would only be thrown away.
    PredictionJob.objects.filter(field__study=study, state=JobState.WAITING).exclude(
        model_version=version
    ).update(state=JobState.CANCELLED, finished_at=timezone.now())
    counted = ReferenceCount.objects.filter(field__study=study, superseded_at__isnull=True).values(
        "field"
    )
    return request(fields=list(study.fields.exclude(pk__in=counted)), version=version)


def _ring(job_id: int) -> None:
    from counting import tasks

    jobs.ring(tasks.predict, job_id, PredictionJob)


def run_waiting(first_id: int) -> int:
    """Predict the job `first_id` and up to seven more that wait for the same model version.

    Rings again while more wait. Returns how many predictions were written. A picture that
    cannot be predicted fails alone: after an error the batch is tried one by one.
    """
    batch = _claim_batch(first_id)
    written = 0
    if batch:
        try:
            written = _predict(batch)
        except Exception:
            log.exception("A batch of %d predictions failed; trying them one by one", len(batch))
            written = sum(_predict_alone(job) for job in batch)
    more = (
        PredictionJob.objects.filter(state=JobState.WAITING, next_try_at__lte=timezone.now())
        .order_by("pk")
        .first()
    )
    if more is not None:
        _ring(more.pk)
    return written


def _claim_batch(first_id: int) -> list[PredictionJob]:
    first = jobs.claim(PredictionJob, first_id)
    if first is None:
        # The bell of a job that is done or taken is as good as any: go on with what waits.
        waiting = PredictionJob.objects.filter(
            state=JobState.WAITING, next_try_at__lte=timezone.now()
        ).order_by("pk")
        for job_id in waiting.values_list("pk", flat=True)[:BATCH]:
            first = jobs.claim(PredictionJob, job_id)
            if first is not None:
                break
        else:
            return []
    assert first is not None
    batch = [first]
    others = (
        PredictionJob.objects.filter(
            state=JobState.WAITING,
            next_try_at__lte=timezone.now(),
            model_version=first.model_version_id,
            # A job that failed before might take the batch down again: it goes alone.
            attempts=0,
        )
        .order_by("pk")
        .values_list("pk", flat=True)[: BATCH - 1]
    )
    if first.attempts == 1:
        for job_id in list(others):
            job = jobs.claim(PredictionJob, job_id)
            if job is not None:
                batch.append(job)
    return batch


def _predict_alone(job: PredictionJob) -> int:
    try:
        return _predict([job])
    except FileNotFoundError:
        jobs.fail(job, _("The stored picture is gone. Upload it again."))
    except Exception as error:
        log.exception("Field %s cannot be predicted", job.field_id)
        jobs.retry_later(job, _("The model failed on this picture: %(error)s") % {"error": error})
    return 0


def _predict(batch: Sequence[PredictionJob]) -> int:
    version = ModelVersion.objects.get(pk=batch[0].model_version_id)
    predictor = _predictor(version.sha256)
    fields = Field.objects.select_related("slide").in_bulk([job.field_id for job in batch])
    there = [job for job in batch if job.field_id in fields]
    results = predictor.predict(
        [Path(fields[job.field_id].image.path) for job in there],
        microns_per_pixel=[fields[job.field_id].slide.microns_per_pixel for job in there],
    )
    return sum(_write(job, result) for job, result in zip(there, results, strict=True))


@transaction.atomic
def _write(job: PredictionJob, result: FieldPrediction) -> bool:
    if not jobs.succeed(job):
        return False
    plain = result.to_dict()
    prediction, made = Prediction.objects.get_or_create(
        field_id=job.field_id,
        model_version_id=job.model_version_id,
        defaults={
            "counts": plain["counts"],
            "marks": plain["marks"],
            "novelty": plain["novelty"],
            "novel": plain["novel"],
            "faults": plain["faults"],
        },
    )
    if made:
        # Here, since it brings numpy, which the web process does without.
        from . import count_maps

        png, joined = count_maps.to_png(result.count_map, list(result.counts))
        CountMap.objects.create(prediction=prediction, png=png, step=result.map_step * joined)
    return True


@lru_cache(maxsize=2)
def _predictor(sha256: str) -> Predictor:
    from ml.predict import Predictor

    return Predictor(Path(settings.REGISTRY_ROOT) / sha256, threads=settings.INFERENCE_THREADS)
