"""Reads that only pages need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Exists, OuterRef, Q
from django.utils.translation import gettext as _

from counting.models import (
    ACTIVE,
    ROLE_RANK,
    CellType,
    Field,
    Flag,
    JobState,
    Membership,
    ModelVersion,
    Reading,
    ReferenceCount,
    Role,
    Slide,
    Study,
    TrainingRun,
)

from . import access, judging, queue, review
from .studies import with_progress, with_read_count

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

RUNS_SHOWN = 30


@dataclass(frozen=True)
class StudyRow:
    """One study on the first page."""

    study: Study
    role: Role
    slides: int
    fields: int
    counted: int
    # By this user.
    read: int

    @property
    def may_count(self) -> bool:
        """Whether there may be a field left for this user."""
        return self.counted < self.fields and self.read < self.fields


def study_rows(user: User) -> list[StudyRow]:
    """Return the user's studies with role and progress, by name."""
    studies = with_read_count(with_progress(access.studies_for(user)), user)
    rows = []
    for study in studies.prefetch_related("memberships"):
        role = next(Role(row.role) for row in study.memberships.all() if row.user_id == user.pk)
        counts: Any = study
        rows.append(
            StudyRow(
                study,
                role,
                counts.slide_count,
                counts.field_count,
                counts.counted_count,
                counts.read_count,
            )
        )
    return rows


@dataclass(frozen=True)
class StudyFrame:
    """What each page of a study shows around its own content."""

    study: Study
    role: Role
    is_admin: bool
    is_reviewer: bool
    # Differences that wait for this reviewer; None where nobody reviews.
    to_review: int | None


def study_frame(study: Study, user: User) -> StudyFrame:
    """Return the frame of a study's pages for a member."""
    role = access.role_in(user, study) or Role.READER
    is_reviewer = ROLE_RANK[role] >= ROLE_RANK[Role.REVIEWER]
    waiting = None
    if is_reviewer and study.readers_per_field > 1:
        waiting = review.to_review(study, user).count()
    return StudyFrame(study, role, role == Role.ADMIN, is_reviewer, waiting)


def members_of(study: Study) -> QuerySet[Membership]:
    """Return the study's members by name."""
    return study.memberships.select_related("user", "study").order_by("user__username")


def study_of_model(model_id: int) -> int:
    """Return the id of a model version's study."""
    return ModelVersion.objects.values_list("study_id", flat=True).get(pk=model_id)


def study_of_field(field_id: int) -> int:
    """Return the id of a field's study."""
    return Field.objects.values_list("study_id", flat=True).get(pk=field_id)


def remaining(study: Study, user: User) -> int:
    """Return how many fields wait for this reader."""
    return queue.remaining(study, user)


@dataclass(frozen=True)
class Totals:
    """The sum of a study's reference counts by cell type, and how many fields it leaves out."""

    rows: list[tuple[CellType, int]]
    left_out: int


def totals(study: Study, user: User) -> Totals:
    """Add up the study's reference counts.

    Blind fields that `user` has not counted stay out: beside a sum without one, its count could be
    worked out.
    """
    cell_types = list(study.cell_types.all())
    sums = dict.fromkeys((row.code for row in cell_types), 0)
    current = ReferenceCount.objects.filter(field__study=study, superseded_at__isnull=True)
    own = Reading.objects.filter(
        field=OuterRef("field"), reader=user, state=Reading.State.SUBMITTED
    )
    hidden = Q(field__blind=True) & ~Exists(own)
    for counts in current.exclude(hidden).values_list("counts", flat=True).iterator():
        for code, number in counts.items():
            if code in sums:
                sums[code] += number
    return Totals([(row, sums[row.code]) for row in cell_types], current.filter(hidden).count())


def flagged(study: Study) -> int:
    """Return how many fields of the study are flagged as unreadable."""
    return Flag.objects.filter(field__study=study, lifted_at__isnull=True).count()


def fields_of(slide: Slide) -> QuerySet[Field]:
    """Return the slide's fields in the order they came."""
    return slide.fields.order_by("pk")


def begun_by(fields: QuerySet[Field]) -> list[str]:
    """Return who has a draft in one of `fields`, by name."""
    drafts = Reading.objects.filter(field__in=fields, state=Reading.State.DRAFT).order_by()
    return sorted(set(drafts.values_list("reader__username", flat=True)))


def field_before(field: Field) -> int | None:
    """Return the field before this one in the study's order, or None at its beginning."""
    before = Q(slide__lt=field.slide_id) | Q(slide=field.slide_id, pk__lt=field.pk)
    rows = Field.objects.filter(before, study=field.study_id).order_by("-slide_id", "-pk")
    return rows.values_list("pk", flat=True).first()


@dataclass(frozen=True)
class TypeScore:
    """Hold-out errors of one model version for one cell type, in cells per field."""

    cell_type: CellType
    n: int
    mae: float
    bias: float
    mean: float | None


@dataclass(frozen=True)
class VersionRow:
    """A model version with its scores where it was judged."""

    version: ModelVersion
    scores: list[TypeScore]
    fields: int
    is_base: bool


def version_rows(study: Study) -> list[VersionRow]:
    """Return the study's versions, newest first, with what is known about their errors."""
    types = list(study.cell_types.all())
    runs = study.training_runs.filter(state=JobState.SUCCEEDED).order_by("pk")
    # A champion is judged again beside each candidate; the newest of these judgments holds.
    judgments = runs.values_list("champion_id", "metrics")
    as_champion = {champion_id: metrics.get("champion") for champion_id, metrics in judgments}
    rows = []
    for version in study.model_versions.select_related("parent").order_by("-number"):
        judged = as_champion.get(version.pk) or version.metrics.get("candidate") or {}
        scores = scores_of(judged, types)
        rows.append(
            VersionRow(version, scores, int(judged.get("n") or 0), version.parent_id is None)
        )
    return rows


def scores_of(metrics: dict[str, Any], types: list[CellType]) -> list[TypeScore]:
    """Return the errors by cell type out of the trainer's metrics; types without are left out."""
    scores = []
    for cell_type in types:
        found = (metrics.get("types") or {}).get(cell_type.code) or {}
        if found.get("mae") is None:
            continue
        scores.append(
            TypeScore(
                cell_type,
                int(found.get("n") or metrics.get("n") or 0),
                float(found["mae"]),
                float(found.get("bias") or 0.0),
                None if found.get("mean") is None else float(found["mean"]),
            )
        )
    return scores


@dataclass(frozen=True)
class Comparison:
    """Champion and candidate of one run on the same hold-out fields, for one cell type."""

    cell_type: CellType
    champion: float
    candidate: float

    @property
    def verdict(self) -> str:
        """Say in a word which is closer; equal to the shown tenth counts as the same."""
        before, after = round(self.champion, 2), round(self.candidate, 2)
        if after == before:
            return _("same")
        return _("closer") if after < before else _("further off")


def comparisons(judged: TrainingRun | ModelVersion) -> list[Comparison]:
    """Return the mean absolute errors of champion and candidate by cell type."""
    types = list(judged.study.cell_types.all())
    before = {row.cell_type.code: row.mae for row in _side(judged.metrics, "champion", types)}
    return [
        Comparison(row.cell_type, before[row.cell_type.code], row.mae)
        for row in _side(judged.metrics, "candidate", types)
        if row.cell_type.code in before
    ]


def _side(metrics: dict[str, Any], side: str, types: list[CellType]) -> list[TypeScore]:
    return scores_of(metrics.get(side) or {}, types)


def active_run(study: Study) -> TrainingRun | None:
    """Return the run that waits or runs now."""
    return study.training_runs.filter(state__in=ACTIVE).first()


@dataclass(frozen=True)
class RunRow:
    """A training run with one word for where it is or how it ended."""

    run: TrainingRun
    state: str


def run_rows(study: Study) -> list[RunRow]:
    """Return the newest runs, without reading their logs."""
    runs = study.training_runs.select_related("champion", "candidate", "requested_by")
    return [RunRow(run, _state(run)) for run in runs.defer("log")[:RUNS_SHOWN]]


def _state(run: TrainingRun) -> str:
    if run.state != JobState.SUCCEEDED:
        return run.get_state_display()
    if run.promoted:
        return _("New champion")
    found = judging.outcome(run.metrics)
    # Better, and not live: another version became champion while the run was under way.
    return _("Champion changed") if found == judging.Outcome.BETTER else str(found.label)
