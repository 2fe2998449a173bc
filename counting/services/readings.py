"""Write readings: drafts that a reader replaces, submitted revisions that nobody does."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.db.models import Max
from django.utils import timezone
from django.utils.translation import gettext as _

from counting.errors import Refused
from counting.models import Field, Prediction, Reading

from . import audit, references

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Far above any field that a person counts: the densest stored field holds a few thousand cells.
MAX_COUNT = 20_000
MAX_SECONDS = 24 * 3600
# How the reader counted. Scripts may name their own way in one short word.
METHODS = ("accepted", "tally", "marks", "typing", "mixed")
METHOD = re.compile(r"\A[a-z][a-z_-]{0,19}\Z")


@transaction.atomic
def save_reading(
    *,
    field: Field,
    reader: User,
    counts: object = None,
    marks: object = None,
    method: object = "typing",
    submit: bool = True,
    seconds: object = 0,
    shown_prediction: Prediction | None = None,
) -> Reading:
    """Save a reader's counts of a field, as the reader's draft or as a new submitted revision.

    `counts` maps cell type codes to whole numbers; a type left out is not counted, but a type
    that only has marks is counted by them. Submitting makes the reference count anew.

    Raises:
        Refused: a count, mark or the method cannot be true; the sentence names it.
    """
    field = Field.objects.select_for_update().select_related("study", "slide").get(pk=field.pk)
    codes = list(field.study.cell_types.values_list("code", flat=True))
    placed = check_marks(marks, codes=codes, width=field.width, height=field.height)
    numbers = check_counts(counts, codes=codes)
    for code, number in Counter(mark["cell_type"] for mark in placed).items():
        numbers.setdefault(code, number)
    if submit and not numbers:
        raise Refused(_("There is no count in this reading. Count at least one type."), "counts")
    mine = Reading.objects.filter(field=field, reader=reader)
    draft = mine.filter(state=Reading.State.DRAFT).first()
    before = mine.filter(state=Reading.State.SUBMITTED).order_by("revision").last()
    last = mine.aggregate(last=Max("revision"))["last"] or 0
    reading = draft or Reading(field=field, reader=reader, revision=last + 1)
    reading.counts = numbers
    reading.marks = placed
    reading.method = _check_method(method)
    reading.seconds = _check_seconds(seconds)
    reading.shown_prediction = shown_prediction
    reading.state = Reading.State.SUBMITTED if submit else Reading.State.DRAFT
    if submit:
        reading.submitted_at = timezone.now()
        reading.ruling = references.is_ruling(field=field, reader=reader)
    reading.save()
    if submit:
        audit.record(
            actor=reader,
            action="reading.submit",
            target=reading,
            study_id=field.study_id,
            old=before and {"revision": before.revision, "counts": before.counts},
            new={
                "field": field.pk,
                "revision": reading.revision,
                "counts": numbers,
                "method": reading.method,
                "shown": shown_prediction and shown_prediction.model_version.name,
            },
        )
        references.update(field=field, actor=reader)
    return reading


def check_counts(counts: object, *, codes: Sequence[str]) -> dict[str, int]:
    """Return the counts as plain whole numbers.

    Raises:
        Refused: not an object, an unknown type, or a number that cannot be a count.
    """
    if counts is None:
        return {}
    if not isinstance(counts, Mapping):
        raise Refused(
            _('Counts are an object of cell types and whole numbers, like {"RBC": 23}.'), "counts"
        )
    numbers: dict[str, int] = {}
    for code, value in counts.items():
        if code not in codes:
            raise Refused(
                _("This study does not count %(code)s. It counts: %(codes)s.")
                % {"code": str(code)[:40], "codes": ", ".join(codes)},
                "cell_type",
            )
        if isinstance(value, bool) or not isinstance(value, int):
            raise Refused(
                _("The count of %(code)s must be a whole number.") % {"code": code}, "counts"
            )
        if value < 0:
            raise Refused(_("The count of %(code)s cannot be negative.") % {"code": code}, "counts")
        if value > MAX_COUNT:
            raise Refused(
                _("%(value)s %(code)s in one field cannot be: at most %(most)s are taken.")
                % {"value": value if value < 10**9 else "…", "code": code, "most": MAX_COUNT},
                "counts",
            )
        numbers[code] = value
    return numbers


def check_marks(
    marks: object, *, codes: Sequence[str], width: int, height: int
) -> list[dict[str, Any]]:
    """Return the marks as plain dictionaries, positions in pixels of the stored picture.

    Raises:
        Refused: not a list of {cell_type, x, y}, an unknown type, or a place outside.
    """
    if marks is None:
        return []
    if not isinstance(marks, Sequence) or isinstance(marks, str):
        raise Refused(_("Marks are a list of {cell_type, x, y}."), "marks")
    if len(marks) > MAX_COUNT:
        raise Refused(_("A reading takes at most %(most)s marks.") % {"most": MAX_COUNT}, "marks")
    placed: list[dict[str, Any]] = []
    for number, mark in enumerate(marks, 1):
        if not isinstance(mark, Mapping) or not {"cell_type", "x", "y"} <= set(mark):
            raise Refused(
                _("Mark %(number)d needs cell_type, x and y.") % {"number": number}, "marks"
            )
        if mark["cell_type"] not in codes:
            raise Refused(
                _("Mark %(number)d has a cell type that this study does not count.")
                % {"number": number},
                "cell_type",
            )
        x, y = (_coordinate(mark[axis]) for axis in ("x", "y"))
        if x is None or y is None or not (0 <= x <= width and 0 <= y <= height):
            raise Refused(
                _("Mark %(number)d lies outside the picture of %(width)d x %(height)d pixels.")
                % {"number": number, "width": width, "height": height},
                "marks",
            )
        placed.append({"cell_type": mark["cell_type"], "x": round(x, 1), "y": round(y, 1)})
    return placed


def _coordinate(value: object) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def _check_method(method: object) -> str:
    if not isinstance(method, str) or not METHOD.match(method):
        raise Refused(
            _("The method is one short word, such as: %(methods)s.")
            % {"methods": ", ".join(METHODS)},
            "method",
        )
    return method


def _check_seconds(seconds: object) -> int:
    number = _coordinate(seconds)
    if number is None or not 0 <= number <= MAX_SECONDS:
        raise Refused(_("The seconds spent are a number from 0 to 86400."), "seconds")
    return round(number)
