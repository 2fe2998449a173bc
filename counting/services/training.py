"""Training runs: when one may start, what it learns from, and how it is stopped."""

from __future__ import annotations

import json
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.db import IntegrityError, transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_noop

from counting.errors import Conflict, Refused
from counting.models import (
    ACTIVE,
    JobState,
    ReferenceCount,
    Study,
    TrainingRun,
)
from counting.selectors.judging import GATE_TOLERANCE, MIN_HOLDOUT_FIELDS

from . import audit, jobs, registry

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet


@dataclass(frozen=True)
class LabelledSet:
    """The current reference counts of a study, as the trainer gets them, with their hash."""

    fields: list[dict[str, Any]]
    data_hash: str

    def of(self, split: str) -> list[dict[str, Any]]:
        """Return the fields of `train` or `holdout`."""
        return [field for field in self.fields if field["split"] == split]


def labelled_set(study: Study) -> LabelledSet:
    """Return what the study can learn from now.

    The hash covers pictures, counts, marks, split, counting rule and cell types: when it is the
    same, a new run would only repeat the last one.
    """
    references = _current(study).select_related("field__slide", "reading").order_by("field_id")
    fields = [_labelled(reference) for reference in references]
    core = {
        "rule": study.counting_rule,
        "cell_types": _codes(study),
        "fields": [
            {key: value for key, value in field.items() if key != "image"} for field in fields
        ],
    }
    text = json.dumps(core, sort_keys=True, separators=(",", ":"))
    return LabelledSet(fields, sha256(text.encode()).hexdigest())


def _labelled(reference: ReferenceCount) -> dict[str, Any]:
    field = reference.field
    # Two readers' marks of one field never fit a consensus count; one reader's marks do when
    # their number is the count, which the trainer checks type by type.
    return {
        "id": str(field.pk),
        "sha256": field.sha256,
        "image": field.image.path,
        "split": "holdout" if field.slide.held_out else "train",
        "group": field.slide.code,
        "counts": reference.counts,
        "marks": reference.reading.marks or None,
        "microns_per_pixel": field.slide.microns_per_pixel,
    }


def _codes(study: Study) -> list[str]:
    return list(study.cell_types.values_list("code", flat=True))


def manifest(run: TrainingRun) -> tuple[dict[str, Any], str]:
    """Return what the trainer is to learn from now, and its hash."""
    labelled = labelled_set(run.study)
    return {
        "cell_types": _codes(run.study),
        "counting_rule": run.study.counting_rule,
        "tolerance": GATE_TOLERANCE,
        "min_holdout_fields": MIN_HOLDOUT_FIELDS,
        "fields": labelled.fields,
    }, labelled.data_hash


def start_run(
    *, study: Study, trigger: str = TrainingRun.Trigger.MANUAL, requested_by: User | None = None
) -> TrainingRun:
    """Start a training run; it waits for the training worker, which reads the labels.

    Raises:
        Conflict: a run of this study waits or runs; `existing` is its id.
        Refused: there is nothing to learn from; the sentence says what to count.
    """
    counted = _current(study)
    number = counted.count()
    if not number:
        raise Refused(
            _("There is nothing to learn from yet. Count some fields and submit them first."),
            "no_labels",
        )
    if not _can_learn(study):
        raise Refused(
            _(
                "All counted fields lie on slides that are held out to judge models. "
                "Count fields of another slide first."
            ),
            "no_labels",
        )
    try:
        with transaction.atomic():
            run = TrainingRun.objects.create(
                study=study,
                trigger=trigger,
                requested_by=requested_by,
                reference_counts=number,
                champion=registry.champion(study),
                # English, like all that is kept: `retold` to each reader in their language.
                step=gettext_noop("Waiting for the training worker"),
            )
            audit.record(
                actor=requested_by,
                action="training.start",
                target=run,
                study_id=study.pk,
                new={"trigger": trigger, "fields": number},
            )
            transaction.on_commit(lambda: _ring(run.pk))
    except IntegrityError:
        active = study.training_runs.filter(state__in=ACTIVE).first()
        if active is None:
            raise
        raise Conflict(
            _("A training run of this study is under way already."), "running", active.pk
        ) from None
    return run


def cancel_run(*, run: TrainingRun, actor: User) -> TrainingRun:
    """Cancel a run: a waiting one now, a running one within a second or two.

    Raises:
        Refused: the run is over.
    """
    if not jobs.ask_to_cancel(run):
        raise Refused(_("This training run is over; there is nothing to cancel."), "over")
    audit.record(actor=actor, action="training.cancel", target=run, study_id=run.study_id)
    run.refresh_from_db()
    return run


def consider(study: Study) -> TrainingRun | None:
    """Start a run when enough reference counts are new.

    Somebody who submits a count waits for this: it counts rows, and reads no labels.
    """
    if study.retrain_after is None:
        return None
    if new_since_last_run(study) < study.retrain_after:
        return None
    if _is_under_way(study) or not _can_learn(study):
        return None
    return _start(study, TrainingRun.Trigger.THRESHOLD)


def consider_after(run: TrainingRun) -> TrainingRun | None:
    """Do that when a run ends, unless the next one would only repeat it; here nobody waits."""
    new, enough = new_since_last_run(run.study), run.study.retrain_after
    if enough is None or new < enough or labelled_set(run.study).data_hash == run.data_hash:
        return None
    return consider(run.study)


def consider_after_commit(study: Study) -> None:
    """Do that once the new reference count is safe; trouble here never loses a reading."""
    transaction.on_commit(lambda: consider(study), robust=True)


def consider_on_schedule() -> int:
    """Start a run in each study whose labels changed since its last one; return how many."""
    started = (
        _start_if_changed(study, TrainingRun.Trigger.SCHEDULE)
        for study in Study.objects.order_by("pk")
    )
    return sum(run is not None for run in started)


def new_since_last_run(study: Study) -> int:
    """Return the number of reference counts made since the last run began (cancelled ones too).

    It reads the labels as it starts; what came in while it waited is not new to it.
    """
    current = _current(study)
    last = study.training_runs.order_by("-pk").first()
    if last is not None:
        current = current.filter(created_at__gt=last.started_at or last.created_at)
    return current.count()


def _start_if_changed(study: Study, trigger: TrainingRun.Trigger) -> TrainingRun | None:
    if _is_under_way(study):
        # Looked at again when it ends; until then all labels would be read for nothing.
        return None
    labelled = labelled_set(study)
    last = study.training_runs.exclude(state=JobState.CANCELLED).order_by("-pk").first()
    if not labelled.of("train") or (last and last.data_hash == labelled.data_hash):
        return None
    return _start(study, trigger)


def _start(study: Study, trigger: TrainingRun.Trigger) -> TrainingRun | None:
    try:
        return start_run(study=study, trigger=trigger)
    except (Conflict, Refused):
        # One began this very moment; what is new now counts for the next.
        return None


def _is_under_way(study: Study) -> bool:
    return study.training_runs.filter(state__in=ACTIVE).exists()


def _current(study: Study) -> QuerySet[ReferenceCount]:
    return ReferenceCount.objects.filter(field__study=study, superseded_at__isnull=True)


def _can_learn(study: Study) -> bool:
    return _current(study).filter(field__slide__held_out=False).exists()


def _ring(run_id: int) -> None:
    from counting import tasks

    jobs.ring(tasks.train, run_id, TrainingRun)
