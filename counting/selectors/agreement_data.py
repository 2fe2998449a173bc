"""Pairs of counts of the same fields, as one person may see them.

A field that is still open (no reference count) shows the readings of others only to those who
have submitted their own. Prediction and counts of a blind field belong to no single row that a
person may see before having submitted: such a pair is `withheld`. Once the field is settled it can
take part in figures over many fields, where no single one can be told, and in nothing else.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, NamedTuple

from django.contrib.auth import get_user_model
from django.utils.translation import gettext as _

from counting.errors import Refused
from counting.models import Field, Flag, ModelVersion, Prediction, Reading, ReferenceCount, Study

if TYPE_CHECKING:
    from django.contrib.auth.models import User

REFERENCE = "reference"
# Withheld pairs take part from this many on.
MANY = 10


@dataclass(frozen=True)
class Method:
    """A way of counting: `key` is `reference`, `reader:ID` or `model:ID`."""

    key: str
    # A reader's user name, a model version's name.
    own_name: str = ""

    @property
    def name(self) -> str:
        """What people call it, in the language of who reads that."""
        if self.kind == "model":
            return _("Model %(name)s") % {"name": self.own_name}
        return self.own_name or _("Reference count")

    @property
    def kind(self) -> str:
        """Reference, reader or model."""
        return self.key.partition(":")[0]

    @property
    def id(self) -> int:
        """Of the reader or the model version; 0 for the reference."""
        return int(self.key.partition(":")[2] or 0)


@dataclass(frozen=True)
class Pair:
    """One field counted in two ways."""

    field_id: int
    field_name: str
    slide: str
    first: int
    second: int
    withheld: bool
    assisted: bool


@dataclass(frozen=True)
class _Count:
    value: int
    assisted: bool
    readers: frozenset[int]


class FieldFacts(NamedTuple):
    """What is needed of a field; thousands of whole rows take longer than all the figures."""

    name: str
    blind: bool
    slide: str


class Submitted(NamedTuple):
    """What is needed of a submitted reading; marks, which are most of it, are not."""

    pk: int
    field_id: int
    reader_id: int
    counts: dict[str, int]
    method: str
    shown_prediction_id: int | None
    shown_replaced: bool
    ruling: bool
    submitted_at: datetime | None


@dataclass
class StudyCounts:
    """All that was counted of one cell type, without what this person may not see."""

    study: Study
    code: str
    fields: dict[int, FieldFacts]
    mine: set[int]
    settled: set[int]
    references: dict[int, _Count] = field(default_factory=dict)
    # By reader, then field: the submitted readings, oldest first.
    readings: dict[int, dict[int, list[Submitted]]] = field(default_factory=dict)
    # By model version, then field.
    predictions: dict[int, dict[int, int]] = field(default_factory=dict)
    # Reader and field, where the reader came after a reference count of others: they may have
    # known it.
    late: set[tuple[int, int]] = field(default_factory=set)

    def hidden(self, field_id: int) -> bool:
        """Tell whether this person has still to count the field blind."""
        return self.fields[field_id].blind and field_id not in self.mine

    def is_assisted(self, row: Submitted) -> bool:
        """Tell whether its reader may have known a prediction or another's count of the field."""
        seen = bool(row.shown_prediction_id) or row.shown_replaced
        return seen or (row.reader_id, row.field_id) in self.late

    def counts_of(self, method: Method) -> dict[int, _Count]:
        """Return the counts of one way of counting by field; a reader's newest reading."""
        if method.kind == REFERENCE:
            return self.references
        if method.kind == "model":
            found = self.predictions.get(method.id, {})
            return {key: _Count(value, False, frozenset()) for key, value in found.items()}
        newest = {key: rows[-1] for key, rows in self.readings.get(method.id, {}).items()}
        return {
            key: _Count(row.counts[self.code], self.is_assisted(row), frozenset([method.id]))
            for key, row in newest.items()
            if self.code in row.counts
        }


def study_counts(study: Study, user: User, code: str) -> StudyCounts:
    """Load the counts of one cell type in four queries, whatever their number."""
    unreadable = Flag.objects.filter(lifted_at__isnull=True).values("field")
    fields = {
        pk: FieldFacts(name, blind, slide)
        for pk, name, blind, slide in Field.objects.filter(study=study)
        .exclude(pk__in=unreadable)
        .order_by("pk")
        .values_list("pk", "name", "blind", "slide__code")
    }
    readings = Reading.objects.filter(field__study=study, state=Reading.State.SUBMITTED)
    submitted = [
        Submitted(*row)
        for row in readings.order_by("revision").values_list(*Submitted._fields).iterator()
    ]
    mine = {row.field_id for row in submitted if row.reader_id == user.pk}
    settled: set[int] = set()
    counts = StudyCounts(study, code, fields, mine, settled)
    by_id = {row.pk: row for row in submitted}
    references = list(
        ReferenceCount.objects.filter(field__study=study).values_list(
            "field_id", "counts", "superseded_at", "created_at", "reading_id", "second_reading_id"
        )
    )
    known: dict[int, list[tuple[datetime, set[int]]]] = {}
    for field_id, _found, _ended, begun, *numbers in references:
        readers = {by_id[pk].reader_id for pk in numbers if pk in by_id}
        known.setdefault(field_id, []).append((begun, readers))
    counts.late.update(_late(submitted, known))
    for field_id, found, ended, _begun, *readings_behind in references:
        if ended is not None:
            continue
        settled.add(field_id)
        if field_id not in fields or code not in found:
            continue
        behind = [by_id[pk] for pk in readings_behind if pk in by_id]
        counts.references[field_id] = _Count(
            found[code],
            any(counts.is_assisted(row) for row in behind),
            frozenset(row.reader_id for row in behind),
        )
    for row in submitted:
        if row.field_id in fields and (row.field_id in settled or row.field_id in mine):
            counts.readings.setdefault(row.reader_id, {}).setdefault(row.field_id, []).append(row)
    predicted = Prediction.objects.filter(field__study=study)
    for field_id, version_id, found in predicted.values_list(
        "field_id", "model_version_id", "counts"
    ).iterator():
        if field_id in fields and code in found:
            counts.predictions.setdefault(version_id, {})[field_id] = int(found[code]["value"])
    return counts


def _late(
    submitted: Sequence[Submitted], known: dict[int, list[tuple[datetime, set[int]]]]
) -> set[tuple[int, int]]:
    """Return readers and fields that others had settled when the reader first submitted them."""
    firsts: dict[tuple[int, int], Submitted] = {}
    for row in submitted:
        firsts.setdefault((row.reader_id, row.field_id), row)
    return {
        (reader_id, field_id)
        for (reader_id, field_id), first in firsts.items()
        if first.submitted_at is not None
        and any(
            begun <= first.submitted_at and reader_id not in readers
            for begun, readers in known.get(field_id, ())
        )
    }


def methods_of(study: Study) -> list[Method]:
    """Return the reference count, the study's model versions (newest first) and its readers."""
    readers = (
        get_user_model()
        .objects.filter(readings__field__study=study, readings__state=Reading.State.SUBMITTED)
        .distinct()
        .order_by("username")
    )
    versions = ModelVersion.objects.filter(study=study).order_by("-number")
    return [
        Method(REFERENCE),
        *(Method(f"model:{row.pk}", row.name) for row in versions),
        *(Method(f"reader:{row.pk}", row.get_username()) for row in readers),
    ]


def find_method(methods: Sequence[Method], key: str) -> Method:
    """Return the method of that key.

    Raises:
        Refused: the study has none of that key.
    """
    found = next((method for method in methods if method.key == key), None)
    if found is None:
        raise Refused(
            _("Nothing in this study was counted by %(key)s. Choose from: %(keys)s.")
            % {"key": key[:40], "keys": ", ".join(method.key for method in methods)},
            "method",
        )
    return found


def pairs_of(
    counts: StudyCounts, first: Method, second: Method, *, unassisted: bool = False
) -> list[Pair]:
    """Return the fields counted in both ways, in slide order.

    A reference that rests on a reader's own count is no measure for that reader: such fields are
    left out. `unassisted` takes only counts that people made without a prediction before them, and
    without a reference count of others that they may have known.
    """
    one, two = counts.counts_of(first), counts.counts_of(second)
    pairs = []
    for field_id in sorted(one.keys() & two.keys()):
        a, b = one[field_id], two[field_id]
        if a.readers & b.readers or (unassisted and (a.assisted or b.assisted)):
            continue
        row = counts.fields[field_id]
        withheld = counts.hidden(field_id)
        if withheld and field_id not in counts.settled:
            continue
        assisted = a.assisted or b.assisted
        pairs.append(Pair(field_id, row.name, row.slide, a.value, b.value, withheld, assisted))
    return pairs


def pooled(pairs: Sequence[Pair]) -> list[Pair]:
    """Return the pairs that figures are made of: withheld ones only where there are many."""
    shown = [pair for pair in pairs if not pair.withheld]
    return list(pairs) if len(pairs) - len(shown) >= MANY else shown
