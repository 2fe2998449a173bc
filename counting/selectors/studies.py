"""Reads of studies and slides with their progress."""

from __future__ import annotations

from typing import TYPE_CHECKING

from django.db.models import Count, Exists, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce

from counting.models import Field, Membership, Reading, ReferenceCount, Role, Slide, Study

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet


def with_progress(studies: QuerySet[Study]) -> QuerySet[Study]:
    """Add `slide_count`, `field_count` and `counted_count` to each study."""
    fields = Field.objects.filter(study=OuterRef("pk")).order_by().values("study")
    counted = (
        ReferenceCount.objects.filter(field__study=OuterRef("pk"), superseded_at__isnull=True)
        .order_by()
        .values("field__study")
    )
    return studies.annotate(
        slide_count=Count("slides", distinct=True),
        field_count=Coalesce(Subquery(fields.annotate(n=Count("pk")).values("n")), 0),
        counted_count=Coalesce(Subquery(counted.annotate(n=Count("pk")).values("n")), 0),
    ).order_by("name", "pk")


def without_admin(*, besides: User) -> QuerySet[Study]:
    """Return the studies of which `besides` is an admin, and nobody else who may sign in is one."""
    admins = Membership.objects.filter(study=OuterRef("pk"), role=Role.ADMIN)
    others = admins.filter(user__is_active=True).exclude(user=besides)
    return Study.objects.filter(Exists(admins.filter(user=besides))).exclude(Exists(others))


def slides_with_progress(study: Study, reader: User) -> QuerySet[Slide]:
    """Return the study's slides with `field_count`, `counted_count` and the reader's `read_count`.

    A field that waits for a second reader or a ruling has been read, and has no count yet.
    """
    return annotate_slides(study.slides.all()).annotate(read_count=_read_by(reader, "slide"))


def with_read_count(studies: QuerySet[Study], reader: User) -> QuerySet[Study]:
    """Add `read_count` to each study: the fields that `reader` has submitted a reading of."""
    return studies.annotate(read_count=_read_by(reader, "study"))


def _read_by(reader: User, within: str) -> Coalesce:
    """Count the reader's fields within the outer slide or study."""
    path = f"field__{within}"
    mine = Reading.objects.filter(reader=reader, state=Reading.State.SUBMITTED)
    each = mine.filter(**{path: OuterRef("pk")}).order_by().values(path)
    return Coalesce(Subquery(each.annotate(n=Count("field", distinct=True)).values("n")), 0)


def annotate_slides(slides: QuerySet[Slide]) -> QuerySet[Slide]:
    """Add `field_count` and `counted_count` to each slide."""
    return slides.annotate(
        field_count=Count("fields", distinct=True),
        counted_count=Count(
            "fields__references",
            filter=Q(
                fields__references__isnull=False, fields__references__superseded_at__isnull=True
            ),
            distinct=True,
        ),
    ).order_by("pk")
