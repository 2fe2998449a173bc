"""What a slide holds so far, as its next reader needs it while counting."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from django.db.models import Q

from counting.models import Field, Flag, Reading, ReferenceCount, Slide

from .report import shares_among

if TYPE_CHECKING:
    from django.contrib.auth.models import User


@dataclass(frozen=True)
class SoFar:
    """Cells counted on a slide and the number of fields they are of, both by cell type.

    `shares_of` names the types that a differential is made of; `together` has their cells in the
    fields where each of them that is counted on this slide was counted.
    """

    cells: dict[str, int]
    fields: dict[str, int]
    shares_of: list[str]
    together: dict[str, int]


def slide_so_far(slide: Slide, user: User, without: int | None = None) -> SoFar:
    """Add up the slide's counted fields, all but the field `without` and the flagged ones.

    A field counts with what the study holds true for it, else with the newest reading that `user`
    has submitted: what other readers counted shows only once it is settled. A blind field that
    `user` has not read stays out: beside a sum without it, its count could be worked out.
    """
    flagged = Flag.objects.filter(field__slide=slide, lifted_at__isnull=True).values("field")
    fields = Field.objects.filter(slide=slide).exclude(pk__in=flagged)
    if without is not None:
        fields = fields.exclude(pk=without)
    ids = fields.values("pk")
    counts: dict[int, dict[str, int]] = {}
    mine = Reading.objects.filter(field__in=ids, reader=user, state=Reading.State.SUBMITTED)
    for reading in mine.order_by("revision").only("field_id", "counts"):
        counts[reading.field_id] = reading.counts
    held = ReferenceCount.objects.filter(field__in=ids, superseded_at__isnull=True)
    blind = Q(field__blind=True) & ~Q(field__in=list(counts))
    for reference in held.exclude(blind).only("field_id", "counts"):
        counts[reference.field_id] = reference.counts
    cells: Counter[str] = Counter()
    number: Counter[str] = Counter()
    for row in counts.values():
        cells.update(row)
        number.update(row.keys())
    codes = [row.code for row in slide.study.cell_types.all()]
    among = shares_among(codes)
    known = {code for code in among if number[code]}
    whole_rows = [row for row in counts.values() if known <= row.keys()]
    return SoFar(
        cells={code: cells[code] for code in codes},
        fields={code: number[code] for code in codes},
        shares_of=among,
        together={code: sum(row.get(code, 0) for row in whole_rows) for code in among},
    )
