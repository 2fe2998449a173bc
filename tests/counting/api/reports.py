"""What tests of a slide's report share: predictions, and its copies read back."""

from __future__ import annotations

import base64
import csv
import io
import re
import zlib
from typing import Any

from django.test import Client

from counting.models import Field, Prediction, Slide
from counting.services import registry

Ends = tuple[int, int, int]


def predict(field: Field, deviation: float | None = None, **counts: Ends) -> Prediction:
    """Store a prediction: value, low and high of each type; without `deviation` one of before."""
    more = {} if deviation is None else {"deviation": deviation}
    return Prediction.objects.create(
        field=field,
        model_version=registry.champion(field.study),
        counts={
            code: {"value": value, "low": low, "high": high, "raw": float(value), **more}
            for code, (value, low, high) in counts.items()
        },
        novelty=0.1,
    )


def report_of(client: Client, slide: Slide, query: str = "") -> Any:
    answer = client.get(f"/api/v1/slides/{slide.pk}/report/{query}")
    assert answer.status_code == 200, answer.content
    return answer.json()


def totals_of(client: Client, slide: Slide, query: str = "") -> dict[str, Any]:
    return {row["cell_type"]: row for row in report_of(client, slide, query)["totals"]}


def csv_row(table: bytes, quantity: str, code: str) -> dict[str, str]:
    (row,) = [
        row
        for row in csv.DictReader(io.StringIO(table.decode()))
        if (row["quantity"], row["cell_type"]) == (quantity, code)
    ]
    return row


def printed(pdf: bytes) -> bytes:
    """Return what a PDF draws on its pages, unpacked (ASCII base 85 over zlib)."""
    packed = re.findall(rb"stream\r?\n(.*?~>)endstream", pdf, re.DOTALL)
    return b"".join(zlib.decompress(base64.a85decode(b"<~" + each, adobe=True)) for each in packed)
