"""The queue: which fields wait for a reader, in which order, and why."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.db.models import Count, Exists, F, OuterRef, Q, Subquery
from django.db.models.functions import Coalesce
from django.utils import timezone

from counting.models import (
    Field,
    Flag,
    Lease,
    ModelVersion,
    Prediction,
    QueueOrder,
    Reading,
    Reason,
    ReferenceCount,
    Study,
)

if TYPE_CHECKING:
    from django.contrib.auth.models import User
    from django.db.models import QuerySet

# Of the fields that could teach, one in five keeps a turn by lot, so that what is counted never
# becomes a collection of hard cases only.
RANDOM_SHARE = 0.2
# How many fields are read to give out one, before all of them are.
AT_FIRST = 20
# What a poor picture is worth beside lessons from 0 to 1.
POOR = 1.0


@dataclass(frozen=True)
class Turn:
    """A field whose turn it is, and why."""

    field_id: int
    reason: Reason


def waiting(study: Study, reader: User) -> QuerySet[Field]:
    """Return the fields that `reader` may count now, in slide order.

    Out are flagged fields, those with a reference count, those `reader` has read, and those whose
    places are taken by other readers: by a submitted reading or by a lease that still runs.
    """
    here = {"field": OuterRef("pk")}
    submitted = Reading.objects.filter(**here, state=Reading.State.SUBMITTED)
    leased = Lease.objects.filter(**here, expires_at__gt=timezone.now()).exclude(reader=reader)
    return (
        Field.objects.filter(study=study)
        .exclude(Exists(ReferenceCount.objects.filter(**here, superseded_at__isnull=True)))
        .exclude(Exists(Flag.objects.filter(**here, lifted_at__isnull=True)))
        .exclude(Exists(submitted.filter(reader=reader)))
        .annotate(read_by=_number(submitted), leased_to=_number(leased))
        .filter(read_by__lt=study.readers_per_field - F("leased_to"))
        .order_by("slide_id", "pk")
    )


def _number(rows: QuerySet[Any]) -> Coalesce:
    """Count the different readers of `rows` for the outer field."""
    by_field = rows.order_by().values("field").annotate(n=Count("reader", distinct=True))
    return Coalesce(Subquery(by_field.values("n")), 0)


def remaining(study: Study, reader: User) -> int:
    """Return how many fields wait for this reader."""
    return waiting(study, reader).count()


def turns(study: Study, reader: User, after: Field | None = None) -> Iterable[Turn]:
    """Return the fields that wait for `reader` but `after`, in the order of their turns."""
    rows = waiting(study, reader)
    if after is not None:
        rows = rows.exclude(pk=after.pk)
    if study.queue_order == QueueOrder.TEACH:
        return _by_lesson(study, reader, list(rows.select_related("slide")))
    return _in_order(rows, after)


def _in_order(rows: QuerySet[Field], after: Field | None) -> Iterator[Turn]:
    """Go through `rows` in slide order from behind `after`, reading as far as it is asked for."""
    rounds = [rows]
    if after is not None:
        behind = Q(slide__gt=after.slide_id) | Q(slide=after.slide_id, pk__gt=after.pk)
        rounds = [rows.filter(behind), rows.exclude(behind)]
    for each in rounds:
        ids = each.values_list("pk", flat=True)
        # Nearly always the first is taken. No cursor stays open while it is: SQLite would refuse.
        first = list(ids[:AT_FIRST])
        yield from (Turn(pk, Reason.ORDER) for pk in first)
        if len(first) == AT_FIRST:
            yield from (Turn(pk, Reason.ORDER) for pk in list(ids.exclude(pk__in=first)))


def _by_lesson(study: Study, reader: User, rows: list[Field]) -> list[Turn]:
    """Order `rows` by what they teach, mixed with turns by lot.

    By lot come all fields that have to stay a fair sample whatever the model thinks of them: those
    held out to judge it, the blind ones, those it has not seen, and one in five of the others.
    They come up as often as their share of what waits. A field that this reader holds already
    comes first, so that the answer stays the same until it is counted.
    """
    lessons = _lessons(study, reader)
    teaching: list[tuple[float, int, Turn]] = []
    by_lot: list[tuple[float, Turn]] = []
    for row in rows:
        lesson = lessons.get(row.pk)
        kept_fair = row.slide.held_out or row.blind
        if lesson is None or kept_fair or _draw(study, "lot", row.pk) < RANDOM_SHARE:
            by_lot.append((_draw(study, "order", row.pk), Turn(row.pk, Reason.RANDOM)))
        else:
            worth, reason = lesson
            teaching.append((-worth, row.pk, Turn(row.pk, reason)))
    lots = [turn for _, turn in sorted(by_lot, key=lambda pair: pair[0])]
    taught = [turn for *_, turn in sorted(teaching, key=lambda item: item[:2])]
    done = Reading.objects.filter(
        field__study=study, reader=reader, state=Reading.State.SUBMITTED
    ).count()
    lot_first = _draw(study, "turn", reader.pk, done) * len(rows) < len(lots)
    ordered = lots + taught if lot_first else taught + lots
    held = {
        lease.field_id: Reason(lease.reason)
        for lease in Lease.objects.filter(
            field__study=study, reader=reader, expires_at__gt=timezone.now()
        ).exclude(reason="")
    }
    mine = [Turn(turn.field_id, held[turn.field_id]) for turn in ordered if turn.field_id in held]
    return mine + [turn for turn in ordered if turn.field_id not in held]


def _lessons(study: Study, reader: User) -> dict[int, tuple[float, Reason]]:
    """Return for each waiting, predicted field what it would teach, 0 to 1, and why.

    The strongest of three: how wide the interval is beside the count, how unlike the training data
    the picture is, and how far a first reader and the model are apart. A poor picture comes before
    them, while its slide may still lie under the microscope. The reason given for a field
    with a first reading is the same whether the two agree or not: the second reader must not learn
    from it what the first one counted.
    """
    here = waiting(study, reader).order_by().values("pk")
    firsts = dict(
        Reading.objects.filter(field__in=here, state=Reading.State.SUBMITTED)
        .order_by("submitted_at")
        .values_list("field_id", "counts")
    )
    predictions = Prediction.objects.filter(
        field__in=here, model_version__state=ModelVersion.State.CHAMPION
    ).values_list("field_id", "counts", "novelty", "novel", "faults")
    lessons: dict[int, tuple[float, Reason]] = {}
    for field_id, counts, novelty, novel, faults in predictions:
        width, unlike = doubt(counts), novelty if novel else 0.0
        if field_id in firsts:
            apart = difference(firsts[field_id], counts)
            lessons[field_id] = (max(width, unlike, apart), Reason.SECOND)
        else:
            lessons[field_id] = max((unlike, Reason.NOVEL), (width, Reason.WIDE))
            if faults:
                lessons[field_id] = (POOR, Reason.POOR)
    return lessons


def doubt(counts: dict[str, dict[str, Any]]) -> float:
    """Return half the width of the intervals beside the counts, over all types, 0 to 1."""
    width: int = sum(count["high"] - count["low"] for count in counts.values())
    cells: int = sum(count["value"] for count in counts.values())
    return min(1.0, width / 2 / max(1, cells))


def difference(read: dict[str, int], predicted: dict[str, dict[str, Any]]) -> float:
    """Return how far a reading and a prediction are apart, beside the larger of them, 0 to 1."""
    pairs = [(read[code], predicted[code]["value"]) for code in read if code in predicted]
    apart: int = sum(abs(first - second) for first, second in pairs)
    larger: int = sum(max(pair) for pair in pairs)
    return apart / max(1, larger)


def _draw(study: Study, *what: object) -> float:
    """Draw a number from 0 to 1 by hash: fixed, and not to be foreseen without the salt."""
    text = ":".join(map(str, (study.salt, "queue", *what)))
    return int.from_bytes(sha256(text.encode()).digest()[:4], "big") / 2**32
