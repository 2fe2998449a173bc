"""Two readers, one truth: who gets which field, who sees what, and who rules."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable
from contextlib import AbstractContextManager
from datetime import timedelta
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from counting.models import AuditEntry, Field, Lease, ModelVersion, Ruling, Slide, Study
from counting.services import registry, training
from tests.counting.conftest import People, add_fields, bare_fields, count
from tests.counting.doors import texts

pytestmark = pytest.mark.django_db

JSON = "application/json"


@pytest.fixture
def rita(people: People, client_of: Callable[[User], Client]) -> Client:
    return client_of(people.rita)


@pytest.fixture
def fields(slide: Slide, people: People) -> list[Field]:
    return add_fields(slide, people.bob, range(1, 4))


@pytest.fixture
def two_readers(study: Study) -> None:
    Study.objects.filter(pk=study.pk).update(readers_per_field=2, agreement_tolerance=0.1)


def next_of(client: Client, study: Study) -> int | None:
    answer = client.get(f"/api/v1/studies/{study.pk}/next/").json()
    found: int | None = answer["field"]
    return found


def send(client: Client, field: Field, **changes: Any) -> Any:
    body = {"counts": {"RBC": 20}, "method": "typing", "submit": True, **changes}
    return client.post(f"/api/v1/fields/{field.pk}/readings/", body, content_type=JSON)


def test_two_who_ask_get_different_fields_and_keep_them(
    bob: Client, rita: Client, study: Study, fields: list[Field]
) -> None:
    first, second = next_of(bob, study), next_of(rita, study)
    assert (first, second) == (fields[0].pk, fields[1].pk)
    # Asked again before counting, each gets the same.
    assert (next_of(bob, study), next_of(rita, study)) == (first, second)


def test_a_lease_that_ran_out_frees_the_field_and_a_draft_renews_it(
    bob: Client, rita: Client, study: Study, fields: list[Field]
) -> None:
    next_of(bob, study)
    past = timezone.now() - timedelta(seconds=1)
    Lease.objects.update(expires_at=past)
    send(bob, fields[0], submit=False)
    assert next_of(rita, study) == fields[1].pk

    Lease.objects.update(expires_at=past)
    assert next_of(rita, study) == fields[0].pk


def test_a_field_opened_by_hand_is_kept_from_the_first_draft_on(
    bob: Client, rita: Client, study: Study, fields: list[Field]
) -> None:
    send(bob, fields[0], submit=False)
    assert next_of(rita, study) == fields[1].pk


@pytest.mark.usefixtures("two_readers")
def test_two_readers_get_a_field_and_no_third(
    bob: Client, rita: Client, alice: Client, study: Study, fields: list[Field]
) -> None:
    assert next_of(bob, study) == next_of(rita, study) == fields[0].pk
    assert next_of(alice, study) == fields[1].pk
    send(bob, fields[0])
    # The submitted reading keeps the place that the lease kept before.
    assert next_of(alice, study) == fields[1].pk
    assert next_of(bob, study) == fields[1].pk


@pytest.mark.usefixtures("two_readers")
def test_nobody_gets_a_field_twice(bob: Client, study: Study, fields: list[Field]) -> None:
    seen = []
    while (field_id := next_of(bob, study)) is not None:
        seen.append(field_id)
        send(bob, Field.objects.get(pk=field_id))
    assert seen == [field.pk for field in fields]


@pytest.mark.usefixtures("two_readers")
def test_a_reader_sees_nothing_of_the_others_count_before_submitting(
    bob: Client, rita: Client, study: Study, fields: list[Field]
) -> None:
    # As whole words these stand nowhere else in an answer: not in a time, not in a token.
    secret = re.compile(r"\b(19937|73\.1)\b")
    marks = [{"cell_type": "PLT", "x": 9, "y": 73.1}]
    assert send(bob, fields[0], counts={"RBC": 19937}, marks=marks).status_code == 201
    for address, text in texts(rita, fields[0]):
        assert not secret.search(text), address
    assert secret.search(text_of(bob.get(f"/api/v1/fields/{fields[0].pk}/")))
    assert not secret.search(text_of(send(rita, fields[0], counts={"RBC": 1})))


def text_of(answer: Any) -> str:
    if answer.streaming:
        return b"".join(answer.streaming_content).decode()
    text: str = answer.content.decode()
    return text


@pytest.mark.usefixtures("two_readers")
def test_a_reviewer_who_did_not_read_it_rules(
    alice: Client, bob: Client, rita: Client, people: People, study: Study, fields: list[Field]
) -> None:
    count(fields[0], people.bob, RBC=20, PLT=1)
    count(fields[0], people.rita, RBC=30, PLT=1)
    count(fields[1], people.bob, RBC=20)
    count(fields[1], people.rita, RBC=21)
    address = f"/api/v1/studies/{study.pk}/review/"

    waiting = alice.get(address).json()["results"]
    assert [row["field"] for row in waiting] == [fields[0].pk]
    assert (waiting[0]["first"]["counts"]["RBC"], waiting[0]["second"]["counts"]["RBC"]) == (20, 30)
    assert waiting[0]["apart"] == ["RBC"]
    assert "bob" not in str(waiting)

    # Rita reviews too, but she read this field.
    assert rita.get(address).json()["results"] == []
    ruling = {"reading": waiting[0]["second"]["id"]}
    rulings = f"/api/v1/fields/{fields[0].pk}/rulings/"
    refused = rita.post(rulings, ruling, content_type=JSON)
    assert (refused.status_code, refused.json()["code"]) == (400, "own_reading")
    assert bob.post(rulings, ruling, content_type=JSON).status_code == 403

    made = alice.post(rulings, ruling, content_type=JSON)
    assert made.status_code == 201
    assert (made.json()["basis"], made.json()["counts"]) == ("ruling", {"RBC": 30, "PLT": 1})
    assert alice.get(address).json()["results"] == []
    entry = AuditEntry.objects.get(action="ruling.make")
    assert (entry.actor, entry.old["first"]["RBC"], entry.new["counts"]["RBC"]) == (
        people.alice,
        20,
        30,
    )
    again = alice.post(rulings, ruling, content_type=JSON)
    assert (again.status_code, again.json()["code"]) == (400, "no_difference")
    # A reader's later correction does not change what the reviewer said.
    count(fields[0], people.bob, RBC=99)
    assert alice.get(f"/api/v1/fields/{fields[0].pk}/").json()["reference"] == {"RBC": 30, "PLT": 1}


@pytest.mark.usefixtures("two_readers")
def test_the_number_of_queries_does_not_grow_with_the_differences(
    alice: Client,
    people: People,
    study: Study,
    slide: Slide,
    django_assert_max_num_queries: Callable[[int], AbstractContextManager[Any]],
) -> None:
    address = f"/api/v1/studies/{study.pk}/review/"

    def differ(number: int) -> None:
        for field in bare_fields(slide, number):
            count(field, people.bob, RBC=20)
            count(field, people.rita, RBC=30)
            count(field, people.bob, RBC=21)

    differ(1)
    with CaptureQueriesContext(connection) as few:
        alice.get(address)
    differ(5)
    with django_assert_max_num_queries(len(few)):
        rows = alice.get(address).json()["results"]
    pairs = [(row["first"]["counts"]["RBC"], row["second"]["counts"]["RBC"]) for row in rows]
    assert pairs == [(21, 30)] * 6


@pytest.mark.usefixtures("two_readers")
@pytest.mark.parametrize("corrected", ["first", "second"])
def test_a_ruling_on_a_count_that_was_corrected_meanwhile_is_told(
    alice: Client, people: People, study: Study, field: Field, corrected: str
) -> None:
    def seen() -> dict[str, int]:
        found = alice.get(f"/api/v1/studies/{study.pk}/review/").json()["results"][0]
        return {"reading": found["first"]["id"], "against": found["second"]["id"]}

    count(field, people.bob, RBC=20)
    count(field, people.rita, RBC=30)
    before = seen()
    count(field, people.bob if corrected == "first" else people.rita, RBC=40)
    address = f"/api/v1/fields/{field.pk}/rulings/"
    told = alice.post(address, before, content_type=JSON)
    assert told.status_code == 409
    assert "corrected this count meanwhile" in told.json()["detail"]
    assert not Ruling.objects.exists()
    assert alice.post(address, seen(), content_type=JSON).status_code == 201


@pytest.mark.usefixtures("two_readers")
def test_a_reviewer_may_count_again_after_having_chosen(
    alice: Client, people: People, field: Field
) -> None:
    count(field, people.bob, RBC=20)
    first = field.readings.get()
    count(field, people.rita, RBC=30)
    alice.post(f"/api/v1/fields/{field.pk}/rulings/", {"reading": first.pk}, content_type=JSON)
    count(field, people.alice, RBC=25)
    assert alice.get(f"/api/v1/fields/{field.pk}/").json()["reference"] == {"RBC": 25}


@pytest.mark.usefixtures("two_readers")
def test_a_reader_who_reviews_elsewhere_does_not_overturn_a_ruling(
    alice: Client, rita: Client, people: People, field: Field
) -> None:
    count(field, people.bob, RBC=20)
    send(rita, field, counts={"RBC": 30})
    address = f"/api/v1/fields/{field.pk}/"
    for cells in (25, 26):
        # Alice read neither: hers settles it, and she may correct herself.
        send(alice, field, counts={"RBC": cells})
        assert alice.get(address).json()["reference"] == {"RBC": cells}
    assert send(rita, field, counts={"RBC": 33}).status_code == 201
    assert alice.get(address).json()["reference"] == {"RBC": 26}


@pytest.mark.usefixtures("two_readers")
def test_a_third_count_does_not_overturn_what_two_agree_on(
    alice: Client, people: People, field: Field
) -> None:
    count(field, people.bob, RBC=20)
    count(field, people.rita, RBC=20)
    assert send(alice, field, counts={"RBC": 25}).status_code == 201
    assert alice.get(f"/api/v1/fields/{field.pk}/").json()["reference"] == {"RBC": 20}


@pytest.mark.usefixtures("two_readers")
@pytest.mark.parametrize("flagged", [False, True])
def test_a_field_that_loses_its_count_is_predicted_by_the_model_of_today(
    bob: Client,
    rita: Client,
    people: People,
    field: Field,
    predict_all: Callable[[], int],
    flagged: bool,
) -> None:
    predict_all()
    count(field, people.bob, RBC=20)
    count(field, people.rita, RBC=20)
    first = registry.champion(field.study)
    second = ModelVersion.objects.create(
        study=field.study, number=2, sha256=first.sha256, parent=first
    )
    registry.promote(version=second, actor=people.alice, overrule=True)
    address = f"/api/v1/fields/{field.pk}/"
    if flagged:
        bob.post(f"{address}flag/", {"reason": "focus"}, content_type=JSON)
    assert predict_all() == 0
    send(bob, field, counts={"RBC": 40})
    if flagged:
        rita.delete(f"{address}flag/")
    assert bob.get(address).json()["reference"] is None
    assert predict_all() == 1
    found = bob.get(address).json()
    assert (found["state"], found["prediction"]["model_version"]) == ("predicted", second.pk)


def test_a_flagged_field_leaves_queue_totals_and_training(
    alice: Client, bob: Client, rita: Client, people: People, study: Study, fields: list[Field]
) -> None:
    count(fields[0], people.bob, RBC=20)
    count(fields[1], people.bob, RBC=5)
    address = f"/api/v1/fields/{fields[0].pk}/"
    flagged = bob.post(f"{address}flag/", {"reason": "focus"}, content_type=JSON)
    assert flagged.status_code == 201
    told = flagged.json()["flag"]
    assert (told["reason"], told["words"], told["flagged_by"]) == ("focus", "Out of focus", "bob")
    twice = rita.post(f"{address}flag/", {"reason": "stain"}, content_type=JSON)
    assert (twice.status_code, twice.json()["code"]) == (409, "flagged")

    assert bob.get(address).json()["reference"] is None
    rows = csv.DictReader(io.StringIO(text_of(bob.get(f"/api/v1/studies/{study.pk}/counts.csv"))))
    totals = {row["cell_type"]: row["count"] for row in rows if row["level"] == "slide"}
    assert totals["RBC"] == "5"
    bob.post(
        f"/api/v1/fields/{fields[2].pk}/flag/",
        {"reason": "other", "note": "A hair across the field."},
        content_type=JSON,
    )
    assert next_of(alice, study) is None
    overview = alice.get(f"/studies/{study.pk}/").content.decode()
    assert "of 1 field counted" in overview
    assert "2 fields are flagged as unreadable" in overview
    learned = [row["id"] for row in training.labelled_set(study).fields]
    assert learned == [str(fields[1].pk)]

    assert bob.delete(f"{address}flag/").status_code == 403
    assert rita.delete(f"{address}flag/").status_code == 204
    assert bob.get(address).json()["reference"] == {"RBC": 20}
    actions = AuditEntry.objects.filter(action__startswith="field.").values_list(
        "action", "actor__username"
    )
    assert list(actions)[-3:] == [
        ("field.flag", "bob"),
        ("field.flag", "bob"),
        ("field.unflag", "rita"),
    ]


@pytest.mark.parametrize(
    ("body", "words"),
    [
        ({"reason": "boredom"}, "not a valid choice"),
        ({"reason": "other"}, "Say in a few words"),
        ({}, "required"),
    ],
)
def test_a_flag_needs_a_reason(bob: Client, field: Field, body: dict[str, str], words: str) -> None:
    refused = bob.post(f"/api/v1/fields/{field.pk}/flag/", body, content_type=JSON)
    assert refused.status_code == 400
    assert words in refused.json()["detail"]
    assert bob.get(f"/api/v1/fields/{field.pk}/").json()["flag"] is None


def test_comments_are_added_and_stay(bob: Client, rita: Client, field: Field) -> None:
    address = f"/api/v1/fields/{field.pk}/comments/"
    for text in ("", "   "):
        assert bob.post(address, {"text": text}, content_type=JSON).status_code == 400
    assert bob.post(address, {"text": "Smudge at the edge."}, content_type=JSON).status_code == 201
    read = rita.get(address).json()["results"]
    assert [(row["author"], row["text"]) for row in read] == [("bob", "Smudge at the edge.")]
    assert bob.patch(address, {"text": "x"}, content_type=JSON).status_code == 405
    assert bob.delete(address).status_code == 405
