"""What was said of a slide can be put right; what the model saw before does not outlive that."""

from __future__ import annotations

import csv
from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client
from PIL import Image

from counting.models import AuditEntry, Field, PredictionJob, Reading, Slide
from counting.services import calibrations, jobs, readings, slides
from ml.config import RED_CELL_MICRONS, BundleConfig
from ml.look import prepare
from tests.counting.conftest import People, add_fields, count

pytestmark = pytest.mark.django_db

JSON = "application/json"


@pytest.fixture
def change(bob: Client, slide: Slide) -> Callable[..., Any]:
    def patch(**said: object) -> Any:
        return bob.patch(f"/api/v1/slides/{slide.pk}/", said, content_type=JSON)

    return patch


def test_what_is_said_of_a_slide_changes_and_its_part_stays(
    slide: Slide, people: People, change: Callable[..., Any]
) -> None:
    # The second slide of a study is held out; no new code moves either of them.
    judging = slides.create_slide(study=slide.study, code="S2", actor=people.bob)
    assert (slide.held_out, judging.held_out) == (False, True)
    said = {
        "code": "A-7",
        "stain": "Giemsa",
        "objective": "100x oil",
        "microns_per_pixel": 0.06451,
        "field_choice": "around_cell",
    }
    answer = change(**said)
    assert answer.status_code == 200
    assert answer.json() == answer.json() | said | {"held_out": False}
    entry = AuditEntry.objects.get(action="slide.update")
    assert entry.old is not None
    assert (entry.old["code"], entry.new) == ("S1", said)
    assert change(code=" A-7 ").status_code == 200
    assert AuditEntry.objects.filter(action="slide.update").count() == 1

    taken = change(code="S2")
    assert (taken.status_code, taken.json()["id"]) == (409, judging.pk)
    assert taken.json()["detail"] == "This study has a slide S2 already."
    for wrong in ({"microns_per_pixel": 50}, {"code": ""}, {"field_choice": "chance"}):
        assert change(**wrong).status_code == 400


def test_micrometers_that_are_taken_are_taken_by_the_model_too(
    change: Callable[..., Any], slide: Slide
) -> None:
    for microns in (0.005, 10.0):
        assert change(microns_per_pixel=microns).status_code == 200
        work = prepare(Image.new("RGB", (64, 48), "white"), microns, BundleConfig())
        assert work.cell_px == pytest.approx(RED_CELL_MICRONS / microns)
    for microns in (0.004, 11.0):
        assert change(microns_per_pixel=microns).status_code == 400


def test_the_page_changes_nothing_that_nobody_touched(bob: Client, slide: Slide) -> None:
    Slide.objects.filter(pk=slide.pk).update(microns_per_pixel=1.23456, stain="Wright")
    bob.post("/language/", {"language": "id"})
    address = f"/slides/{slide.pk}/edit/"
    form = bob.get(address).context["form"]
    shown = {name: form[name].value() for name in form.fields}
    assert bob.post(address, {**shown, "code": "S7"}).status_code == 302
    slide.refresh_from_db()
    assert (slide.code, slide.stain, slide.microns_per_pixel) == ("S7", "Wright", 1.23456)
    assert bob.post(address, {**shown, "code": ""}).status_code == 400


def test_other_microns_per_pixel_predict_again_what_nobody_counted(
    slide: Slide,
    people: People,
    change: Callable[..., Any],
    predict_all: Callable[[], int],
) -> None:
    counted, begun, fresh = add_fields(slide, people.bob, range(3))
    predict_all()
    before = {field.pk: field.predictions.get() for field in (counted, begun, fresh)}
    shown = before[begun.pk]
    count(counted, people.bob, RBC=8)
    draft = readings.save_reading(
        field=begun, reader=people.rita, counts={"RBC": 4}, submit=False, shown_prediction=shown
    )
    assert change(stain="Giemsa").status_code == 200
    assert predict_all() == 0

    assert change(microns_per_pixel=0.2).status_code == 200
    assert predict_all() == 2
    assert counted.predictions.get() == before[counted.pk]
    for field in (begun, fresh):
        assert field.predictions.get().pk != before[field.pk].pk
    draft.refresh_from_db()
    assert (draft.counts, draft.shown_prediction) == ({"RBC": 4}, None)


def test_a_worker_that_looked_at_the_old_size_writes_nothing(
    field: Field, change: Callable[..., Any], predict_all: Callable[[], int]
) -> None:
    late = jobs.claim(PredictionJob, PredictionJob.objects.get().pk)
    assert late is not None
    assert change(microns_per_pixel=0.2).status_code == 200
    assert not jobs.succeed(late)
    assert predict_all() == 1


def test_a_slide_behind_a_calibration_stays_one_at_random(
    field: Field, people: People, change: Callable[..., Any]
) -> None:
    count(field, people.bob, WBC=2)
    setup = {"cell_type": "WBC", "microscope": "M1", "objective": "100x"}
    made = calibrations.create_calibration(study=field.study, actor=people.rita, **setup)
    sample = calibrations.add_slide(
        calibration=made, actor=people.rita, slide=field.slide, analyzer_value=7200
    )
    refused = change(field_choice="around_cell")
    assert (refused.status_code, refused.json()["code"]) == (400, "calibration")
    assert change(stain="Giemsa").status_code == 200
    calibrations.remove_sample(sample=sample, actor=people.rita)
    assert change(field_choice="around_cell").status_code == 200


@pytest.mark.parametrize("submit", [False, True])
def test_counts_begun_from_a_prediction_made_anew_are_kept_and_claim_no_other(
    bob: Client,
    field: Field,
    change: Callable[..., Any],
    predict_all: Callable[[], int],
    submit: bool,
) -> None:
    def save(**shown: object) -> tuple[int, Reading]:
        body = {"counts": {"RBC": 8}, "method": "accepted", "submit": submit, **shown}
        answer = bob.post(f"/api/v1/fields/{field.pk}/readings/", body, content_type=JSON)
        return answer.status_code, field.readings.order_by("revision").last()  # type: ignore[return-value]

    predict_all()
    seen = bob.get(f"/api/v1/fields/{field.pk}/").json()["prediction"]
    assert change(microns_per_pixel=0.2).status_code == 200
    # While it is made again, and after.
    for predicted in (0, 1):
        status, kept = save(prediction=seen["id"])
        assert (status, kept.counts) == (201, {"RBC": 8})
        assert (kept.shown_prediction, kept.shown_replaced) == (None, True)
        assert predicted or predict_all() == 1
    now = field.predictions.get()
    assert (now.pk != seen["id"], now.model_version_id) == (True, seen["model_version"])
    # What is in view now; by its version alone, as scripts have said it so far.
    for shown in ({"prediction": now.pk}, {"shown_prediction": now.model_version_id}):
        status, kept = save(**shown)
        assert (status, kept.shown_prediction, kept.shown_replaced) == (201, now, False)
    for wrong in (True, "v1", 10**30, -1):
        assert save(prediction=wrong)[0] == 400


def test_a_count_begun_from_a_prediction_made_anew_is_none_made_without_one(
    bob: Client,
    field: Field,
    people: People,
    change: Callable[..., Any],
    predict_all: Callable[[], int],
) -> None:
    predict_all()
    seen = bob.get(f"/api/v1/fields/{field.pk}/").json()["prediction"]
    assert change(microns_per_pixel=0.2).status_code == 200
    predict_all()
    body = {"counts": {"RBC": 8}, "method": "accepted", "prediction": seen["id"]}
    address = f"/api/v1/fields/{field.pk}/readings/"
    assert bob.post(address, body, content_type=JSON).status_code == 201

    study = f"/api/v1/studies/{field.study_id}"
    lines = b"".join(bob.get(f"{study}/counts.csv").streaming_content).decode()  # type: ignore[attr-defined]
    first = next(csv.DictReader(lines.splitlines()))
    assert (first["method"], first["prediction_shown"]) == ("accepted", "replaced")
    ways = {
        "cell_type": "RBC",
        "first": f"reader:{people.bob.pk}",
        "second": f"model:{seen['model_version']}",
    }
    found = [
        len(bob.get(f"{study}/agreement/", ways | more).json()["points"])
        for more in ({}, {"readings": "blind"})
    ]
    assert found == [1, 0]
