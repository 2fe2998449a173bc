"""Two transactions at once on PostgreSQL: one is held open until the other waits for it.

SQLite has one writer at a time: there nothing of this can happen.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import pytest
from django.db import connection, transaction
from django.test import Client

from counting.errors import Refused
from counting.models import Field, ModelVersion, Prediction, PredictionJob, Slide
from counting.services import deletions, predictions, readings, registry, slides, studies
from tests.counting.conftest import People
from tests.waiting import wait_until

pytestmark = pytest.mark.django_db(transaction=True)

Beside = Callable[[Callable[[], Any]], Future[None]]


@pytest.fixture
def beside(db: None) -> Iterator[Beside]:
    """Return a function that does its part in another transaction, and commits that as soon as
    somebody waits for it.
    """
    if connection.vendor != "postgresql":
        pytest.skip("SQLite has one writer at a time")

    def hold(part: Callable[[], Any], done: threading.Event) -> None:
        try:
            with transaction.atomic():
                part()
                done.set()
                wait_until(_somebody_waits, 30, "the other transaction to wait")
        finally:
            done.set()
            connection.close()

    with ThreadPoolExecutor(1) as pool:

        def start(part: Callable[[], Any]) -> Future[None]:
            done = threading.Event()
            future = pool.submit(hold, part, done)
            assert done.wait(30)
            return future

        yield start


def _somebody_waits() -> bool:
    with connection.cursor() as cursor:
        cursor.execute("SELECT 1 FROM pg_locks WHERE NOT granted")
        return cursor.fetchone() is not None


def test_a_submission_before_the_pixels_change_keeps_what_it_was_shown(
    field: Field, people: People, predict_all: Callable[[], int], beside: Beside
) -> None:
    predict_all()
    shown = Prediction.objects.get()
    submitted = beside(
        lambda: readings.save_reading(
            field=field, reader=people.rita, counts={"RBC": 4}, shown_prediction=shown
        )
    )
    slides.update(slide=field.slide, actor=people.bob, microns_per_pixel=0.2)
    submitted.result(30)
    assert field.readings.get().shown_prediction == shown
    assert predict_all() == 0
    assert Slide.objects.get().microns_per_pixel == 0.2


def test_a_submission_before_the_counting_rule_changes_keeps_its_rule(
    field: Field, people: People, beside: Beside
) -> None:
    submitted = beside(
        lambda: readings.save_reading(field=field, reader=people.rita, counts={"RBC": 4})
    )
    with pytest.raises(Refused, match="1 field is counted by the rule"):
        studies.update_study(study=field.study, actor=people.alice, counting_rule="none")
    submitted.result(30)


def test_a_submission_while_the_pixels_change_is_kept_and_claims_no_prediction(
    field: Field,
    people: People,
    bob: Client,
    predict_all: Callable[[], int],
    beside: Beside,
) -> None:
    predict_all()
    old = Prediction.objects.get()
    said = {"counts": {"RBC": 4}, "shown_prediction": old.model_version_id}

    def submit() -> Any:
        address = f"/api/v1/fields/{field.pk}/readings/"
        return bob.post(address, said, content_type="application/json")

    changed = beside(
        lambda: slides.update(slide=field.slide, actor=people.bob, microns_per_pixel=0.2)
    )
    answer = submit()
    changed.result(30)
    assert answer.status_code == 201
    reading = field.readings.get()
    assert (reading.counts, reading.shown_prediction) == ({"RBC": 4}, None)
    assert reading.shown_replaced


@pytest.mark.parametrize("whole_slide", [False, True])
def test_a_prediction_that_is_being_written_goes_with_its_field(
    field: Field, people: People, beside: Beside, whole_slide: bool
) -> None:
    job = PredictionJob.objects.get()
    written = beside(lambda: predictions.run_waiting(job.pk))
    if whole_slide:
        deletions.delete_slide(slide=field.slide, actor=people.bob)
    else:
        deletions.delete_field(field=field, actor=people.bob)
    written.result(30)
    assert not any(table.objects.exists() for table in (Field, Prediction, PredictionJob))


def test_a_champion_that_goes_live_survives_the_end_of_a_field(
    field: Field, people: People, predict_all: Callable[[], int], beside: Beside
) -> None:
    predict_all()
    old = registry.champion(field.study)
    better = ModelVersion.objects.create(study=field.study, number=2, sha256=old.sha256, parent=old)
    promoted = beside(lambda: registry.promote(version=better, actor=None, instead_of=old))
    deletions.delete_field(field=field, actor=people.bob)
    promoted.result(30)
    assert registry.champion(field.study) == better
    assert not PredictionJob.objects.exists()


@pytest.mark.parametrize("whole_slide", [False, True])
def test_who_comes_while_it_is_deleted_is_told_that_nothing_is_there(
    field: Field, people: People, bob: Client, beside: Beside, whole_slide: bool
) -> None:
    def delete() -> None:
        if whole_slide:
            deletions.delete_slide(slide=field.slide, actor=people.bob)
        else:
            deletions.delete_field(field=field, actor=people.bob)

    address = f"slides/{field.slide_id}" if whole_slide else f"fields/{field.pk}"
    deleted = beside(delete)
    assert bob.post(f"/{address}/delete/").status_code == 404
    deleted.result(30)
    assert bob.delete(f"/api/v1/{address}/").status_code == 404


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("readings", {"counts": {"RBC": 4}}),
        ("flag", {"reason": "focus"}),
        ("comments", {"text": "Many clumps."}),
    ],
)
def test_what_is_said_of_a_field_while_it_is_deleted_is_not_taken(
    field: Field, people: People, bob: Client, beside: Beside, what: str, said: dict[str, Any]
) -> None:
    deleted = beside(lambda: deletions.delete_field(field=field, actor=people.bob))
    address = f"/api/v1/fields/{field.pk}/{what}/"
    answer = bob.post(address, said, content_type="application/json")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    deleted.result(30)
