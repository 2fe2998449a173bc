"""A blind field keeps its prediction back at every door until the reader has submitted."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from counting.models import Field, ModelVersion, Prediction, Reading, Slide, Study
from counting.services import studies
from tests.counting.conftest import People, add_fields, bare_fields, count
from tests.counting.doors import texts

pytestmark = pytest.mark.django_db

# As whole words these stand nowhere else in an answer: not in a time, not in a token.
SECRET = re.compile(r"\b(18731|18732|18733|77\.7|0\.9173|917|blurred|refocus)\b")


@pytest.fixture
def blind(study: Study, field: Field) -> Field:
    """A blind field with its prediction, and marks, novelty, faults and counts known by sight."""
    Field.objects.filter(pk=field.pk).update(blind=True)
    Study.objects.filter(pk=study.pk).update(queue_order="teach")
    Prediction.objects.create(
        field=field,
        model_version=ModelVersion.objects.get(study=study, state="champion"),
        counts={"RBC": {"value": 18732, "low": 18731, "high": 18733, "raw": 18732.0}},
        marks=[{"cell_type": "RBC", "x": 77.7, "y": 77.7}],
        novelty=0.9173,
        novel=True,
        faults=["blurred"],
    )
    return field


def text_of(answer: Any) -> str:
    assert answer.status_code in (200, 201, 202), answer.content[:300]
    body: bytes = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return body.decode()


def test_no_door_gives_the_prediction_before_the_reading(
    bob: Client, alice: Client, blind: Field
) -> None:
    for address, text in texts(bob, blind):
        assert not SECRET.search(text), address
    assert not SECRET.search(text_of(bob.post(f"/api/v1/fields/{blind.pk}/predict/")))
    for submit in (False, True):
        body = {"counts": {"RBC": 8}, "method": "typing", "submit": submit}
        if submit:
            # A draft does not open it.
            assert not SECRET.search(text_of(bob.get(f"/api/v1/fields/{blind.pk}/")))
        sent = bob.post(
            f"/api/v1/fields/{blind.pk}/readings/", body, content_type="application/json"
        )
        assert not SECRET.search(text_of(sent))

    # The same doors show it once it was counted, to who counted it.
    shown = {address for address, text in texts(bob, blind) if SECRET.search(text)}
    assert {
        "/api/v1/fields/?slide=",
        f"/api/v1/fields/{blind.pk}/",
        f"/api/v1/studies/{blind.study_id}/counts.csv",
    } <= shown
    assert not any(SECRET.search(text) for _, text in texts(alice, blind))


def test_the_queue_does_not_let_a_blind_field_s_prediction_show(bob: Client, blind: Field) -> None:
    assert bob.get(f"/api/v1/studies/{blind.study_id}/next/").json()["field"] == blind.pk
    seen = bob.get(f"/api/v1/fields/{blind.pk}/").json()
    assert (seen["reason"], seen["why"]) == ("random", "random pick")


def test_a_prediction_that_was_hidden_cannot_have_been_shown(bob: Client, blind: Field) -> None:
    version = ModelVersion.objects.get(study=blind.study_id, state="champion")
    address = f"/api/v1/fields/{blind.pk}/readings/"
    body = {"counts": {"RBC": 8}, "shown_prediction": version.pk, "seconds": 7}
    refused = bob.post(address, body, content_type="application/json")
    assert (refused.status_code, refused.json()["code"]) == (400, "blind")
    assert not Reading.objects.exists()

    blindly = {"counts": {"RBC": 8}, "seconds": 12}
    assert bob.post(address, blindly, content_type="application/json").status_code == 201
    assert bob.post(address, body, content_type="application/json").status_code == 201
    kept = blind.readings.order_by("revision")
    assert [
        (row.shown_prediction and row.shown_prediction.model_version, row.seconds) for row in kept
    ] == [
        (None, 12),
        (version, 7),
    ]


def test_a_reviewer_does_not_see_it_either(
    blind: Field, people: People, client_of: Callable[[User], Client]
) -> None:
    study = studies.update_study(study=blind.study, actor=people.alice, readers_per_field=2)
    count(blind, people.bob, RBC=8)
    count(blind, people.rita, RBC=30)
    alice = client_of(people.alice)
    page = alice.get(f"/studies/{study.pk}/review/")
    told = alice.get(f"/api/v1/studies/{study.pk}/review/")
    assert ">30 <span" in text_of(page)
    assert told.json()["results"][0]["second"]["counts"] == {"RBC": 30}
    for answer in (page, told):
        assert not SECRET.search(text_of(answer))


def test_an_earlier_reader_s_count_shows_after_my_own(
    bob: Client, slide: Slide, people: People
) -> None:
    blind, open_one = *bare_fields(slide, 1, blind=True), *bare_fields(slide, 1)
    for field in (blind, open_one):
        count(field, people.rita, RBC=18732)

    def seen() -> list[Any]:
        listed = bob.get(f"/api/v1/fields/?slide={slide.pk}").json()["results"]
        alone = [bob.get(f"/api/v1/fields/{pk}/").json() for pk in (blind.pk, open_one.pk)]
        assert [row["reference"] for row in listed] == [row["reference"] for row in alone]
        assert [row["state"] for row in alone] == ["counted", "counted"]
        so_far = bob.get(f"/api/v1/slides/{slide.pk}/so-far/").json()["cells"]["RBC"]
        return [*(row["reference"] for row in alone), so_far]

    assert seen() == [None, {"RBC": 18732}, 18732]
    count(blind, people.bob, RBC=8)
    assert seen() == [{"RBC": 8}, {"RBC": 18732}, 18740]


def test_who_came_after_another_s_count_is_no_blind_reader(
    bob: Client, slide: Slide, people: People
) -> None:
    champion = ModelVersion.objects.get(study=slide.study_id, state="champion")
    address = f"/api/v1/studies/{slide.study_id}/agreement/?cell_type=RBC"
    for number, field in enumerate(bare_fields(slide, 16, blind=True)):
        red = {"value": 18, "low": 17, "high": 20, "raw": 18.0}
        Prediction.objects.create(
            field=field, model_version=champion, counts={"RBC": red}, novelty=0.1
        )
        count(field, people.rita, RBC=20)
        if number < 6:
            count(field, people.bob, RBC=20)
            # A correction of what was counted first makes nobody late.
            count(field, people.rita, RBC=21)

    groups = bob.get(address).json()["anchoring"]["groups"]
    assert {row["readings"]: row["n"] for row in groups}["blind"] == 16
    pair = f"{address}&first=reader:{people.bob.pk}&second=reader:{people.rita.pk}"
    assert bob.get(pair).json()["figures"]["n"] == 6
    alone = bob.get(f"{pair}&readings=blind").json()
    assert (alone["blind_readings_only"], alone["points"]) == (True, [])


def test_a_mean_over_my_own_and_one_other_does_not_tell_that_one(
    bob: Client, slide: Slide, people: People
) -> None:
    champion = ModelVersion.objects.get(study=slide.study_id, state="champion")

    def read(reader: User, number: int) -> None:
        for field in bare_fields(slide, number, blind=True):
            red = {"value": 18, "low": 17, "high": 20, "raw": 18.0}
            Prediction.objects.create(
                field=field, model_version=champion, counts={"RBC": red}, novelty=0.1
            )
            count(field, reader, RBC=20)

    def blindly() -> Any:
        found = bob.get(f"/api/v1/studies/{slide.study_id}/agreement/?cell_type=RBC").json()
        return next(row for row in found["anchoring"]["groups"] if row["readings"] == "blind")

    read(people.bob, 9)
    read(people.rita, 1)
    assert (blindly()["n"], blindly()["bias"]) == (9, None)
    # Ten of the others' tell nothing of a single one.
    read(people.rita, 9)
    assert (blindly()["n"], blindly()["bias"]["value"]) == (19, 2)


def test_another_s_count_of_a_blind_field_cannot_be_read_off_a_report(
    bob: Client, slide: Slide, people: People
) -> None:
    blind, another, open_one = *bare_fields(slide, 2, blind=True), *bare_fields(slide, 1)
    count(open_one, people.rita, RBC=20)
    count(blind, people.rita, RBC=7)

    def report() -> tuple[int, list[int], int]:
        found = bob.get(f"/api/v1/slides/{slide.pk}/report/").json()
        return found["counted"], [row["counted"] for row in found["totals"]], found["left_out"]

    # Beside the one that is shown, the total would tell it.
    assert report() == (1, [20], 2)
    page = text_of(bob.get(f"/slides/{slide.pk}/report/"))
    assert "2 left out (blind and not counted by you, or not predicted yet)" in page
    # Of two only the sum can be told.
    count(another, people.rita, RBC=5)
    assert report() == (3, [32], 0)
    count(blind, people.bob, RBC=8)
    assert report() == (2, [28], 1)


def test_another_s_count_of_a_blind_field_is_no_point_of_the_agreement(
    bob: Client, slide: Slide, people: People
) -> None:
    fields = [*bare_fields(slide, 5), *bare_fields(slide, 1, blind=True)]
    for field in fields:
        count(field, people.rita, RBC=20)
        count(field, people.alice, RBC=21)
    query = f"cell_type=RBC&first=reader:{people.rita.pk}&second=reader:{people.alice.pk}"
    address = f"/api/v1/studies/{slide.study_id}/agreement/?{query}"
    found = bob.get(address).json()
    assert (len(found["points"]), found["withheld"], found["figures"]["n"]) == (5, 1, 5)
    count(fields[-1], people.bob, RBC=8)
    found = bob.get(address).json()
    assert (len(found["points"]), found["withheld"], found["figures"]["n"]) == (6, 0, 6)


def test_a_new_share_holds_for_pictures_added_from_then_on_and_the_pages_say_so(
    alice: Client, slide: Slide, people: People
) -> None:
    before, after = range(2), range(2, 4)
    add_fields(slide, people.bob, before)
    address = f"/api/v1/studies/{slide.study_id}/"
    assert alice.patch(address, {"blind_share": 1.0}, content_type="application/json").json()
    add_fields(Slide.objects.get(), people.bob, after)
    drawn = slide.fields.order_by("pk").values_list("blind", flat=True)
    assert list(drawn) == [False] * len(before) + [True] * len(after)
    for page in (f"/studies/{slide.study_id}/settings/", "/studies/new/"):
        text = alice.get(page).content.decode()
        assert "a change holds for pictures added from then on" in text
