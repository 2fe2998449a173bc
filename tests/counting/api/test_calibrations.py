"""From samples with an analyzer's values to a factor, through the API and the page."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.test import Client

from counting.models import AuditEntry, Calibration, Slide, Study
from tests.counting.conftest import People, add_fields, count

pytestmark = pytest.mark.django_db

SETUP = {"cell_type": "WBC", "microscope": "Bench 2", "objective": "100x oil"}


@pytest.fixture
def rita(people: People, client_of: Callable[[User], Client]) -> Client:
    return client_of(people.rita)


@pytest.fixture
def address(rita: Client, study: Study) -> str:
    made = send(rita, f"/api/v1/studies/{study.pk}/calibrations/", SETUP)
    assert made.status_code == 201
    return f"/api/v1/calibrations/{made.json()['id']}/"


def send(client: Client, address: str, body: dict[str, Any]) -> Any:
    return client.post(address, body, content_type="application/json")


def sample(number: int, mean: float, factor: float = 3000) -> dict[str, Any]:
    return {"code": f"K{number}", "analyzer_value": mean * factor, "mean_count": mean}


def test_a_factor_appears_with_the_fifth_sample_and_asks_for_thirty(
    rita: Client, address: str
) -> None:
    for number in range(1, 5):
        answer = send(rita, f"{address}samples/", sample(number, number))
        assert answer.status_code == 201
    assert answer.json()["factor"] is None
    assert "at least 5" in answer.json()["advice"]
    factor = send(rita, f"{address}samples/", sample(5, 2.0, factor=3600)).json()["factor"]
    # 3000 x 10 + 3600 x 2 cells per µL over 12 cells per field.
    assert factor["value"] == pytest.approx(3100)
    assert factor["interval"]["low"] < 3100 < factor["interval"]["high"]
    assert "About 30" in rita.get(address).json()["advice"]
    for number in range(6, 31):
        answer = send(rita, f"{address}samples/", sample(number, number / 4))
    assert answer.json()["advice"] == ""
    assert len(answer.json()["samples"]) == 30


def test_every_change_is_audited_with_the_factor_before_and_after(
    rita: Client, address: str, people: People
) -> None:
    for number in range(1, 7):
        send(rita, f"{address}samples/", sample(number, number))
    first = rita.get(address).json()["samples"][0]
    assert rita.delete(f"{address}samples/{first['id']}/").status_code == 204
    entry = AuditEntry.objects.get(action="calibration.remove_sample")
    assert (entry.actor, entry.old["samples"], entry.new["samples"]) == (people.rita, 6, 5)
    assert entry.old["removed"]["code"] == "K1"
    assert entry.new["factor"] == 3000
    assert rita.delete(address).status_code == 204
    assert AuditEntry.objects.get(action="calibration.remove").old["factor"] == 3000
    assert not Calibration.objects.exists()


def test_a_counted_slide_is_a_sample(
    rita: Client, address: str, slide: Slide, people: People
) -> None:
    refused = send(rita, f"{address}samples/", {"slide": slide.pk, "analyzer_value": 6000})
    assert (refused.status_code, "Count it first" in refused.json()["detail"]) == (400, True)
    for field, cells in zip(add_fields(slide, people.bob, range(3)), (1, 4, 1), strict=True):
        count(field, people.bob, WBC=cells)
    added = send(rita, f"{address}samples/", {"slide": slide.pk, "analyzer_value": 6000})
    assert added.status_code == 201
    (row,) = added.json()["samples"]
    assert (row["code"], row["mean_count"], row["field_count"]) == ("S1", 2.0, 3)
    again = send(rita, f"{address}samples/", {"slide": slide.pk, "analyzer_value": 6000})
    assert again.status_code == 409


def test_fields_around_a_cell_calibrate_nothing(
    rita: Client, address: str, slide: Slide, people: People
) -> None:
    (field,) = add_fields(slide, people.bob, range(1))
    count(field, people.bob, WBC=2)
    Slide.objects.filter(pk=slide.pk).update(field_choice="around_cell")
    refused = send(rita, f"{address}samples/", {"slide": slide.pk, "analyzer_value": 6000})
    assert refused.status_code == 400
    assert "around a cell" in refused.json()["detail"]


def test_what_cannot_be_true_is_refused(
    rita: Client, address: str, study: Study, other_study: Study
) -> None:
    good = sample(1, 2.0)
    for wrong, words in (
        ({**good, "analyzer_value": 7.2}, "7200"),
        ({**good, "mean_count": -1}, "Mean count"),
        ({**good, "code": " "}, "code"),
        ({"analyzer_value": 7200}, "Give a slide, or a code"),
    ):
        refused = send(rita, f"{address}samples/", wrong)
        assert refused.status_code == 400, wrong
        assert words in refused.json()["detail"]
    assert send(rita, f"{address}samples/", good).status_code == 201
    assert send(rita, f"{address}samples/", good).status_code == 409
    studies = f"/api/v1/studies/{study.pk}/calibrations/"
    assert send(rita, studies, SETUP).status_code == 409
    assert send(rita, studies, {**SETUP, "microscope": "bench 2"}).status_code == 409
    for wrong in ({**SETUP, "cell_type": "RBC"}, {**SETUP, "microscope": ""}):
        assert send(rita, studies, wrong).status_code == 400


class TestPage:
    """The wizard, as a person walks through it."""

    def test_samples_are_pasted_from_a_spreadsheet(self, rita: Client, study: Study) -> None:
        page = f"/studies/{study.pk}/calibrations/"
        assert b"No calibration yet" in rita.get(page).content
        made = rita.post(page, SETUP, follow=True)
        own = made.redirect_chain[-1][0]
        assert b"Bench 2, 100x oil" in made.content
        lines = "K1\t3000\t1\nK2; 6000; 2; 20\nK3;9000;3,0\n\nK4,12000,4\nK5\t1500\t0,5"
        added = rita.post(f"{own}add/", {"samples": lines}, follow=True)
        assert b"5 samples added." in added.content
        assert b"3000" in added.content
        row = rita.get(page).content.decode()
        assert "of 30" in row
        refused = rita.post(f"{own}add/", {"samples": "K9;7200;2\nK10;seven;2"}, follow=True)
        assert b"Line 2 is not understood" in refused.content
        assert Calibration.objects.get().samples.count() == 5

    def test_a_reader_looks_and_changes_nothing(
        self, rita: Client, bob: Client, study: Study
    ) -> None:
        page = f"/studies/{study.pk}/calibrations/"
        own = rita.post(page, SETUP, follow=True).redirect_chain[-1][0]
        seen = bob.get(own)
        assert seen.status_code == 200
        assert b"<textarea" not in seen.content
        assert bob.post(page, SETUP).status_code == 403
        assert bob.post(f"{own}add/", {"samples": "K1;3000;1"}).status_code == 403
        assert bob.post(f"{own}remove/").status_code == 403

    def test_a_calibration_is_taken_out(self, rita: Client, study: Study) -> None:
        page = f"/studies/{study.pk}/calibrations/"
        own = rita.post(page, SETUP, follow=True).redirect_chain[-1][0]
        rita.post(f"{own}add/", {"samples": "K1;3000;1"})
        number = Calibration.objects.get().samples.get().pk
        rita.post(f"{own}samples/{number}/remove/")
        assert not Calibration.objects.get().samples.exists()
        assert rita.post(f"{own}samples/{number}/remove/").status_code == 404
        assert rita.post(f"{own}remove/", follow=True).redirect_chain[-1][0] == page
        assert rita.get(own).status_code == 404
