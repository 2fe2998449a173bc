"""What an answer costs does not grow with what it does not show."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.db import connection
from django.db.models import Model
from django.db.models.signals import post_init
from django.test import Client
from django.test.utils import CaptureQueriesContext

from counting.models import Field, ModelVersion, Prediction, Slide, Study, TrainingRun
from counting.selectors import queue
from counting.services import registry, slides
from tests.counting.conftest import People, bare_fields, count

pytestmark = pytest.mark.django_db


@contextmanager
def rows_of(model: type[Model]) -> Iterator[Callable[[], int]]:
    """Count the rows of `model` that are made into objects."""
    made: list[object] = []

    def note(instance: object, **_: Any) -> None:
        made.append(instance)

    post_init.connect(note, sender=model)
    try:
        yield lambda: len(made)
    finally:
        post_init.disconnect(note, sender=model)


def predict(field: Field, version: ModelVersion) -> Prediction:
    red = {"value": version.number, "low": 0, "high": 20, "raw": float(version.number)}
    return Prediction.objects.create(
        field=field, model_version=version, counts={"RBC": red}, novelty=0.1
    )


def test_predictions_of_models_that_are_not_shown_are_not_read(
    bob: Client, slide: Slide, people: People
) -> None:
    counted, late, waiting = bare_fields(slide, 3)
    for field in (counted, late):
        count(field, people.bob, RBC=8)
    champion = registry.champion(slide.study)
    for field in (counted, waiting):
        predict(field, champion)

    def add(*numbers: int) -> None:
        for number in numbers:
            version = ModelVersion.objects.create(
                study=slide.study, number=number, sha256=champion.sha256, state="retired"
            )
            for field in (counted, late, waiting):
                predict(field, version)

    def shown() -> tuple[dict[str, int], int]:
        with rows_of(Prediction) as number:
            rows = bob.get(f"/api/v1/fields/?slide={slide.pk}").json()["results"]
            return {row["name"]: row["prediction"]["model_version"] for row in rows}, number()

    add(2)
    before, few = shown()
    add(3, 4, 5)
    after, many = shown()
    # The champion's where there is one; a counted field without shows the newest.
    newest = {number: ModelVersion.objects.get(number=number).pk for number in (2, 5)}
    own = {counted.name: champion.pk, waiting.name: champion.pk}
    assert before == {**own, late.name: newest[2]}
    assert after == {**own, late.name: newest[5]}
    assert few == many


def test_to_give_out_one_field_the_others_are_not_read(
    bob: Client, study: Study, slide: Slide
) -> None:
    def cost() -> int:
        with rows_of(Field) as number:
            assert bob.get(address).json()["field"] == first.pk
            return number()

    address = f"/api/v1/studies/{study.pk}/next/"
    first, *_ = bare_fields(slide, 2)
    few = cost()
    bare_fields(slide, 30)
    assert cost() == few


def test_every_waiting_field_has_its_turn(study: Study, slide: Slide, people: People) -> None:
    ids = [field.pk for field in bare_fields(slide, 60)]
    assert [turn.field_id for turn in queue.turns(study, people.bob)] == ids
    here = Field.objects.get(pk=ids[25])
    after = [turn.field_id for turn in queue.turns(study, people.bob, here)]
    assert after == ids[26:] + ids[:25]


def test_the_field_before_is_of_this_slide_or_of_the_one_before(
    bob: Client, study: Study, slide: Slide, people: People
) -> None:
    second = slides.create_slide(study=study, code="S2", actor=people.bob)
    later = bare_fields(second, 2)
    first = bare_fields(slide, 2)
    order = [*first, *later]
    for field, previous in zip(order, ["", *(row.pk for row in order)], strict=False):
        page = bob.get(f"/fields/{field.pk}/").content.decode()
        assert f'data-previous="{previous}"' in page


@pytest.fixture
def run(study: Study) -> TrainingRun:
    return TrainingRun.objects.create(
        study=study,
        trigger="manual",
        state="succeeded",
        data_hash="x",
        reference_counts=1,
        champion=registry.champion(study),
        log="epoch 1\n" * 1000,
    )


@pytest.mark.parametrize("list_of", ["/studies/{}/models/", "/api/v1/studies/{}/training-runs/"])
def test_the_list_of_runs_does_not_read_their_logs(
    alice: Client, run: TrainingRun, list_of: str
) -> None:
    with CaptureQueriesContext(connection) as queries:
        answer = alice.get(list_of.format(run.study_id))
    assert (answer.status_code, b"epoch 1" in answer.content) == (200, False)
    lists = [row["sql"] for row in queries if not row["sql"].endswith("LIMIT 1")]
    assert not [sql for sql in lists if '"counting_trainingrun"."log"' in sql]


def test_a_run_has_what_its_row_in_the_list_has_and_its_log(
    alice: Client, run: TrainingRun
) -> None:
    (row,) = alice.get(f"/api/v1/studies/{run.study_id}/training-runs/").json()["results"]
    whole = alice.get(f"/api/v1/training-runs/{run.pk}/").json()
    assert whole == {**row, "log": run.log}
