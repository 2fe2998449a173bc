"""The report of a slide, through the API, the page and its copies."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Callable

import pytest
from django.contrib.auth.models import User
from django.test import Client
from django.utils import timezone

from counting.models import AuditEntry, Calibration, Field, Prediction, Slide, Study
from counting.services import calibrations, flags
from tests.counting.conftest import People, add_fields, count

from .reports import csv_row, predict, printed, report_of, totals_of

pytestmark = pytest.mark.django_db

NOTICE = "For research use only. Not for use in diagnostic procedures."


@pytest.fixture
def fields(slide: Slide, people: People) -> list[Field]:
    return add_fields(slide, people.bob, range(4))


@pytest.fixture
def factor(study: Study, people: People) -> Calibration:
    """3000 white cells per µL for one per field, nearly without scatter."""
    made = calibrations.create_calibration(
        study=study, actor=people.rita, cell_type="WBC", microscope="Bench 2", objective="100x oil"
    )
    samples = [
        calibrations.Sample(f"K{n}", 3000 * n + (10 if n % 2 else -10), n) for n in range(1, 31)
    ]
    calibrations.add_samples(calibration=made, actor=people.rita, samples=samples)
    return made


def test_each_copy_names_the_study_the_rule_and_the_precision_alike(
    bob: Client, slide: Slide, fields: list[Field], people: People
) -> None:
    for field, cells in zip(fields, (3, 2, 0, 1), strict=True):
        count(field, people.bob, RBC=25, WBC=cells)
    rule = "Count every visible cell, also those cut by the edge"
    page = bob.get(f"/slides/{slide.pk}/report/").content.decode()
    assert f"Ward 7 · {rule}" in page
    assert "Fields needed, ±10 %" in page
    pdf = printed(bob.get(f"/slides/{slide.pk}/report.pdf").content)
    assert b"Ward 7" in pdf
    assert b"Count every visible cell" in pdf
    row = csv_row(bob.get(f"/slides/{slide.pk}/report.csv").content, "total", "RBC")
    assert (row["study"], row["counting_rule"]) == ("Ward 7", rule)
    # A mean and its interval have the same decimals: a tenth from ten cells on.
    text = report_of(bob, slide)["text"]
    assert f"Ward 7, {rule}" in text
    assert "(RBC): 100 (81-122); 25.0 per field (20.3-30.4)" in text
    assert "(WBC): 6 (2.2-13.1); 1.50 per field (0.55-3.26)" in text


def test_counted_fields_give_totals_with_exact_intervals(
    bob: Client, slide: Slide, fields: list[Field], people: People
) -> None:
    for field, cells in zip(fields, (3, 2, 4, 1), strict=True):
        count(field, people.bob, RBC=25, WBC=cells)
    found = report_of(bob, slide)
    assert (found["counted"], found["predicted"], found["left_out"]) == (4, 0, 0)
    totals = {row["cell_type"]: row for row in found["totals"]}
    white = totals["WBC"]
    assert (white["counted"], white["predicted"], white["total"]["value"]) == (10, 0, 10)
    # Garwood 1936: 10 cells mean 4.8 to 18.4.
    assert white["total"]["interval"]["low"] == pytest.approx(4.795, abs=1e-3)
    assert white["total"]["interval"]["high"] == pytest.approx(18.390, abs=1e-3)
    assert white["per_field"]["value"] == 2.5
    # 10 of 110 cells: Clopper & Pearson 1934.
    assert found["shares_of"] == "Red cells + White cells"
    assert white["share_percent"]["value"] == pytest.approx(9.09, abs=0.01)
    assert white["share_percent"]["interval"]["low"] == pytest.approx(4.45, abs=0.01)
    assert white["share_percent"]["interval"]["high"] == pytest.approx(16.08, abs=0.01)
    assert "PLT" not in totals


def test_shares_are_of_fields_where_each_type_is_known(
    bob: Client, slide: Slide, fields: list[Field], people: People
) -> None:
    count(fields[0], people.bob, RBC=100, WBC=2)
    count(fields[1], people.bob, WBC=8)
    totals = totals_of(bob, slide)
    assert {code: row["total"]["value"] for code, row in totals.items()} == {"RBC": 100, "WBC": 10}
    assert totals["WBC"]["share_percent"]["value"] == pytest.approx(1.96, abs=0.01)
    assert totals["RBC"]["share_percent"]["value"] == pytest.approx(98.04, abs=0.01)


def test_fields_needed_shrink_with_the_precision_asked_for(
    bob: Client, slide: Slide, fields: list[Field], people: People
) -> None:
    for field in fields:
        count(field, people.bob, RBC=100, PLT=0)
    assert totals_of(bob, slide, "?precision=10")["RBC"]["fields_needed"] == 1
    assert totals_of(bob, slide, "?precision=50")["RBC"]["fields_needed"] == 0
    many = totals_of(bob, slide, "?precision=5")["RBC"]["fields_needed"]
    assert 11 <= many <= 13
    assert totals_of(bob, slide)["PLT"]["fields_needed"] is None


def test_predicted_fields_with_a_poor_picture_are_told_until_they_are_counted(
    bob: Client, slide: Slide, fields: list[Field], people: People
) -> None:
    for field, faults in zip(fields, ([], ["blurred"], ["blurred", "crowded"]), strict=False):
        predict(field, RBC=(50, 45, 56))
        Prediction.objects.filter(field=field).update(faults=faults)
    (warning,) = report_of(bob, slide)["warnings"]
    assert "poor picture: 2 (out of focus: 2, cells crowded: 1)" in warning
    for field in fields[1:3]:
        count(field, people.bob, RBC=50, WBC=1, PLT=2)
    assert report_of(bob, slide)["warnings"] == []


def test_predictions_stand_in_and_widen_the_interval(
    bob: Client, slide: Slide, fields: list[Field], people: People
) -> None:
    count(fields[0], people.bob, RBC=50)
    for field in fields[1:3]:
        predict(field, RBC=(50, 45, 56))
    row = totals_of(bob, slide)["RBC"]
    assert (row["counted"], row["counted_fields"]) == (50, 1)
    assert (row["predicted"], row["predicted_fields"]) == (100, 2)
    total = row["total"]
    # Poisson alone: 127.0 to 176.0. The model: two fields, 5 below and 6 above each, x 1.19.
    assert total["value"] == 150
    assert total["interval"]["low"] == pytest.approx(150 - (23.04**2 + 11.92**2) ** 0.5, abs=0.1)
    assert total["interval"]["high"] == pytest.approx(150 + (26.02**2 + 14.30**2) ** 0.5, abs=0.1)
    assert report_of(bob, slide)["model_versions"] == ["v1"]
    assert report_of(bob, slide)["left_out"] == 1


def test_a_blind_prediction_stays_out_until_this_reader_has_counted(
    bob: Client, alice: Client, slide: Slide, fields: list[Field], people: People
) -> None:
    Field.objects.filter(pk=fields[0].pk).update(blind=True)
    predict(fields[0], RBC=(77, 70, 80))
    predict(fields[1], RBC=(20, 18, 22))
    found = report_of(bob, slide)
    assert (found["predicted"], found["totals"][0]["total"]["value"]) == (1, 20)
    page = bob.get(f"/slides/{slide.pk}/report/").content.decode()
    total = csv_row(bob.get(f"/slides/{slide.pk}/report.csv").content, "total", "RBC")
    assert total["value"] == "20"
    assert ">97<" not in page
    count(fields[0], people.bob, RBC=75)
    assert report_of(bob, slide)["totals"][0]["total"]["value"] == 95
    # Alice has still to count it blind herself, and would know Bob's 75 from the sum.
    assert report_of(alice, slide)["totals"][0]["total"]["value"] == 20


def test_white_cells_per_microliter_come_with_their_factor(
    bob: Client, slide: Slide, fields: list[Field], people: People, factor: Calibration
) -> None:
    for field in fields:
        count(field, people.bob, RBC=20, WBC=25)
    assert report_of(bob, slide)["estimates"] == []
    # The slide's objective decides where only one calibration fits it.
    Slide.objects.filter(pk=slide.pk).update(objective="100X oil")
    (row,) = report_of(bob, slide)["estimates"]
    assert (row["calibration"], row["setup"]) == (factor.pk, "Bench 2, 100x oil")
    assert row["estimate"]["value"] == pytest.approx(25 * row["factor"]["value"])
    assert row["factor"]["value"] == pytest.approx(3000, abs=1)
    # 100 cells: 81.4 to 121.6; the factor's own error adds next to nothing.
    assert row["estimate"]["interval"]["low"] == pytest.approx(75_000 * 0.8136, rel=0.01)
    assert row["estimate"]["interval"]["high"] == pytest.approx(75_000 * 1.2163, rel=0.01)
    page = bob.get(f"/slides/{slide.pk}/report/").content.decode()
    assert "× factor 3000" in page
    assert "30 samples; Bench 2, 100x oil" in page
    assert report_of(bob, slide, "?wbc=none")["estimates"] == []


def test_a_factor_of_another_objective_is_refused(
    bob: Client, slide: Slide, fields: list[Field], people: People, factor: Calibration
) -> None:
    count(fields[0], people.bob, WBC=2)
    Slide.objects.filter(pk=slide.pk).update(objective="40x")
    address = f"/api/v1/slides/{slide.pk}/report/"
    assert report_of(bob, slide)["estimates"] == []
    refused = bob.get(f"{address}?wbc={factor.pk}")
    assert refused.status_code == 400
    assert "40x" in refused.json()["detail"]
    for wrong in ("?wbc=99999", "?precision=0.1", "?precision=ten", "?rbc=4500000"):
        answer = bob.get(address + wrong)
        assert (answer.status_code, bool(answer.json()["detail"])) == (400, True), wrong
        page = bob.get(f"/slides/{slide.pk}/report/{wrong}")
        assert page.status_code == 400
        assert answer.json()["detail"] in page.content.decode().replace("&#x27;", "'")
        assert bob.get(f"/slides/{slide.pk}/report.pdf{wrong}").status_code == 400


def test_platelets_by_their_ratio_to_the_red_cells(
    bob: Client, slide: Slide, fields: list[Field], people: People
) -> None:
    for field in fields:
        count(field, people.bob, RBC=100, PLT=5)
    assert report_of(bob, slide)["estimates"] == []
    (row,) = report_of(bob, slide, "?rbc=4.5")["estimates"]
    assert row["cell_type"] == "PLT"
    assert row["platelets_per_red_cell"]["value"] == pytest.approx(0.05)
    assert row["estimate"]["value"] == pytest.approx(225_000)
    low, high = row["estimate"]["interval"]["low"], row["estimate"]["interval"]["high"]
    # 20 platelets alone: 12.2 to 30.9; the red cells widen it a little.
    assert 225_000 * 0.55 < low < 225_000 * 0.62
    assert 225_000 * 1.54 < high < 225_000 * 1.60


def test_fields_around_a_cell_give_counts_and_no_estimate(
    bob: Client, slide: Slide, fields: list[Field], people: People, factor: Calibration
) -> None:
    for field in fields:
        count(field, people.bob, RBC=100, WBC=3, PLT=5)
    Slide.objects.filter(pk=slide.pk).update(field_choice="around_cell", objective="100x oil")
    found = report_of(bob, slide, "?rbc=4.5")
    assert found["estimates"] == []
    assert "chosen around a cell" in found["refusal"]
    assert len(found["totals"]) == 3
    page = bob.get(f"/slides/{slide.pk}/report/").content.decode()
    assert found["refusal"] in page


def test_red_cells_are_never_given_per_microliter(
    bob: Client, slide: Slide, fields: list[Field], people: People, factor: Calibration
) -> None:
    Slide.objects.filter(pk=slide.pk).update(objective="100x oil")
    for field in fields:
        count(field, people.bob, RBC=100, WBC=3, PLT=5)
    estimated = {row["cell_type"] for row in report_of(bob, slide, "?rbc=4.5")["estimates"]}
    assert estimated == {"WBC", "PLT"}


def test_an_unreadable_field_is_left_out(
    bob: Client, slide: Slide, fields: list[Field], people: People
) -> None:
    for field in fields:
        predict(field, RBC=(20, 18, 22))
    flags.flag(field=fields[0], actor=people.bob, reason="focus")
    found = report_of(bob, slide)
    assert (found["flagged"], found["totals"][0]["total"]["value"]) == (1, 60)


def test_every_copy_says_the_same_and_is_audited(
    bob: Client, slide: Slide, fields: list[Field], people: People
) -> None:
    for field in fields:
        count(field, people.bob, RBC=25, WBC=2)
    found = report_of(bob, slide)
    assert "White cells (WBC): 8 (3.5-15.8); 2.00 per field" in found["text"]
    assert found["text"].isascii()
    assert NOTICE in found["text"]
    page = bob.get(f"/slides/{slide.pk}/report/").content.decode()
    assert found["text"].splitlines()[3] in page
    assert NOTICE in page

    table = bob.get(f"/slides/{slide.pk}/report.csv?precision=20")
    rows = list(csv.DictReader(io.StringIO(table.content.decode())))
    white = {row["quantity"]: row for row in rows if row["cell_type"] == "WBC"}
    assert (white["total"]["value"], white["total"]["low_95"]) == ("8", "3.4538")
    assert {row["notice"] for row in rows} == {NOTICE}

    pdf = bob.get(f"/slides/{slide.pk}/report.pdf")
    assert pdf["Content-Type"] == "application/pdf"
    assert pdf["Content-Disposition"] == 'attachment; filename="report-s1.pdf"'
    assert pdf.content.startswith(b"%PDF-")
    assert NOTICE.encode() in printed(pdf.content)
    trail = AuditEntry.objects.filter(action__startswith="report.").values_list("action", "new")
    assert list(trail) == [
        ("report.csv.export", {"precision": "20"}),
        ("report.pdf.export", {"precision": "10"}),
    ]


def test_a_report_says_which_clock_it_was_made_by(bob: Client, slide: Slide) -> None:
    with timezone.override("Asia/Jakarta"):
        made = r"\d{4}-\d\d-\d\d \d\d:\d\d \+0700"
        assert re.search(f"^{made}$", report_of(bob, slide)["text"], re.MULTILINE)
        assert re.search(made.encode(), printed(bob.get(f"/slides/{slide.pk}/report.pdf").content))


def test_letters_beyond_the_pdfs_fonts_are_told(
    bob: Client, slide: Slide, fields: list[Field], people: People
) -> None:
    count(fields[0], people.bob, RBC=25)
    told = b"Letters that this file's font lacks are shown as ?."
    assert told not in printed(bob.get(f"/slides/{slide.pk}/report.pdf").content)
    Slide.objects.filter(pk=slide.pk).update(code="Мазок 1")
    assert told in printed(bob.get(f"/slides/{slide.pk}/report.pdf").content)


@pytest.mark.parametrize("end", ["", "report.pdf", "report.csv"])
def test_pages_are_for_members_only(
    end: str, slide: Slide, people: People, client_of: Callable[[User | None], Client]
) -> None:
    address = f"/slides/{slide.pk}/{end or 'report/'}"
    assert client_of(people.bob).get(address).status_code == 200
    assert client_of(people.charlie).get(address).status_code == 404
    nobody = client_of(None).get(address)
    assert nobody.status_code == 302
    assert nobody["Location"].startswith("/accounts/login/")


def test_an_empty_slide_says_what_to_do(bob: Client, slide: Slide) -> None:
    assert "Add them first" in bob.get(f"/slides/{slide.pk}/report/").content.decode()
