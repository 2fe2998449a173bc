"""When a training run starts, what it learns from, and who may stop it."""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from counting.models import AuditEntry, Field, JobState, ModelVersion, Slide, Study, TrainingRun
from counting.services import registry, slides, training
from tests.counting.conftest import People, add_fields, count

pytestmark = pytest.mark.django_db


def ask(client: Client, study: Study) -> tuple[int, dict[str, Any]]:
    answer = client.post(f"/api/v1/studies/{study.pk}/training-runs/")
    return answer.status_code, answer.json()


def finish(run: TrainingRun) -> None:
    """Do what the training worker does: read the labels, and learn from them."""
    _content, data_hash = training.manifest(run)
    TrainingRun.objects.filter(pk=run.pk).update(state=JobState.SUCCEEDED, data_hash=data_hash)


def test_without_counts_there_is_nothing_to_learn(alice: Client, field: Field) -> None:
    status, body = ask(alice, field.study)
    assert (status, body["code"]) == (400, "no_labels")
    assert "Count some fields" in body["detail"]
    assert not TrainingRun.objects.exists()


def test_held_out_slides_alone_teach_nothing(
    alice: Client, study: Study, slide: Slide, people: People
) -> None:
    second = slides.create_slide(study=study, code="S2", actor=people.bob)
    assert (slide.held_out, second.held_out) == (False, True)
    for field in add_fields(second, people.bob, range(3)):
        count(field, people.bob, RBC=8)
    status, body = ask(alice, study)
    assert (status, "another slide" in body["detail"]) == (400, True)


def test_one_run_at_a_time(alice: Client, field: Field, people: People) -> None:
    count(field, people.bob, RBC=8)
    status, body = ask(alice, field.study)
    assert (status, body["state"]) == (202, "waiting")
    again, conflict = ask(alice, field.study)
    assert (again, conflict["id"]) == (409, body["id"])

    seen = alice.get(f"/api/v1/training-runs/{body['id']}/").json()
    assert (seen["trigger"], seen["progress"], seen["reference_counts"]) == ("manual", 0.0, 1)

    cancelled = alice.post(f"/api/v1/training-runs/{body['id']}/cancel/")
    assert cancelled.json()["state"] == "cancelled"
    over = alice.post(f"/api/v1/training-runs/{body['id']}/cancel/")
    assert (over.status_code, "over" in over.json()["detail"]) == (400, True)
    actions = AuditEntry.objects.filter(action__startswith="training.")
    assert [entry.action for entry in actions] == ["training.start", "training.cancel"]


def test_enough_new_counts_start_a_run(
    study: Study, slide: Slide, people: People, django_capture_on_commit_callbacks: Any
) -> None:
    Study.objects.filter(pk=study.pk).update(retrain_after=3)
    fields = add_fields(slide, people.bob, range(7))
    started = []
    for field in fields:
        with django_capture_on_commit_callbacks(execute=True):
            count(field, people.bob, RBC=8)
        run = TrainingRun.objects.first()
        if run is not None and run.state == JobState.WAITING:
            finish(run)
            started.append((field.pk, run.trigger))
    wanted = [(fields[2].pk, "threshold"), (fields[5].pk, "threshold")]
    assert started == wanted


def test_who_submits_a_count_never_waits_until_the_labels_are_read(
    study: Study, slide: Slide, people: People, django_capture_on_commit_callbacks: Any
) -> None:
    Study.objects.filter(pk=study.pk).update(retrain_after=1)

    def labels_read(field: Field) -> bool:
        with (
            CaptureQueriesContext(connection) as asked,
            django_capture_on_commit_callbacks(execute=True),
        ):
            count(field, people.bob, RBC=8)
        return any(
            'JOIN "counting_reading"' in row["sql"]
            and '."marks"' in row["sql"]
            and 'ORDER BY "counting_referencecount"."field_id"' in row["sql"]
            for row in asked
        )

    fields = add_fields(slide, people.bob, range(3))
    # The first starts a run, the second finds it under way, the third starts the next.
    assert not labels_read(fields[0])
    run = TrainingRun.objects.get()
    assert not labels_read(fields[1])
    finish(run)
    assert not labels_read(fields[2])
    assert TrainingRun.objects.count() == 2


def test_no_run_starts_by_itself_when_it_is_switched_off(
    study: Study, slide: Slide, people: People, django_capture_on_commit_callbacks: Any
) -> None:
    for field, after, runs in zip(
        add_fields(slide, people.bob, range(2)), (None, 1), (0, 1), strict=True
    ):
        Study.objects.filter(pk=study.pk).update(retrain_after=after)
        with django_capture_on_commit_callbacks(execute=True):
            count(field, people.bob, RBC=8)
        assert TrainingRun.objects.count() == runs


def test_the_schedule_trains_only_what_changed(
    study: Study, field: Field, other_study: Study, people: People
) -> None:
    assert training.consider_on_schedule() == 0
    count(field, people.bob, RBC=8)
    assert training.consider_on_schedule() == 1
    run = TrainingRun.objects.get()
    assert (run.study, run.trigger, run.requested_by) == (study, "schedule", None)
    # While it runs, and after it, the same labels start nothing.
    assert training.consider_on_schedule() == 0
    finish(run)
    assert training.consider_on_schedule() == 0
    count(field, people.bob, RBC=9)
    assert training.consider_on_schedule() == 1


def test_the_manifest_splits_by_slide(study: Study, slide: Slide, people: People) -> None:
    second = slides.create_slide(study=study, code="S2", actor=people.bob)
    for field in (
        *add_fields(slide, people.bob, range(2)),
        *add_fields(second, people.bob, range(2, 4)),
    ):
        count(field, people.bob, RBC=8)
    run = training.start_run(study=study, requested_by=people.alice)
    content, _data_hash = training.manifest(run)
    assert content["cell_types"] == ["RBC", "WBC", "PLT"]
    splits = [(entry["group"], entry["split"]) for entry in content["fields"]]
    assert splits == [("S1", "train")] * 2 + [("S2", "holdout")] * 2


def test_one_slide_of_four_is_held_out_whatever_their_names(study: Study, people: People) -> None:
    drawn = [
        slides.create_slide(study=study, code=f"S{number}", actor=people.bob).held_out
        for number in range(16)
    ]
    assert drawn[:4] == [False, True, False, False]
    for block in range(0, 16, 4):
        assert sum(drawn[block : block + 4]) == 1


def promote(client: Client, version: ModelVersion, **asked: Any) -> Any:
    return client.post(f"/api/v1/models/{version.pk}/promote/", asked, "application/json")


def test_an_unjudged_candidate_goes_live_only_over_the_gate_and_is_taken_back_in_one_call(
    alice: Client, field: Field, people: People
) -> None:
    first = registry.champion(field.study)
    second = registry.add_candidate(
        parent=first, bundle=registry.folder(first), data_hash="x", metrics={}
    )
    refused = promote(alice, second)
    assert (refused.status_code, refused.json()["code"]) == (400, "gate")
    assert refused.json()["detail"].startswith("Nobody knows whether v2 is better than v1: ")
    assert registry.champion(field.study) == first

    asked: dict[str, Any] = {"overrule": True}
    for version, other in ((second, first), (first, second), (second, first)):
        answer = promote(alice, version, **asked)
        assert (answer.status_code, answer.json()["state"]) == (200, "champion")
        again = promote(alice, version)
        assert again.status_code == 409
        rows = alice.get(f"/api/v1/studies/{field.study_id}/models/").json()["results"]
        assert {row["id"]: row["state"] for row in rows}[other.pk] == "retired"
        asked = {}
    moves = AuditEntry.objects.filter(action="model.promote")
    assert [entry.new for entry in moves] == [
        {"champion": "v2", "gate_overruled": "not_judged"},
        {"champion": "v1"},
        {"champion": "v2"},
    ]


def test_a_new_champion_predicts_what_nobody_has_counted(
    alice: Client, slide: Slide, people: People, predict_all: Any
) -> None:
    counted, uncounted = add_fields(slide, people.bob, range(2))
    predict_all()
    count(counted, people.bob, RBC=8)
    first = registry.champion(slide.study)
    second = registry.add_candidate(
        parent=first, bundle=registry.folder(first), data_hash="x", metrics={}
    )
    promote(alice, second, overrule=True)

    def shown(field: Field) -> tuple[str, str | None]:
        body = alice.get(f"/api/v1/fields/{field.pk}/").json()
        return body["state"], body["prediction"] and body["prediction"]["model_name"]

    # Never the number of a model that is no longer in use.
    assert shown(uncounted) == ("waiting", None)
    assert shown(counted) == ("counted", "v1")
    assert predict_all() == 1
    assert shown(uncounted) == ("predicted", "v2")
    alice.post(f"/api/v1/models/{first.pk}/promote/")
    assert shown(uncounted) == ("predicted", "v1")
