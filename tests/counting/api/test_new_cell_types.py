"""A study counts a type of its own from some day on; what was counted before goes on without it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.test import Client

from counting.models import AuditEntry, CellType, Field, Slide, Study
from counting.services import studies, training
from tests.counting.conftest import People, add_fields, bare_fields, count

pytestmark = pytest.mark.django_db

RET = {"code": "RET", "name": "Reticulocytes", "key": "e"}


def add(client: Client, study: Study, **changes: str) -> Any:
    address = f"/api/v1/studies/{study.pk}/cell-types/"
    return client.post(address, RET | changes, content_type="application/json")


def test_an_admin_adds_a_type_with_a_color_and_a_shape_of_its_own(
    alice: Client, study: Study
) -> None:
    made = add(alice, study, code=" ret ")
    assert made.status_code == 201
    assert made.json() == RET | {"color": "#009e73", "position": 3}
    entry = AuditEntry.objects.get(action="cell_types.add")
    assert entry.new == RET | {"color": "#009e73"}


@pytest.mark.parametrize(
    ("wrong", "status", "words"),
    [
        ({"code": "RBC"}, 409, "a cell type RBC already"),
        ({"code": "4X"}, 400, "capital letters"),
        ({"key": "r"}, 400, "the same key"),
        ({"key": "a"}, 400, "another meaning"),
        ({"key": "?"}, 400, "one lower-case letter or digit"),
        ({"color": "red"}, 400, "written like"),
    ],
)
def test_what_is_taken_or_cannot_be_is_refused(
    alice: Client, study: Study, wrong: dict[str, str], status: int, words: str
) -> None:
    refused = add(alice, study, **wrong)
    assert (refused.status_code, study.cell_types.count()) == (status, 3)
    assert words in refused.json()["detail"]


def test_the_page_adds_a_type_with_the_settings_or_shows_what_is_wrong(
    alice: Client, study: Study
) -> None:
    address = f"/studies/{study.pk}/settings/"
    form = {"name": "Ward 8", "counting_rule": "all", "readers_per_field": "1"}
    color = alice.get(address).context["new"]["color"]
    new = {"new-name": "Blasts", "new-key": "x", "new-color": color}
    refused = alice.post(address, form | new | {"new-code": "WBC"})
    assert refused.status_code == 400
    assert "a cell type WBC already" in refused.content.decode()
    assert 'value="Blasts"' in refused.content.decode()
    study.refresh_from_db()
    assert study.name == "Ward 7"

    assert alice.post(address, form | new | {"new-code": "BLAST"}).status_code == 302
    assert alice.post(address, form | {"new-color": color}).status_code == 302
    row = CellType.objects.get(study=study, code="BLAST")
    assert (row.name, row.key, row.position, study.cell_types.count()) == ("Blasts", "x", 3, 4)


def test_everything_goes_on_with_fields_from_before(
    alice: Client,
    bob: Client,
    slide: Slide,
    people: People,
    predict_all: Callable[[], int],
) -> None:
    before, after = add_fields(slide, people.bob, range(2))
    predict_all()
    count(before, people.bob, RBC=8, WBC=1, PLT=2)
    assert add(alice, slide.study).status_code == 201

    # The model suggests nothing for it, and who counts may submit it.
    assert "RET" not in bob.get(f"/api/v1/fields/{after.pk}/").json()["prediction"]["counts"]
    assert 'data-type="RET"' in bob.get(f"/fields/{after.pk}/").content.decode()
    count(after, people.bob, RBC=9, WBC=1, PLT=2, RET=3)

    report = bob.get(f"/api/v1/slides/{slide.pk}/report/").json()
    totals = {row["cell_type"]: row for row in report["totals"]}
    assert (totals["RET"]["counted"], totals["RET"]["counted_fields"]) == (3, 1)
    assert totals["RBC"]["counted_fields"] == 2
    # Nothing of the model stands in for the type that it does not know.
    assert report["model_versions"] == []
    so_far = bob.get(f"/api/v1/slides/{slide.pk}/so-far/").json()
    assert (so_far["cells"]["RET"], so_far["fields"]["RET"], so_far["fields"]["RBC"]) == (3, 1, 2)
    for page in (
        f"/slides/{slide.pk}/report/",
        f"/slides/{slide.pk}/report.pdf",
        f"/slides/{slide.pk}/report.csv",
        f"/studies/{slide.study_id}/",
        f"/studies/{slide.study_id}/agreement/?cell_type=RET",
        f"/studies/{slide.study_id}/models/",
        f"/api/v1/studies/{slide.study_id}/agreement/?cell_type=RET",
    ):
        assert bob.get(page).status_code == 200, page
    answer = bob.get(f"/api/v1/studies/{slide.study_id}/counts.csv")
    lines = b"".join(answer.streaming_content).decode().splitlines()  # type: ignore[attr-defined]
    rows = [line.split(",") for line in lines if ",RET," in line]
    assert [(row[0], row[7]) for row in rows] == [("field", ""), ("field", "3"), ("slide", "3")]

    learned = training.labelled_set(slide.study).fields
    assert ["RET" in field["counts"] for field in learned] == [False, True]
    again = Field.objects.get(pk=before.pk)
    count(again, people.bob, RBC=8, WBC=1, PLT=2, RET=0)
    assert again.references.get(superseded_at=None).counts["RET"] == 0


def settled(field: Field) -> dict[str, int] | None:
    row = field.references.filter(superseded_at=None).first()
    return row.counts if row else None


def test_two_readings_agree_with_a_type_added_between_them(
    alice: Client, slide: Slide, people: People
) -> None:
    Study.objects.filter(pk=slide.study_id).update(readers_per_field=2)
    early, over, late = bare_fields(slide, 3)
    for field in (early, over):
        count(field, people.bob, RBC=20)
    count(early, people.rita, RBC=20)
    assert add(alice, slide.study).status_code == 201

    # Who read before had no such type to count: it waits until both have it.
    count(over, people.rita, RBC=20, RET=2)
    assert settled(over) == {"RBC": 20}
    count(over, people.bob, RBC=20, RET=2)
    assert settled(over) == {"RBC": 20, "RET": 2}
    # One of them adds it to what was settled; nobody reviews what they agree on.
    count(early, people.bob, RBC=20, RET=4)
    assert settled(early) == {"RBC": 20}
    count(early, people.alice, RBC=30)
    assert not early.readings.filter(ruling=True).exists()
    assert settled(early) == {"RBC": 20}
    count(early, people.rita, RBC=20, RET=9)
    assert settled(early) is None

    # Who could count it and left it out differs from who counted it.
    count(late, people.bob, RBC=20)
    count(late, people.rita, RBC=20, RET=2)
    assert settled(late) is None


def test_a_new_rule_and_a_review_leave_a_type_added_between_two_readings_out(
    alice: Client, slide: Slide, people: People
) -> None:
    Study.objects.filter(pk=slide.study_id).update(readers_per_field=2)
    (field,) = bare_fields(slide, 1)
    count(field, people.bob, RBC=20)
    assert add(alice, slide.study).status_code == 201
    count(field, people.rita, RBC=30, RET=2)
    (row,) = alice.get(f"/api/v1/studies/{slide.study_id}/review/").json()["results"]
    assert row["apart"] == ["RBC"]
    studies.update_study(study=slide.study, actor=people.alice, agreement_tolerance=0.5)
    assert settled(field) == {"RBC": 25}
