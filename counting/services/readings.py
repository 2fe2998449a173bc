"""Write readings: drafts that a reader replaces, submitted revisions that nobody does."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from django.db import transaction
from django.shortcuts import get_object_or_404
from django.utils import timezone
from django.utils.translation import gettext as _

from counting.errors import Counted, Refused
from counting.models import Field, Prediction, Reading

from . import assignments, audit, references, versions

if TYPE_CHECKING:
    from django.contrib.auth.models import User

# Far above any field that a person counts: the densest stored field holds a few thousand cells.
MAX_COUNT = 20_000
MAX_SECONDS = 24 * 3600
# How the reader counted. Scripts may name their own way in one short word.
METHODS = (*Reading.BEGUN, "tally", "marks", "typing", "mixed")
METHOD = re.compile(r"\A[a-z][a-z_-]{0,19}\Z")


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
    shown_replaced: bool = False,
    version: object = None,
    tab: object = "",
    replace: bool = False,
) -> Reading:
    """Save a reader's counts of a field, as the reader's draft or as a new submitted revision.

    `counts` maps cell type codes to whole numbers; a type left out is not counted. Submitting
    counts a type that only has marks by them, and refuses one whose marks and number differ. A
    draft keeps both as they are: a number that the reader took away does not come back. A draft
    keeps the field for the reader; submitting makes the reference count anew.

    `shown_prediction` is what the reader saw; `shown_replaced` says that they saw one that is gone
    since, because it was made anew.

    `version` is the version of the reader's own reading that this one is based on, 0 for none;
    without it nothing is compared. `tab` names the browser tab or script: it is never in conflict
    with what it saved itself, since an answer may get lost on its way. `replace` says that a first
    submission is to take the place of what another reader counted meanwhile.

    Raises:
        Refused: a count, mark or the method cannot be true, the sentence names it; or the shown
            prediction is gone.
        Newer: the reader saved meanwhile from another tab or device; nothing is overwritten.
        Counted: another reader counted the field meanwhile; this count is kept as a draft.
        Http404: the field was deleted meanwhile.
    """
    with transaction.atomic():
        # Without its study, whose rule may change while this waits: that is read behind the lock.
        field = get_object_or_404(Field.objects.select_for_update(), pk=field.pk)
        if shown_prediction and not Prediction.objects.filter(pk=shown_prediction.pk).exists():
            shown_prediction, shown_replaced = None, True  # while this waited
        others: list[str] = []
        if submit and not replace:
            mine = Reading.objects.filter(field=field, reader=reader)
            if not mine.filter(state=Reading.State.SUBMITTED).exists():
                others = references.replaced_by(field)
        reading = _save(
            field=field,
            reader=reader,
            counts=counts,
            marks=marks,
            method=method,
            submit=submit and not others,
            seconds=seconds,
            shown_prediction=shown_prediction,
            shown_replaced=shown_replaced,
            version=version,
            tab=tab,
        )
    if others:
        raise Counted(
            _(
                "%(names)s has counted this field meanwhile, and only one count of it holds. Yours "
                "is kept as a draft: nothing was replaced."
            )
            % {"names": " + ".join(others)},
            reading.pk,
            reading.version,
        )
    return reading


def _save(
    *,
    field: Field,
    reader: User,
    counts: object,
    marks: object,
    method: object,
    submit: bool,
    seconds: object,
    shown_prediction: Prediction | None,
    shown_replaced: bool,
    version: object,
    tab: object,
) -> Reading:
    """Do that; the field's row is locked."""
    numbers, placed = _agreeing(field, counts, marks, submit=submit)
    mine = Reading.objects.filter(field=field, reader=reader)
    before = mine.filter(state=Reading.State.SUBMITTED).order_by("revision").last()
    last = mine.order_by("revision").last()
    reading = Reading(
        field=field,
        reader=reader,
        revision=last.revision + 1 if last else 1,
        state=Reading.State.SUBMITTED if submit else Reading.State.DRAFT,
        counts=numbers,
        marks=placed,
        method=_check_method(method),
        seconds=_check_seconds(seconds),
        shown_prediction=shown_prediction,
        shown_replaced=shown_replaced,
        version=last.version + 1 if last else 1,
        tab=versions.check_tab(tab),
    )
    based_on = versions.check_version(version)
    if last is not None and versions.is_repeated(last, reading, based_on):
        return last
    if last is not None and last.state == Reading.State.DRAFT:
        # The draft's own row goes on: as the next draft, or as the revision it was made for.
        reading.pk, reading.revision = last.pk, last.revision
        reading.created_at = last.created_at
    if not submit:
        reading.save(force_update=reading.pk is not None)
        if before is None:
            assignments.take(field_id=field.pk, reader=reader)
        return reading
    _submit(reading, before)
    return reading


def _agreeing(
    field: Field, counts: object, marks: object, *, submit: bool
) -> tuple[dict[str, int], list[dict[str, Any]]]:
    """Return counts and marks, checked: submitted, they agree, and each marked type is counted."""
    codes = list(field.study.cell_types.values_list("code", flat=True))
    placed = check_marks(marks, codes=codes, width=field.width, height=field.height)
    numbers = check_counts(counts, codes=codes)
    if not submit:
        return numbers, placed
    for code, number in Counter(mark["cell_type"] for mark in placed).items():
        if numbers.setdefault(code, number) != number:
            raise Refused(
                _(
                    "%(code)s: %(counted)d counted, but %(marked)d marked. Send a mark for each "
                    "cell, or no marks of this type."
                )
                % {"code": code, "counted": numbers[code], "marked": number},
                "marks",
            )
    if not numbers:
        raise Refused(_("There is no count in this reading. Count at least one type."), "counts")
    return numbers, placed


def _submit(reading: Reading, before: Reading | None) -> None:
    """Make it the newest submitted revision, after `before`, and the reference count anew."""
    field, reader, shown = reading.field, reading.reader, reading.shown_prediction
    reading.submitted_at = timezone.now()
    reading.ruling = references.is_ruling(field=field, reader=reader)
    reading.save(force_update=reading.pk is not None)
    assignments.release(field=field, reader=reader)
    audit.record(
        actor=reader,
        action="reading.submit",
        target=reading,
        study_id=field.study_id,
        old=before and {"revision": before.revision, "counts": before.counts},
        new={
            "field": field.pk,
            "revision": reading.revision,
            "counts": reading.counts,
            "method": reading.method,
            "shown": shown and shown.model_version.name,
        },
    )
    references.update(field=field, actor=reader)


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
