"""The counts of a study as CSV: a row for each field and cell type, then the slide's totals."""

from __future__ import annotations

import csv
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

from django.utils import translation

from counting.models import CountingRule, Flag, Ruling, Study

from .fields import FieldView, view_fields
from .review import ruled_by

if TYPE_CHECKING:
    from django.contrib.auth.models import User

COLUMNS = (
    "level",
    "slide",
    "held_out",
    "field_id",
    "field",
    "sha256",
    "cell_type",
    "count",
    "basis",
    "reader",
    "reader_count",
    "ruled_by",
    "method",
    "revision",
    "submitted_at",
    "predicted",
    "predicted_low",
    "predicted_high",
    "model_version",
    "novelty",
    "faults",
    "prediction_shown",
    "fields",
    "fields_counted",
    "fields_predicted",
    "flag",
    "counting_rule",
    "notice",
)
NOTICE = "For research use only. Not for use in diagnostic procedures."


class _Echo:
    """A file that hands back what is written, so that rows can be streamed."""

    def write(self, text: str) -> str:
        return text


def counts_csv(study: Study, user: User) -> Iterator[str]:
    """Yield the lines of the study's counts, as `user` may see them."""
    writer = csv.DictWriter(_Echo(), COLUMNS)
    yield ",".join(COLUMNS) + "\r\n"
    codes = list(study.cell_types.values_list("code", flat=True))
    made = Ruling.objects.filter(field__study=study).select_related("reviewer").order_by("pk")
    rulings = {row.field_id: row for row in made}  # the newest of each field
    everywhere = {"counting_rule": _rule(study), "notice": NOTICE}
    for slide in study.slides.order_by("code"):
        views = view_fields(list(slide.fields.order_by("pk")), user)
        for row in (*_field_rows(views, codes, rulings), *_totals(views, codes, rulings)):
            row |= {"slide": slide.code, "held_out": int(slide.held_out)} | everywhere
            yield writer.writerow({key: plain(value) for key, value in row.items()})


def _field_rows(
    views: list[FieldView], codes: list[str], rulings: dict[int, Ruling]
) -> Iterator[dict[str, Any]]:
    for view in views:
        for code in codes:
            row = {
                "level": "field",
                "field_id": view.field.pk,
                "field": view.field.name,
                "sha256": view.field.sha256,
                "cell_type": code,
                "fields": 1,
                "flag": _words(view.flag) if view.flag else "",
            }
            yield row | _counted(view, code, rulings) | _predicted(view, code)


def _counted(view: FieldView, code: str, rulings: dict[int, Ruling]) -> dict[str, Any]:
    reference = view.reference
    if reference is None or code not in reference.counts:
        return {}
    readings = [reference.reading, reference.second_reading]
    known = [reading for reading in readings if reading is not None]
    shown = reference.reading.shown_prediction
    replaced = "replaced" if reference.reading.shown_replaced else ""
    return {
        "count": reference.counts[code],
        "basis": reference.basis,
        "reader": " + ".join(reading.reader.get_username() for reading in known),
        "reader_count": " + ".join(str(reading.counts[code]) for reading in known),
        "ruled_by": ruled_by(reference, rulings.get(reference.field_id)),
        "method": " + ".join(reading.method for reading in known),
        "revision": " + ".join(str(reading.revision) for reading in known),
        "submitted_at": known[-1].submitted_at,
        "prediction_shown": shown.model_version.name if shown else replaced or "none",
    }


@translation.override("en")
def _predicted(view: FieldView, code: str) -> dict[str, Any]:
    prediction = None if view.flag else view.prediction
    if prediction is None or code not in prediction.counts:
        return {}
    count = prediction.counts[code]
    return {
        "predicted": count["value"],
        "predicted_low": count["low"],
        "predicted_high": count["high"],
        "model_version": prediction.model_version.name,
        "novelty": round(prediction.novelty, 3),
        "faults": " + ".join(prediction.faults),
    }


@translation.override("en")
def _rule(study: Study) -> str:
    return str(CountingRule(study.counting_rule).label)


@translation.override("en")
def _words(flag: Flag) -> str:
    """Return why a field is flagged, in the same words for every reader of the file."""
    return flag.get_reason_display()


def _totals(
    views: list[FieldView], codes: list[str], rulings: dict[int, Ruling]
) -> Iterator[dict[str, Any]]:
    """Yield the slide's totals: over the fields that are counted, and over those predicted.

    Each comes with its number of fields, since they need not be the same. Flagged fields are in
    neither.
    """
    readable = sum(view.flag is None for view in views)
    for code in codes:
        counted = [part for view in views if (part := _counted(view, code, rulings))]
        predicted = [part for view in views if (part := _predicted(view, code))]
        row: dict[str, Any] = {
            "level": "slide",
            "cell_type": code,
            "fields": readable,
            "fields_counted": len(counted),
            "fields_predicted": len(predicted),
        }
        if counted:
            row["count"] = sum(part["count"] for part in counted)
            row["basis"] = f"{len(counted)} fields counted"
            for column in ("reader", "ruled_by"):
                names = {name for part in counted for name in part[column].split(" + ")}
                row[column] = " + ".join(sorted(names - {""}))
        if predicted:
            row["predicted"] = sum(part["predicted"] for part in predicted)
            versions = {part["model_version"] for part in predicted}
            row["model_version"] = " + ".join(sorted(versions))
        yield row


def plain(value: Any) -> Any:
    """Keep a spreadsheet from taking a text for a formula (OWASP, CSV injection)."""
    if isinstance(value, str) and value[:1] in ("=", "+", "-", "@", "\t", "\r"):
        return "'" + value
    return value
