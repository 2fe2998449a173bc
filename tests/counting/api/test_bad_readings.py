"""Readings that cannot be true are refused with a sentence, and nothing that was there changes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from counting.models import Field, ModelVersion, Prediction, Reading, Study
from counting.services import registry

pytestmark = pytest.mark.django_db

GOOD = {"counts": {"RBC": 8}, "method": "typing", "submit": True}


def mark(**changes: Any) -> dict[str, Any]:
    return {"cell_type": "RBC", "x": 1, "y": 1, **changes}


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "negative": ({"counts": {"RBC": -1}}, "negative"),
    "absurd": ({"counts": {"RBC": 1_000_000}}, "at most 20000"),
    "endless": ({"counts": {"RBC": 10**400}}, "at most 20000"),
    "text": ({"counts": {"RBC": "many"}}, "whole number"),
    "number as text": ({"counts": {"RBC": "8"}}, "whole number"),
    "fraction": ({"counts": {"RBC": 8.5}}, "whole number"),
    "truth": ({"counts": {"RBC": True}}, "whole number"),
    "nothing": ({"counts": {"RBC": None}}, "whole number"),
    "unknown type": ({"counts": {"XYZ": 1}}, "does not count XYZ"),
    "a list": ({"counts": [8]}, "an object of cell types"),
    "no counts": ({"counts": {}}, "at least one type"),
    "mark outside": ({"marks": [mark(x=321)]}, "outside the picture of 320 x 240"),
    "mark before": ({"marks": [mark(y=-0.1)]}, "outside the picture"),
    "mark nowhere": ({"marks": [mark(x="left")]}, "outside the picture"),
    "mark endless": ({"marks": [mark(x=10**400)]}, "outside the picture"),
    "mark without place": ({"marks": [{"cell_type": "RBC"}]}, "needs cell_type, x and y"),
    "mark of unknown type": ({"marks": [mark(cell_type="XYZ")]}, "does not count"),
    "marks as text": ({"marks": "here"}, "list of"),
    "fewer marks than cells": ({"marks": [mark()]}, "RBC: 8 counted, but 1 marked"),
    "marks where none is counted": (
        {"counts": {"RBC": 8, "PLT": 0}, "marks": [mark(cell_type="PLT")]},
        "PLT: 0 counted, but 1 marked",
    ),
    "too many marks": ({"marks": [mark()] * 20_001}, "at most 20000 marks"),
    "method": ({"method": "By Magic!"}, "one short word"),
    "seconds": ({"seconds": -5}, "seconds"),
    "submit": ({"submit": "yes"}, "true or false"),
    "prediction never made": ({"shown_prediction": 99}, "No such prediction"),
    "prediction endless": ({"shown_prediction": 10**30}, "No such prediction"),
    "prediction below all": ({"shown_prediction": -(10**30)}, "No such prediction"),
    "prediction as text": ({"shown_prediction": "v1"}, "No such prediction"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_reading_is_refused_and_a_good_one_is_taken(
    bob: Client, field: Field, case: str
) -> None:
    change, words = BAD[case]
    address = f"/api/v1/fields/{field.pk}/readings/"
    refused = bob.post(address, {**GOOD, **change}, content_type="application/json")
    assert refused.status_code == 400
    assert words in refused.json()["detail"]
    assert not Reading.objects.exists()

    assert bob.post(address, GOOD, content_type="application/json").status_code == 201


def test_true_is_not_the_first_prediction(
    bob: Client, study: Study, field: Field, predict_all: Callable[[], int]
) -> None:
    predict_all()
    version = registry.champion(study)
    # Wherever the ids of the test's database stand: True is 1 to Python.
    Prediction.objects.filter(field=field).update(model_version=_first_version(version))
    address = f"/api/v1/fields/{field.pk}/readings/"
    refused = bob.post(address, {**GOOD, "shown_prediction": True}, content_type="application/json")
    assert (refused.status_code, Reading.objects.count()) == (400, 0)
    taken = bob.post(address, {**GOOD, "shown_prediction": 1}, content_type="application/json")
    assert taken.status_code == 201


def _first_version(like: ModelVersion) -> ModelVersion:
    first, _ = ModelVersion.objects.get_or_create(
        pk=1, defaults={"study": like.study, "number": 99, "sha256": like.sha256}
    )
    return first


@pytest.mark.parametrize("body", ["[1]", '"text"', "{", "\x00", '{"counts": {"RBC": NaN}}'])
def test_a_body_that_is_no_object_is_refused(bob: Client, field: Field, body: str) -> None:
    answer = bob.post(f"/api/v1/fields/{field.pk}/readings/", body, content_type="application/json")
    assert answer.status_code == 400
    assert answer.json()["detail"]
    assert not Reading.objects.exists()


def test_a_draft_keeps_marks_and_numbers_that_differ_so_far(bob: Client, field: Field) -> None:
    address = f"/api/v1/fields/{field.pk}/readings/"
    draft = {"counts": {"RBC": 8}, "marks": [mark()], "submit": False}
    assert bob.post(address, draft, content_type="application/json").status_code == 201
    kept = Reading.objects.get()
    assert (kept.counts, len(kept.marks)) == ({"RBC": 8}, 1)
    refused = bob.post(address, {**draft, "submit": True}, content_type="application/json")
    assert refused.status_code == 400
    same = {**draft, "counts": {"RBC": 1}, "submit": True}
    assert bob.post(address, same, content_type="application/json").status_code == 201


def test_marks_alone_are_counted(bob: Client, field: Field) -> None:
    body = {"marks": [mark(), mark(x=9), mark(cell_type="PLT")], "method": "marks"}
    answer = bob.post(f"/api/v1/fields/{field.pk}/readings/", body, content_type="application/json")
    assert answer.json()["counts"] == {"RBC": 2, "PLT": 1}


def test_marks_alone_are_no_numbers_in_a_draft(bob: Client, field: Field) -> None:
    body = {"counts": {"WBC": 0}, "marks": [mark(), mark(x=9)], "submit": False}
    answer = bob.post(f"/api/v1/fields/{field.pk}/readings/", body, content_type="application/json")
    assert (answer.status_code, answer.json()["counts"]) == (201, {"WBC": 0})
