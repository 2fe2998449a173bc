"""What a slide's report says of its own precision: limits, scatter, and what a model adds."""

from __future__ import annotations

import math

import pytest
from django.test import Client

from counting.models import Field, Slide
from tests.counting.conftest import People, add_fields, count

from .reports import csv_row, predict, printed, report_of, totals_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def fields(slide: Slide, people: People) -> list[Field]:
    return add_fields(slide, people.bob, range(4))


def test_shares_have_limits_only_where_people_counted_all_of_the_cells(
    bob: Client, slide: Slide, fields: list[Field], people: People
) -> None:
    count(fields[0], people.bob, RBC=90, WBC=10)
    predict(fields[1], RBC=(95, 60, 130), WBC=(5, 1, 9))
    address = f"/slides/{slide.pk}/report"
    found = report_of(bob, slide)
    shares = {row["cell_type"]: row["share_percent"] for row in found["totals"]}
    assert shares == {
        "RBC": {"value": 92.5, "interval": None},
        "WBC": {"value": 7.5, "interval": None},
    }
    told = "Shares have no limits here"
    assert "; 7.5 % (-)\n" in found["text"]
    assert told in found["text"]
    page = bob.get(f"{address}/").content.decode()
    assert '7.5 %<span class="interval">–</span>' in page
    assert told in page.partition("methods-title")[2].partition("text-title")[0]
    assert told.encode() in printed(bob.get(f"{address}.pdf").content)
    row = csv_row(bob.get(f"{address}.csv").content, "share_percent", "WBC")
    assert (row["value"], row["low_95"], row["high_95"]) == ("7.5", "", "")
    assert row["based_on"] == "Red cells + White cells; no limits: a model counted some"

    count(fields[1], people.bob, RBC=95, WBC=5)
    found = report_of(bob, slide)
    assert found["totals"][1]["share_percent"]["interval"]["low"] == pytest.approx(4.26, abs=0.01)
    assert told not in found["text"]
    assert told not in bob.get(f"{address}/").content.decode()
    row = csv_row(bob.get(f"{address}.csv").content, "share_percent", "WBC")
    assert (row["low_95"][:4], row["based_on"]) == ("4.25", "Red cells + White cells")


@pytest.mark.parametrize(
    ("low", "high", "precision", "needed"),
    [
        (99, 101, 25, 0),  # nearly all of it is sampling error, which 100 cells a field hold down
        (60, 140, 25, None),  # the model alone reaches 48 percent
        (60, 140, 5, None),  # the same, and no number of predicted fields would help
        (83, 117, 22, None),  # each alone is narrow enough, and both together are not
    ],
)
def test_a_model_s_wide_error_asks_for_a_reader_and_not_for_fields(
    bob: Client,
    slide: Slide,
    fields: list[Field],
    low: int,
    high: int,
    precision: int,
    needed: int | None,
) -> None:
    for field in fields:
        predict(field, RBC=(100, low, high))
    ask, address = f"?precision={precision}", f"/slides/{slide.pk}/report"
    row = totals_of(bob, slide, ask)["RBC"]
    assert (row["fields_needed"], row["reader_needed"]) == (needed, needed is None)
    page = bob.get(f"{address}/{ask}").content.decode()
    pdf = printed(bob.get(f"{address}.pdf{ask}").content)
    line = csv_row(bob.get(f"{address}.csv{ask}").content, "fields_needed", "RBC")
    words = "count fields yourself: the model's own error keeps the interval wider"
    if needed is None:
        assert words in page.replace("&#x27;", "'")
        assert "have to be counted by a reader" in page
        assert ">reached<" not in page
        assert b"yourself:" in pdf
        assert b"(reached)" not in pdf
        assert (line["value"], line["based_on"]) == ("", f"±{precision} %; {words}")
    else:
        assert ">reached<" in page
        assert b"reached" in pdf
        assert b"yourself:" not in pdf
        assert (line["value"], line["based_on"]) == ("0", f"±{precision} %")


def test_fields_that_scatter_widen_the_interval_and_ask_for_more_fields(
    bob: Client, slide: Slide, people: People
) -> None:
    five = add_fields(slide, people.bob, range(5))
    for field, clumps in zip(five, (100, 20, 60, 140, 80), strict=True):
        count(field, people.bob, RBC=80, PLT=clumps)
    totals = totals_of(bob, slide)
    even, clumped = (totals[code]["total"]["interval"] for code in ("RBC", "PLT"))
    assert totals["RBC"]["total"]["value"] == totals["PLT"]["total"]["value"] == 400
    # Poisson, 361.8 to 441.2; the variance between these fields is 25 times their mean.
    assert (even["low"], even["high"]) == (pytest.approx(361.8, 0.001), pytest.approx(441.2, 0.001))
    # 25 times the interval of 16 cells: 9.15 to 25.98 (Garwood's table).
    assert clumped["low"] == pytest.approx(25 * 9.15, rel=0.001)
    assert clumped["high"] == pytest.approx(25 * 25.98, rel=0.001)
    # 423 cells hold 10 percent; 80 are in a field.
    assert totals["RBC"]["fields_needed"] == 1
    assert totals["PLT"]["fields_needed"] == math.ceil(25 * 423 / 80) - 5
    page = bob.get(f"/slides/{slide.pk}/report/").content.decode()
    assert "quasi-Poisson; McCullagh &amp; Nelder 1989" in page


def test_a_rare_type_predicted_as_one_in_each_field_has_a_model_error(
    bob: Client, slide: Slide, people: People
) -> None:
    """Its interval in a field is one whole number, which says nothing of a sum of twenty."""
    twenty = add_fields(slide, people.bob, range(20))
    for field in twenty:
        predict(field, deviation=0.3, WBC=(1, 1, 1))
    total = totals_of(bob, slide)["WBC"]["total"]
    # Poisson alone: 12.217 to 30.888 (Garwood 1936). The model: 1.96 x 0.3 x sqrt(20 x 1.95).
    reach = 1.959964 * 0.3 * math.sqrt(39)
    assert total["value"] == 20
    assert total["interval"]["low"] == pytest.approx(20 - math.hypot(7.783, reach), abs=1e-3)
    assert total["interval"]["high"] == pytest.approx(20 + math.hypot(10.888, reach), abs=1e-3)
    page = bob.get(f"/slides/{slide.pk}/report/").content.decode()
    assert "11.4–31.5" in page
    assert "one twentieth as if its errors on all fields went the same way" in page
    low_95 = csv_row(bob.get(f"/slides/{slide.pk}/report.csv").content, "total", "WBC")["low_95"]
    assert float(low_95) == pytest.approx(total["interval"]["low"], abs=1e-4)

    # Fields that a reader counted bring none: it is that of the other ten.
    for field in twenty[:10]:
        count(field, people.bob, WBC=1)
    total = totals_of(bob, slide)["WBC"]["total"]
    reach = 1.959964 * 0.3 * math.sqrt(10 * 1.45)
    assert total["interval"]["low"] == pytest.approx(20 - math.hypot(7.783, reach), abs=1e-3)


def test_predictions_of_before_bring_their_own_ends(
    bob: Client, slide: Slide, fields: list[Field]
) -> None:
    for field, known in zip(fields, (None, None, 3.0, 4.0), strict=True):
        predict(field, deviation=known, RBC=(50, 45, 56))
    total = totals_of(bob, slide)["RBC"]["total"]
    poisson = {"low": 200 - 173.24, "high": 229.72 - 200}
    # Two fields with 5 below and 6 above, x 1.19; two with a deviation, all going the same way.
    known = 1.959964 * math.sqrt(0.95 * 25 + 0.05 * 49)
    ends = {"low": 2 * 5 * 1.19160 + known, "high": 2 * 6 * 1.19160 + known}
    for end, sign in (("low", -1), ("high", 1)):
        reach = math.hypot(poisson[end], ends[end])
        assert total["interval"][end] == pytest.approx(200 + sign * reach, abs=0.02)


@pytest.mark.parametrize(("deviation", "needed"), [(2.0, 18), (5.0, None)])
def test_fields_are_asked_for_where_with_them_the_model_is_precise_enough(
    bob: Client, slide: Slide, fields: list[Field], deviation: float, needed: int | None
) -> None:
    """The model's part reaches 8.4 of 80 cells now, and 26 of 440 with the fields that are needed;
    or 66 of these, which no field mends.
    """
    for field in fields:
        predict(field, deviation=deviation, RBC=(20, 17, 23))
    row = totals_of(bob, slide)["RBC"]
    assert (row["fields_needed"], row["reader_needed"]) == (needed, needed is None)
