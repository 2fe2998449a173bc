"""Reads of fields: their state, and the prediction and counts that a person may see."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Max, Q
from django.utils import timezone

from counting.models import (
    Comment,
    Field,
    Flag,
    JobState,
    Lease,
    ModelVersion,
    Prediction,
    PredictionJob,
    Reading,
    Reason,
    ReferenceCount,
    TileJob,
)
from counting.retold import retold

from .review import rulers
from .standing import Standing, standing_beside

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet


@dataclass(frozen=True)
class FieldView:
    """One field as one person may see it.

    `state` is waiting, predicting, predicted, failed or counted. `prediction` is None while there
    is none by the champion, and for a blind field until this person has submitted a reading.
    `unread` holds for a blind field that this person has not submitted: `reference`, on which
    totals rest, must not be shown by itself then (see `shown_reference`).
    `reason` says why the queue gave this person the field; None when it did not. `flag` holds
    while the field counts as unreadable; `comments` is how many there are. `tiles` is None for a
    picture that is shown whole. `is_mine`: this person uploaded it. `my_submitted` is what they
    submitted last, which holds while `my_reading` is a draft of a correction. `ruled_by` is whose
    ruling the field has its count by, told to who has submitted theirs; empty where it is this
    person's own.
    """

    field: Field
    state: str
    error: str
    prediction: Prediction | None
    hidden: bool
    unread: bool
    reference: ReferenceCount | None
    my_reading: Reading | None
    reason: Reason | None
    flag: Flag | None
    comments: int
    tiles: TileJob | None
    is_mine: bool
    my_submitted: Reading | None
    ruled_by: str

    @property
    def my_standing(self) -> Standing | None:
        """How this person's newest counts stand; None while there are none."""
        if self.my_reading is None:
            return None
        return standing_beside(self.my_reading, self.my_submitted)

    @property
    def shown_reference(self) -> ReferenceCount | None:
        """The reference count as long as it cannot sway a blind count of this person's own."""
        return None if self.unread else self.reference


def view_fields(fields: Sequence[Field], user: User) -> list[FieldView]:
    """Return the views of `fields` (of one study) for `user`, in a dozen queries for any number."""
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
    # A counted field keeps the prediction its readers saw; the others show the champion's or none,
    # never the number of a model that is no longer in use. Each row brings its marks along: what is
    # not shown is not read.
    newest = Prediction.objects.filter(field__in=list(references)).order_by().values("field")
    shown = Q(model_version=champion) | Q(pk__in=newest.annotate(last=Max("pk")).values("last"))
    predictions: dict[int, Prediction] = {}
    for row in Prediction.objects.filter(shown, field__in=ids).select_related("model_version"):
        if row.model_version == champion or row.field_id not in predictions:
            predictions[row.field_id] = row
    jobs = {
        row.field_id: row
        for row in PredictionJob.objects.filter(field__in=ids, model_version=champion)
    }
    mine: dict[int, Reading] = {}
    submitted: dict[int, Reading] = {}
    for reading in Reading.objects.filter(field__in=ids, reader=user).order_by("revision"):
        mine[reading.field_id] = reading
        if reading.state == Reading.State.SUBMITTED:
            submitted[reading.field_id] = reading
    leases = Lease.objects.filter(field__in=ids, reader=user, expires_at__gt=timezone.now())
    reasons = {row.field_id: Reason(row.reason) for row in leases if row.reason}
    flags = {
        row.field_id: row
        for row in Flag.objects.filter(field__in=ids, lifted_at__isnull=True).select_related(
            "flagged_by"
        )
    }
    comments = Counter(
        Comment.objects.filter(field__in=ids).order_by().values_list("field_id", flat=True)
    )
    tiles = {
        row.field_id: row for row in TileJob.objects.filter(field__in=ids).select_related("field")
    }
    ruled = rulers(submitted, user) if submitted else {}
    views = []
    for field in fields:
        reference = references.get(field.pk)
        prediction = predictions.get(field.pk)
        unread = field.blind and field.pk not in submitted
        job = jobs.get(field.pk)
        views.append(
            FieldView(
                field=field,
                state=_state(reference, prediction, job),
                error=retold(job.error) if job is not None and job.state == JobState.FAILED else "",
                prediction=None if unread else prediction,
                hidden=unread and prediction is not None,
                unread=unread,
                reference=reference,
                my_reading=mine.get(field.pk),
                reason=reasons.get(field.pk),
                flag=flags.get(field.pk),
                comments=comments[field.pk],
                tiles=tiles.get(field.pk),
                is_mine=field.uploaded_by_id == user.pk,
                my_submitted=submitted.get(field.pk),
                ruled_by=ruled.get(field.pk, ""),
            )
        )
    return views


def counted_among(fields: QuerySet[Field]) -> int:
    """Return in how many of `fields` somebody has submitted a reading."""
    return fields.filter(readings__state=Reading.State.SUBMITTED).distinct().count()


def view_field(field: Field, user: User) -> FieldView:
    """Return the view of one field for `user`."""
    return view_fields([field], user)[0]


def is_hidden(field: Field, user: User) -> bool:
    """Tell whether the field's prediction is kept from `user`: blind, and not submitted yet."""
    mine = field.readings.filter(reader=user, state=Reading.State.SUBMITTED)
    return field.blind and not mine.exists()


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
