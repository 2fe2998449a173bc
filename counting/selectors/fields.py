"""Reads of fields: their state, and the prediction and counts that a person may see."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Count, Exists, OuterRef, Q

from counting.models import (
    Field,
    JobState,
    ModelVersion,
    Prediction,
    PredictionJob,
    Reading,
    ReferenceCount,
    Study,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True)
class FieldView:
    """One field as one person may see it.

    `state` is waiting, predicting, predicted, failed or counted. `prediction` is None while there
    is none by the champion, and for a blind field until this person has submitted a reading.
    """

    field: Field
    state: str
    error: str
    prediction: Prediction | None
    hidden: bool
    reference: ReferenceCount | None
    my_reading: Reading | None


def view_fields(fields: Sequence[Field], user: User) -> list[FieldView]:
    """Return the views of `fields` (of one study) for `user`, in six queries for any number."""
    if not fields:
        return []
    ids = [field.pk for field in fields]
    study_id = fields[0].study_id
    references = {
        row.field_id: row
        for row in ReferenceCount.objects.filter(field__in=ids, superseded_at__isnull=True)
        .select_related("reading__reader", "second_reading__reader")
        .all()
    }
    champion = ModelVersion.objects.filter(
        study=study_id, state=ModelVersion.State.CHAMPION
    ).first()
    by_champion: dict[int, Prediction] = {}
    newest: dict[int, Prediction] = {}
    for row in (
        Prediction.objects.filter(field__in=ids).select_related("model_version").order_by("pk")
    ):
        newest[row.field_id] = row
        if champion is not None and row.model_version_id == champion.pk:
            by_champion[row.field_id] = row
    jobs = {
        row.field_id: row
        for row in PredictionJob.objects.filter(field__in=ids, model_version=champion)
    }
    mine: dict[int, Reading] = {}
    submitted: set[int] = set()
    for reading in Reading.objects.filter(field__in=ids, reader=user).order_by("revision"):
        mine[reading.field_id] = reading
        if reading.state == Reading.State.SUBMITTED:
            submitted.add(reading.field_id)
    views = []
    for field in fields:
        reference = references.get(field.pk)
        # A counted field keeps the prediction its readers saw; the others show the champion's
        # or none, never the number of a model that is no longer in use.
        prediction = by_champion.get(field.pk) or (newest.get(field.pk) if reference else None)
        hidden = field.blind and field.pk not in submitted
        job = jobs.get(field.pk)
        views.append(
            FieldView(
                field=field,
                state=_state(reference, prediction, job),
                error=job.error if job is not None and job.state == JobState.FAILED else "",
                prediction=None if hidden else prediction,
                hidden=hidden and prediction is not None,
                reference=reference,
                my_reading=mine.get(field.pk),
            )
        )
    return views


def view_field(field: Field, user: User) -> FieldView:
    """Return the view of one field for `user`."""
    return view_fields([field], user)[0]


def _state(
    reference: ReferenceCount | None, prediction: Prediction | None, job: PredictionJob | None
) -> str:
    if reference is not None:
        return "counted"
    if prediction is not None:
        return "predicted"
    if job is not None and job.state == JobState.RUNNING:
        return "predicting"
    if job is not None and job.state == JobState.FAILED:
        return "failed"
    return "waiting"


def to_count(study: Study, user: User) -> Iterable[int]:
    """Return the ids of the fields that `user` may count next, in slide order.

    Fields that have their reference count, enough readings, or a reading by `user` are done.
    """
    return (
        Field.objects.filter(study=study)
        .exclude(
            Exists(ReferenceCount.objects.filter(field=OuterRef("pk"), superseded_at__isnull=True))
        )
        .exclude(
            Exists(
                Reading.objects.filter(
                    field=OuterRef("pk"), reader=user, state=Reading.State.SUBMITTED
                )
            )
        )
        .annotate(
            readers=Count(
                "readings__reader",
                filter=Q(readings__state=Reading.State.SUBMITTED),
                distinct=True,
            )
        )
        .filter(readers__lt=study.readers_per_field)
        .order_by("slide_id", "pk")
        .values_list("pk", flat=True)
    )


@dataclass(frozen=True)
class NextField:
    """The field to count next, and how many wait for this reader."""

    field_id: int | None
    remaining: int


def next_field(study: Study, user: User, after: int | None = None) -> NextField:
    """Return the next field in slide order, going round after the last one."""
    waiting = list(to_count(study, user))
    if not waiting:
        return NextField(None, 0)
    if after is None:
        return NextField(waiting[0], len(waiting))
    order = list(
        Field.objects.filter(study=study).order_by("slide_id", "pk").values_list("pk", flat=True)
    )
    place = order.index(after) if after in order else -1
    left = set(waiting)
    for field_id in order[place + 1 :] + order[: place + 1]:
        if field_id in left and field_id != after:
            return NextField(field_id, len(waiting))
    return NextField(None, 0)
