"""Fields whose two readings differ, and wait for a reviewer."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Exists, Max, OuterRef, Q

from counting.models import (
    CellType,
    Field,
    Flag,
    Membership,
    Reading,
    ReferenceCount,
    Role,
    Ruling,
    Study,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Sequence

    from django.contrib.auth.models import User
    from django.db.models import QuerySet


def latest_readings(field: Field) -> list[Reading]:
    """Return the newest submitted reading of each reader, in the order the readers came."""
    return latest_of([field]).get(field.pk, [])


def latest_of(fields: Sequence[Field | int]) -> dict[int, list[Reading]]:
    """Return the same of many fields at once, by field."""
    newest: dict[int, dict[int, Reading]] = defaultdict(dict)
    submitted = Reading.objects.filter(field__in=fields, state=Reading.State.SUBMITTED)
    for reading in submitted.select_related("reader").order_by("submitted_at", "pk"):
        newest[reading.field_id][reading.reader_id] = reading
    return {field_id: list(readers.values()) for field_id, readers in newest.items()}


def compared(
    first: Reading, second: Reading, cell_types: Iterable[CellType]
) -> dict[str, tuple[int | None, int | None]]:
    """Return the two counts of each type by which two readings agree or not.

    A type that was added after one of them, and that only the other has, tells nothing of whether
    they agree, and stays out.
    """
    assert first.submitted_at is not None
    assert second.submitted_at is not None
    earlier = min(first.submitted_at, second.submitted_at)
    late = {row.code for row in cell_types if row.created_at and row.created_at > earlier}
    return {
        code: (first.counts.get(code), second.counts.get(code))
        for code in first.counts | second.counts
        if code not in late or (code in first.counts and code in second.counts)
    }


def agree(pairs: Iterable[tuple[int | None, int | None]], tolerance: float) -> bool:
    """Tell whether two readings agree: for each type within `tolerance` of the larger, or one."""
    return not any(is_apart(*pair, tolerance) for pair in pairs)


def is_apart(first: int | None, second: int | None, tolerance: float) -> bool:
    """Tell whether two counts of one type differ too much, or only one was made."""
    if first is None or second is None:
        return first is not second
    return abs(first - second) > max(1.0, tolerance * max(first, second))


@dataclass(frozen=True)
class TypePair:
    """Two counts of one cell type; None where a reader left it out."""

    cell_type: CellType
    first: int | None
    second: int | None
    apart: bool


@dataclass(frozen=True)
class Difference:
    """A field and the two readings that differ. Who read stays out: it must not weigh."""

    field: Field
    first: Reading
    second: Reading
    types: list[TypePair]
    # The ruling that holds until there is another, where a reader has counted anew since.
    ruled: ReferenceCount | None

    @property
    def ruled_earlier(self) -> int | None:
        """The id of the reading that was ruled, where it is neither of the two any more."""
        shown = (self.first.pk, self.second.pk)
        return self.ruled.reading_id if self.ruled and self.ruled.reading_id not in shown else None


def overtaken(study: Study) -> dict[int, ReferenceCount]:
    """Return by field the ruled counts that a reader's correction since then is too far from.

    They hold until a reviewer has looked again: no reader undoes a ruling, and none is lost on it.
    """
    anew = Reading.objects.filter(
        field=OuterRef("field"),
        ruling=False,
        revision__gt=1,
        submitted_at__gt=OuterRef("created_at"),
    )
    ruled = ReferenceCount.objects.filter(
        Exists(anew),
        field__study=study,
        basis=ReferenceCount.Basis.RULING,
        superseded_at__isnull=True,
    )
    rows = list(ruled.annotate(said=Max("field__rulings__created_at")).select_related("reading"))
    if not rows:
        return {}
    readings = latest_of([row.field_id for row in rows])
    cell_types = list(study.cell_types.all())

    def is_overtaken(row: ReferenceCount) -> bool:
        # A ruling that was confirmed is one row still, and as old as its confirmation.
        said = getattr(row, "said", None)
        since = max(row.created_at, said or row.created_at)
        return any(
            reading.submitted_at
            and reading.submitted_at > since
            and not agree(
                compared(reading, row.reading, cell_types).values(), study.agreement_tolerance
            )
            for reading in readings[row.field_id][:2]
        )

    return {row.field_id: row for row in rows if is_overtaken(row)}


def ruled_by(reference: ReferenceCount, ruling: Ruling | None) -> str:
    """Return the reviewer who settled the field: by choosing a reading, or by one of their own.

    `ruling` is the newest of the field.
    """
    if reference.basis != ReferenceCount.Basis.RULING:
        return ""
    chosen = ruling is not None and ruling.reading_id == reference.reading_id
    return (ruling.reviewer if ruling and chosen else reference.reading.reader).get_username()


def rulers(field_ids: Collection[int], reader: User) -> dict[int, str]:
    """Return whose ruling these fields have their count by, where it is not the reader's own."""
    current = ReferenceCount.objects.filter(
        field__in=field_ids, basis=ReferenceCount.Basis.RULING, superseded_at__isnull=True
    )
    rows = list(current.select_related("reading__reader"))
    if not rows:
        return {}
    made = Ruling.objects.filter(field__in=[row.field_id for row in rows])
    newest = {row.field_id: row for row in made.select_related("reviewer").order_by("pk")}
    names = {row.field_id: ruled_by(row, newest.get(row.field_id)) for row in rows}
    return {field_id: name for field_id, name in names.items() if name != reader.get_username()}


def differing(study: Study) -> QuerySet[Field]:
    """Return the study's fields with two readings, no reference count and no flag.

    Those with a ruling that a reader's correction has overtaken are among them.
    """
    if study.readers_per_field < 2:
        return Field.objects.none()
    here = {"field": OuterRef("pk")}
    submitted = Q(readings__state=Reading.State.SUBMITTED)
    settled = Exists(ReferenceCount.objects.filter(**here, superseded_at__isnull=True))
    return (
        Field.objects.filter(~settled | Q(pk__in=list(overtaken(study))), study=study)
        .exclude(Exists(Flag.objects.filter(**here, lifted_at__isnull=True)))
        .annotate(read_by=Count("readings__reader", filter=submitted, distinct=True))
        .filter(read_by__gte=2)
        .select_related("slide", "study")
        .order_by("slide_id", "pk")
    )


def to_review(study: Study, reviewer: User) -> QuerySet[Field]:
    """Return the differing fields that `reviewer` may rule on: those they have not read."""
    own = read_by(reviewer).filter(field=OuterRef("pk"))
    return differing(study).exclude(Exists(own))


def without_reviewer(study: Study) -> int:
    """Return how many fields wait for a ruling that no member may make: each has read them."""
    own = Reading.objects.filter(
        field=OuterRef(OuterRef("pk")),
        reader=OuterRef("user"),
        state=Reading.State.SUBMITTED,
        ruling=False,
    )
    may_rule = Membership.objects.filter(
        ~Exists(own),
        study=study,
        role__in=(Role.REVIEWER, Role.ADMIN),
        user__is_active=True,
    )
    return differing(study).exclude(Exists(may_rule)).count()


def read_by(reviewer: User) -> QuerySet[Reading]:
    """Return what the reviewer counted as a reader, not to rule: they rule on none of these."""
    return Reading.objects.filter(reader=reviewer, state=Reading.State.SUBMITTED, ruling=False)


def standing_rulings(reviewer: User) -> QuerySet[Ruling]:
    """Return the reviewer's rulings that fields have their reference count by, oldest first."""
    later = Ruling.objects.filter(field=OuterRef("field"), pk__gt=OuterRef("pk"))
    held = ReferenceCount.objects.filter(
        reading=OuterRef("reading"),
        basis=ReferenceCount.Basis.RULING,
        superseded_at__isnull=True,
    )
    rulings = Ruling.objects.filter(reviewer=reviewer).filter(Exists(held))
    return rulings.exclude(Exists(later)).select_related("field__slide", "reading").order_by("pk")


def unmatched(reading: Reading, other: Reading, reach: float) -> set[int]:
    """Return the numbers of the reading's marks that the other reading has none for of their type
    within `reach` pixels.

    Each of the other's marks is spent on one, the nearest first come. Types that either counted by
    number have no places to compare, and are left out.
    """
    numbers = _by_number(reading) | _by_number(other)
    near: dict[tuple[str, int, int], list[dict[str, Any]]] = defaultdict(list)
    for place in other.marks:
        near[place["cell_type"], int(place["x"] // reach), int(place["y"] // reach)].append(place)
    alone = set()
    for number, mark in enumerate(reading.marks):
        if mark["cell_type"] in numbers:
            continue
        column, row = int(mark["x"] // reach), int(mark["y"] // reach)
        cells = [
            near[mark["cell_type"], column + across, row + down]
            for across in (-1, 0, 1)
            for down in (-1, 0, 1)
        ]
        found = min(
            (
                (_distance(mark, there), index, cell)
                for cell in cells
                for index, there in enumerate(cell)
            ),
            key=lambda candidate: candidate[:2],
            default=None,
        )
        if found is None or found[0] > reach:
            alone.add(number)
        else:
            del found[2][found[1]]
    return alone


def _by_number(reading: Reading) -> set[str]:
    """Return the types whose count is no sum of marks."""
    marked = Counter(mark["cell_type"] for mark in reading.marks)
    return {code for code, count in reading.counts.items() if marked[code] != count}


def _distance(mark: dict[str, Any], other: dict[str, Any]) -> float:
    return math.hypot(mark["x"] - other["x"], mark["y"] - other["y"])


def difference(field: Field) -> Difference | None:
    """Return the field's two differing readings, or None when nothing waits for a ruling."""
    if not differing(field.study).filter(pk=field.pk).exists():
        return None
    return differences(field.study, [field])[0]


def differences(study: Study, fields: Sequence[Field]) -> list[Difference]:
    """Return the two readings of each of `fields`, which are all among the study's `differing`.

    Asks the database as often for many fields as for one.
    """
    readings = latest_of(fields)
    cell_types = list(study.cell_types.all())
    ruled = overtaken(study)
    return [
        _compare(study, field, cell_types, ruled.get(field.pk), *readings[field.pk][:2])
        for field in fields
    ]


def _compare(
    study: Study,
    field: Field,
    cell_types: list[CellType],
    ruled: ReferenceCount | None,
    first: Reading,
    second: Reading,
) -> Difference:
    weighed = compared(first, second, cell_types)
    types = [
        TypePair(row, *pair, row.code in weighed and is_apart(*pair, study.agreement_tolerance))
        for row in cell_types
        if (pair := (first.counts.get(row.code), second.counts.get(row.code))) != (None, None)
    ]
    return Difference(field, first, second, types, ruled)
