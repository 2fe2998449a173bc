"""The reviewer's page shows two readings side by side, and takes the ruling."""

from __future__ import annotations

import html
import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from counting.models import AuditEntry, Field, Membership, ReferenceCount, Role, Slide, Study
from counting.services import readings
from tests.counting.conftest import People, add_fields, count

pytestmark = pytest.mark.django_db


@pytest.fixture
def differing(study: Study, field: Field, people: People) -> Field:
    Study.objects.filter(pk=study.pk).update(readers_per_field=2)
    marks = [{"cell_type": "RBC", "x": 10 * n, "y": 20} for n in range(1, 8)]
    readings.save_reading(field=field, reader=people.bob, marks=marks, method="marks")
    count(field, people.rita, RBC=20)
    return field


def marks_on(page: str) -> list[list[dict[str, Any]]]:
    """The marks of both readings, as the page gives them to what draws them."""
    found = re.findall('data-reading-marks="([^"]*)"', page)
    return [json.loads(html.unescape(marks)) for marks in found]


def test_both_readings_stand_side_by_side_without_their_readers(
    alice: Client, differing: Field
) -> None:
    page = alice.get(f"/studies/{differing.study_id}/review/").content.decode()
    main = page[page.index("<main") :]
    assert "First reading" in main
    assert "Second reading" in main
    assert [len(marks) for marks in marks_on(main)] == [7, 0]
    assert ">7 <span" in main
    assert ">20 <span" in main
    assert "bob" not in main
    assert "rita" not in main


def test_marks_that_the_other_reading_lacks_are_ringed(
    alice: Client, differing: Field, people: People
) -> None:
    marks = [{"cell_type": "RBC", "x": 10 * n + 1, "y": 21} for n in range(1, 5)]
    marks.append({"cell_type": "PLT", "x": 70, "y": 20})
    readings.save_reading(field=differing, reader=people.rita, marks=marks, method="marks")
    page = alice.get(f"/studies/{differing.study_id}/review/").content.decode()
    assert "7 cells marked, 3 that the other reading lacks" in page
    assert "5 cells marked, 1 that the other reading lacks" in page
    alone = [[(m["cell_type"], m["x"]) for m in marks if m["alone"]] for marks in marks_on(page)]
    assert alone == [[("RBC", 50), ("RBC", 60), ("RBC", 70)], [("PLT", 70)]]


def test_marks_are_not_ringed_where_the_other_reading_is_a_number(
    alice: Client, differing: Field, people: People
) -> None:
    readings.save_reading(
        field=differing,
        reader=people.rita,
        counts={"RBC": 20, "PLT": 1},
        marks=[{"cell_type": "PLT", "x": 70, "y": 20}],
        method="mixed",
    )
    page = alice.get(f"/studies/{differing.study_id}/review/").content.decode()
    ringed = [[m["cell_type"] for m in marks if m["alone"]] for marks in marks_on(page)]
    assert ringed == [[], ["PLT"]]


def test_the_ruling_becomes_the_count_and_the_page_is_empty(
    alice: Client, differing: Field
) -> None:
    second = differing.readings.order_by("pk")[1]
    address = f"/fields/{differing.pk}/rule/"
    for wrong in (
        {"reading": ""},
        {"reading": "x"},
        {"reading": "999999"},
        {"reading": "9" * 5000},
        {"reading": second.pk, "shown": ["9" * 5000]},
    ):
        answer = alice.post(address, wrong, follow=True)
        assert "notice-bad" in answer.content.decode()
        assert not ReferenceCount.objects.exists()
    answer = alice.post(address, {"reading": second.pk}, follow=True)
    assert "Nothing waits for your ruling" in answer.content.decode()
    held = ReferenceCount.objects.get()
    assert (held.basis, held.counts, held.reading) == ("ruling", {"RBC": 20}, second)


def test_the_page_sends_both_readings_that_it_shows(
    alice: Client, differing: Field, people: People
) -> None:
    def ruling() -> dict[str, Any]:
        page = alice.get(f"/studies/{differing.study_id}/review/").content.decode()
        shown = re.findall('name="shown" value="([0-9]+)"', page)
        return {"reading": shown[0], "shown": shown}

    before = ruling()
    count(differing, people.rita, RBC=33)
    address = f"/fields/{differing.pk}/rule/"
    told = alice.post(address, before, follow=True).content.decode()
    assert "corrected this count meanwhile" in told
    assert not ReferenceCount.objects.exists()
    alice.post(address, ruling())
    assert ReferenceCount.objects.get().counts == {"RBC": 7}


def test_a_ruling_can_be_undone_by_who_made_it_and_both_are_kept(
    alice: Client,
    differing: Field,
    slide: Slide,
    people: People,
    client_of: Callable[[User | None], Client],
) -> None:
    first, second = differing.readings.order_by("pk")
    page, address = f"/studies/{differing.study_id}/review/", f"/fields/{differing.pk}/rule/"
    undo = f"{address}undo/"
    assert undo not in alice.get(page).content.decode()
    alice.post(address, {"reading": second.pk})
    assert undo in alice.get(page).content.decode()

    # Not by another reviewer, and once only.
    dora = User.objects.create_user("dora")
    Membership.objects.create(study=slide.study, user=dora, role=Role.REVIEWER)
    told = client_of(dora).post(undo, follow=True).content.decode()
    assert "does not rest on a ruling of yours" in told
    assert ReferenceCount.objects.filter(superseded_at=None).exists()

    told = alice.post(undo, follow=True).content.decode()
    assert "Your ruling on one.png is undone." in told
    assert "The first holds" in told
    assert undo not in told
    assert not ReferenceCount.objects.filter(superseded_at=None).exists()
    assert "nothing to undo" in alice.post(undo, follow=True).content.decode()

    alice.post(address, {"reading": first.pk})
    held = ReferenceCount.objects.get(superseded_at=None)
    assert (held.basis, held.counts) == ("ruling", {"RBC": 7})
    kept = list(differing.rulings.values_list("reading", flat=True))
    assert kept == [second.pk, None, first.pk]
    entry = AuditEntry.objects.get(action="ruling.withdraw")
    assert (entry.actor, (entry.old or {})["counts"]) == (people.alice, {"RBC": 20})


def test_what_a_reviewer_counted_since_is_not_undone_with_the_ruling(
    alice: Client, differing: Field, people: People
) -> None:
    second = differing.readings.order_by("pk")[1]
    alice.post(f"/fields/{differing.pk}/rule/", {"reading": second.pk})
    count(differing, people.alice, RBC=15)
    page = alice.get(f"/studies/{differing.study_id}/review/").content.decode()
    assert "/rule/undo/" not in page
    alice.post(f"/fields/{differing.pk}/rule/undo/")
    assert ReferenceCount.objects.get(superseded_at=None).counts == {"RBC": 15}


def test_who_may_review(
    differing: Field, people: People, client_of: Callable[[User | None], Client]
) -> None:
    page, ruling = f"/studies/{differing.study_id}/review/", f"/fields/{differing.pk}/rule/"
    first = differing.readings.order_by("pk")[0].pk
    # Rita reviews, but read this field; Bob only reads; Charlie is a stranger.
    for person, seen, ruled in (
        (people.rita, 200, 302),
        (people.bob, 403, 403),
        (people.charlie, 404, 404),
        (None, 302, 302),
    ):
        client = client_of(person)
        assert client.get(page).status_code == seen
        assert client.post(ruling, {"reading": first}).status_code == ruled
    rita = client_of(people.rita)
    assert "another reviewer rules on it" in rita.get(page).content.decode()
    assert not ReferenceCount.objects.exists()
    assert client_of(people.alice).post(ruling, {"reading": first}).status_code == 302
    assert ReferenceCount.objects.exists()


def test_a_reviewer_with_nothing_to_rule_is_told_what_others_rule_on(
    differing: Field, slide: Slide, people: People, client_of: Callable[[User | None], Client]
) -> None:
    rita, address = client_of(people.rita), f"/studies/{differing.study_id}/review/"
    page = rita.get(address).content.decode()
    assert "1 field differs, but you have read it yourself" in page
    assert "Count the next field" not in page  # none waits for her

    (other,) = add_fields(slide, people.bob, range(5, 6))
    assert "Count the next field" in rita.get(address).content.decode()
    count(other, people.bob, RBC=7)
    count(other, people.alice, RBC=20)
    page = rita.get(address).content.decode()
    assert "The first holds" in page
    assert "1 more field differs, but you have read it yourself" in page


def test_an_admin_is_told_of_differences_that_nobody_may_rule_on(
    differing: Field, slide: Slide, people: People, client_of: Callable[[User | None], Client]
) -> None:
    def told(person: User) -> bool:
        page = client_of(person).get(f"/studies/{differing.study_id}/").content.decode()
        return "1 field waits for a ruling, but each reviewer has read it" in page

    assert not told(people.alice)  # she may rule on it herself
    (other,) = add_fields(slide, people.bob, range(5, 6))
    count(other, people.rita, RBC=7)
    count(other, people.alice, RBC=20)
    assert told(people.alice)
    assert not told(people.rita)

    dora = User.objects.create_user("dora")
    Membership.objects.create(study=slide.study, user=dora, role=Role.REVIEWER)
    assert not told(people.alice)
    User.objects.filter(pk=dora.pk).update(is_active=False)
    assert told(people.alice)


def test_the_tab_is_there_for_reviewers_of_two_reader_studies(
    alice: Client, bob: Client, differing: Field
) -> None:
    link = f'href="/studies/{differing.study_id}/review/"'
    members = f"/studies/{differing.study_id}/members/"
    assert link in alice.get(members).content.decode()
    assert link not in bob.get(members).content.decode()
    Study.objects.filter(pk=differing.study_id).update(readers_per_field=1)
    assert link not in alice.get(members).content.decode()


def test_the_order_of_fields_is_a_setting(alice: Client, study: Study) -> None:
    settings = f"/studies/{study.pk}/settings/"
    form = {"name": "Ward 7", "counting_rule": "all", "readers_per_field": "1"}
    assert alice.post(settings, {**form, "queue_order": "teach"}).status_code == 302
    study.refresh_from_db()
    assert study.queue_order == "teach"
    assert alice.post(settings, {**form, "queue_order": "backwards"}).status_code == 400
