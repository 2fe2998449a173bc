"""Agreement between readers, model versions and reference counts; and who may see what of it."""

from __future__ import annotations

import csv
import io
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext

from counting.models import AuditEntry, Field, Membership, Prediction, Role, Slide, Study
from counting.services import readings, registry, slides
from tests.counting.conftest import People, bare_fields, count

pytestmark = pytest.mark.django_db

TRUTH = [3, 5, 5, 8, 9, 12, 14, 15, 18, 21, 25, 30]
# What the second way of counting adds to the first.
OFF = [0, 1, -1, 2, 0, -1, 1, 3, -2, 0, 2, 1]


def predict(field: Field, value: int) -> Prediction:
    return Prediction.objects.create(
        field=field,
        model_version=registry.champion(field.study),
        counts={"RBC": {"value": value, "low": value - 1, "high": value + 1, "raw": float(value)}},
        novelty=0.1,
    )


@pytest.fixture
def fields(slide: Slide) -> list[Field]:
    return bare_fields(slide, len(TRUTH))


@pytest.fixture
def counted(fields: list[Field], people: People) -> list[Field]:
    """Bob counted all, the champion as much and a little off."""
    for field, cells, off in zip(fields, TRUTH, OFF, strict=True):
        predict(field, cells + off)
        count(field, people.bob, RBC=cells)
    return fields


@pytest.fixture
def address(study: Study) -> str:
    return f"/api/v1/studies/{study.pk}/agreement/"


def get(client: Client, address: str, **query: str) -> Any:
    answer = client.get(address, query)
    assert answer.status_code == 200, answer.content
    return answer.json()


def test_the_champion_is_compared_with_the_reference(
    bob: Client, address: str, counted: list[Field]
) -> None:
    found = get(bob, address, cell_type="RBC")
    assert found["second"] == {"key": "reference", "name": "Reference count"}
    assert found["first"]["name"] == "Model v1"
    figures = found["figures"]
    assert figures["n"] == 12
    bias = figures["bland_altman"]["bias"]
    assert bias["value"] == pytest.approx(sum(OFF) / 12)
    assert bias["interval"]["low"] < 0.5 < bias["interval"]["high"]
    sd = (sum((off - 0.5) ** 2 for off in OFF) / 11) ** 0.5
    assert figures["bland_altman"]["upper"]["value"] == pytest.approx(0.5 + 1.959964 * sd)
    line = figures["passing_bablok"]
    assert line["slope"]["interval"]["low"] <= 1 <= line["slope"]["interval"]["high"]
    assert 0.97 < figures["icc_2_1"]["value"] < 1
    assert figures["cv_between"]["value"] == pytest.approx(
        (sum(off**2 for off in OFF) / 24) ** 0.5 / (sum(TRUTH) / 12 + 0.25)
    )
    assert sum(group["n"] for group in found["ranges"]) == 12
    assert found["slides"][0]["mean"] == pytest.approx(0.5)
    assert len(found["points"]) == 12


def test_counts_that_may_follow_the_model_are_told_where_it_is_judged_by_them(
    bob: Client, address: str, study: Study, fields: list[Field], people: People
) -> None:
    for number, (field, cells) in enumerate(zip(fields, TRUTH, strict=True)):
        shown = predict(field, cells) if number < 7 else None
        if shown is None:
            predict(field, cells)
        readings.save_reading(
            field=field, reader=people.bob, counts={"RBC": cells}, shown_prediction=shown
        )
    found = get(bob, address, cell_type="RBC")
    assert (found["figures"]["n"], found["assisted"]) == (12, 7)
    page = f"/studies/{study.pk}/agreement/"
    warning = "In 7 of 12 fields the reader had a prediction before them"
    assert warning in bob.get(page).content.decode()
    assert get(bob, address, cell_type="RBC", readings="blind")["assisted"] == 0
    assert warning not in bob.get(f"{page}?readings=blind").content.decode()


def test_no_interval_of_a_distance_goes_below_none_at_all(
    bob: Client, address: str, fields: list[Field], people: People
) -> None:
    for number, field in enumerate(fields):
        shown = predict(field, 20)
        counts = {"RBC": 20 + (number == 0)}
        readings.save_reading(field=field, reader=people.bob, counts=counts, shown_prediction=shown)
    (group,) = (g for g in get(bob, address)["anchoring"]["groups"] if g["n"] == len(fields))
    assert group["distance"]["value"] == pytest.approx(1 / 12)
    assert group["distance"]["interval"]["low"] == 0


def test_the_number_of_queries_does_not_grow_with_the_fields(
    bob: Client,
    address: str,
    counted: list[Field],
    slide: Slide,
    people: People,
    django_assert_max_num_queries: Callable[[int], AbstractContextManager[Any]],
) -> None:
    with CaptureQueriesContext(connection) as few:
        get(bob, address)
    for field in bare_fields(slide, 5):
        predict(field, 20)
        count(field, people.bob, RBC=24)
    with django_assert_max_num_queries(len(few)):
        get(bob, address)


def test_differences_are_told_slide_by_slide(
    bob: Client, address: str, counted: list[Field], study: Study, people: People
) -> None:
    second = slides.create_slide(study=study, code="S2", actor=people.bob)
    for field in bare_fields(second, 3):
        predict(field, 20)
        count(field, people.bob, RBC=24)
    found = {row["slide"]: row for row in get(bob, address)["slides"]}
    assert (found["S2"]["n"], found["S2"]["mean"]) == (3, -4)
    assert found["S2"]["bias"]["interval"] == {"low": -4.0, "high": -4.0}
    assert found["S1"]["mean"] == pytest.approx(0.5)


def test_a_line_that_the_counts_do_not_fix_is_said_to_be_missing(
    bob: Client, address: str, study: Study, fields: list[Field], people: People
) -> None:
    page = f"/studies/{study.pk}/agreement/"
    words = "these counts fix no line"
    for field in fields:
        predict(field, 20)
        count(field, people.bob, RBC=20)
    assert get(bob, address)["figures"]["passing_bablok"] is None
    assert bob.get(page).content.decode().count(words) == 2
    for field, cells in zip(fields, TRUTH, strict=True):
        count(field, people.bob, RBC=cells)
    assert get(bob, address)["figures"]["passing_bablok"]["slope"]["value"] == 0
    assert words not in bob.get(page).content.decode()


def test_too_few_different_counts_give_no_line_in_any_copy(
    bob: Client, address: str, study: Study, fields: list[Field], people: People
) -> None:
    for field, cells in zip(fields, [0] * 9 + [1, 1, 2], strict=True):
        predict(field, cells)
        count(field, people.bob, RBC=cells)
    assert get(bob, address)["figures"]["passing_bablok"] is None
    page = bob.get(f"/studies/{study.pk}/agreement/").content.decode()
    plot = page.partition("Passing-Bablok plot")[2].partition("</svg>")[0]
    assert page.count("these counts fix no line") == 2
    assert plot
    assert "plot-main" not in plot
    table = bob.get(f"/studies/{study.pk}/agreement.csv").content.decode()
    lines = {row["name"]: row for row in csv.DictReader(io.StringIO(table))}
    for name in ("slope", "intercept"):
        assert [lines[name][key] for key in ("value", "low_95", "high_95")] == ["", "", ""]


def test_a_reader_is_not_compared_with_the_own_reference(
    bob: Client, address: str, counted: list[Field], people: People
) -> None:
    own = get(bob, address, first=f"reader:{people.bob.pk}")
    assert (own["figures"], own["points"]) == (None, [])
    rows = {row["method"]["name"]: row["n"] for row in own["against_reference"]}
    assert rows == {"Model v1": 12, "bob": 0}


def test_two_readers_and_how_each_repeats(
    alice: Client, address: str, fields: list[Field], study: Study, people: People
) -> None:
    Study.objects.filter(pk=study.pk).update(readers_per_field=2)
    for field, cells, off in zip(fields, TRUTH, OFF, strict=True):
        field.refresh_from_db()
        count(field, people.bob, RBC=cells)
        count(field, people.rita, RBC=cells + (1 if off > 0 else 0))
    for field, cells in zip(fields[:6], TRUTH[:6], strict=True):
        count(field, people.bob, RBC=cells + 1)
    pair = {"first": f"reader:{people.bob.pk}", "second": f"reader:{people.rita.pk}"}
    found = get(alice, address, **pair)
    within = {row["method"]["name"]: row for row in found["within"]}
    assert (within["bob"]["n"], within["rita"]["n"]) == (6, 0)
    assert within["bob"]["variation"]["value"] == pytest.approx(
        0.5**0.5 / (sum(TRUTH[:6]) / 6 + 0.5)
    )
    assert within["rita"]["variation"] is None
    # All but those where the two no longer agree are settled, and so open to Alice.
    assert found["figures"]["n"] == len(found["points"]) >= 10


def test_an_open_field_shows_no_reading_of_another(
    client_of: Callable[[User], Client],
    address: str,
    fields: list[Field],
    study: Study,
    people: People,
) -> None:
    Study.objects.filter(pk=study.pk).update(readers_per_field=2)
    for field, cells in zip(fields, TRUTH, strict=True):
        field.refresh_from_db()
        predict(field, cells)
        count(field, people.bob, RBC=cells)
    asked = {"first": f"reader:{people.bob.pk}", "second": f"model:{registry.champion(study).pk}"}
    rita = client_of(people.rita)
    assert get(rita, address, **asked)["points"] == []
    count(fields[0], people.rita, RBC=30)
    assert [row["field"] for row in get(rita, address, **asked)["points"]] == [fields[0].pk]
    assert len(get(client_of(people.bob), address, **asked)["points"]) == 12


def test_blind_predictions_are_in_the_figures_and_never_one_by_one(
    bob: Client, alice: Client, address: str, slide: Slide, people: People
) -> None:
    blind = bare_fields(slide, 10, blind=True)
    for number, field in enumerate(blind):
        predict(field, 60 + number)
        if number < 9:
            count(field, people.bob, RBC=50)
    # Nine settled blind fields are too few to hide one among them.
    few = get(alice, address)
    assert (few["withheld"], few["figures"], few["points"]) == (9, None, [])
    count(blind[9], people.bob, RBC=50)
    many = get(alice, address)
    assert (many["withheld"], many["figures"]["n"]) == (10, 10)
    assert (many["points"], many["slides"], many["ranges"]) == ([], [], [])
    page = address.replace("/api/v1", "")
    shown = alice.get(page).content.decode()
    assert "<svg xmlns" not in shown
    assert "10 blind fields that you have not counted are not shown one by one" in shown
    table = list(csv.DictReader(io.StringIO(alice.get(f"{page[:-1]}.csv").content.decode())))
    assert not [row for row in table if row["level"] in ("field", "slide", "range")]
    # Bob has counted them: to him they are open.
    assert len(get(bob, address)["points"]) == 10


def test_only_counts_without_a_prediction_in_view(
    bob: Client, address: str, fields: list[Field], people: People
) -> None:
    for number, (field, cells) in enumerate(zip(fields, TRUTH, strict=True)):
        shown = predict(field, cells)
        readings.save_reading(
            field=field,
            reader=people.bob,
            counts={"RBC": cells},
            shown_prediction=shown if number < 5 else None,
        )
    assert get(bob, address)["figures"]["n"] == 12
    alone = get(bob, address, readings="blind")
    assert (alone["blind_readings_only"], alone["figures"]["n"]) == (True, 7)


def test_the_sway_of_a_shown_prediction(
    bob: Client, address: str, slide: Slide, people: People
) -> None:
    def read(method: str, offs: list[int], *, blind: bool = False) -> None:
        fields = bare_fields(slide, len(offs), blind=blind)
        for field, off in zip(fields, offs, strict=True):
            prediction = predict(field, 20)
            readings.save_reading(
                field=field,
                reader=people.bob,
                counts={"RBC": 20 + off},
                method=method,
                shown_prediction=None if blind else prediction,
            )

    def groups() -> dict[str, Any]:
        return {row["readings"]: row for row in get(bob, address)["anchoring"]["groups"]}

    page = address.replace("/api/v1", "")
    read("marks", [0, 1, 2, 0, -1, -1, 0, 2, 0, 1])
    # Taken over as they were, or changed afterwards: both began as the suggestion.
    read("accepted", [0] * 6)
    read("corrected", [0, 0, 1])
    read("typing", [3, -2, 4, -3, 2, 5, -2, 3, -4], blind=True)
    few = groups()
    assert {kind: row["n"] for kind, row in few.items()} == {"blind": 9, "anew": 10, "begun": 9}
    assert few["anew"]["distance"]["value"] == pytest.approx(0.8)
    assert [few[kind]["distance"] for kind in ("blind", "begun")] == [None, None]
    # Without blind readings there is nothing to set the others against.
    assert few["anew"]["pull"] is None
    shown = bob.get(page).content.decode()
    assert "Blind readings: 9, and 10 are needed." in shown
    assert "Readings begun from the suggestion: 9, and 10 are needed." in shown
    assert "Readings counted anew" not in shown

    read("typing", [4], blind=True)
    read("accepted", [0])
    found = groups()
    assert found["blind"]["distance"]["value"] == pytest.approx(3.2)
    assert (found["blind"]["shift"], found["blind"]["pull"]) == (None, None)
    for kind, distance, bias in (("anew", 0.8, 0.4), ("begun", 0.1, 0.1)):
        assert found[kind]["distance"]["value"] == pytest.approx(distance)
        assert found[kind]["pull"]["value"] == pytest.approx(3.2 - distance)
        assert found[kind]["pull"]["interval"]["low"] > 0
        assert found[kind]["shift"]["value"] == pytest.approx(1 - bias)
    # A later revision, made with the prediction in view, changes nothing.
    last = Field.objects.filter(blind=True).last()
    assert last is not None
    count(last, people.bob, RBC=20)
    assert groups() == found
    shown = bob.get(page).content.decode()
    assert "Counting anew, readers stay closer to the model" in shown
    assert "the suggestion holds them" in shown
    assert "are needed" not in shown[shown.index("anchoring-title") :]

    table = csv.DictReader(io.StringIO(bob.get(f"{page[:-1]}.csv").content.decode()))
    rows = {row["name"]: row for row in table if row["level"] == "anchoring"}
    assert {name: row["n"] for name, row in rows.items()} == dict.fromkeys(
        [f"{kind} {what}" for kind in ("anew", "begun") for what in ("shift", "pull")]
        + [f"{kind} {what}" for kind in found for what in ("bias", "distance")],
        "10",
    )
    assert float(rows["begun pull"]["low_95"]) == pytest.approx(
        found["begun"]["pull"]["interval"]["low"], abs=1e-4
    )


def test_what_a_reviewer_counts_to_rule_is_not_swayed_by_the_model_alone(
    bob: Client, address: str, study: Study, slide: Slide, people: People
) -> None:
    study.readers_per_field = 2
    study.save()
    (field,) = bare_fields(slide, 1)
    shown = predict(field, 20)
    for reader, cells in ((people.bob, 20), (people.alice, 30), (people.rita, 25)):
        counts = {"RBC": cells}
        readings.save_reading(field=field, reader=reader, counts=counts, shown_prediction=shown)
    numbers = {row["readings"]: row["n"] for row in get(bob, address)["anchoring"]["groups"]}
    assert sum(numbers.values()) == 2


def test_what_is_not_there_is_refused(
    bob: Client, address: str, counted: list[Field], other_study: Study, people: People
) -> None:
    for query in (
        {"cell_type": "XYZ"},
        {"first": "reader:999999"},
        {"first": f"model:{registry.champion(other_study).pk}"},
        {"first": "nonsense"},
        {"first": "reference"},
    ):
        refused = bob.get(address, query)
        assert (refused.status_code, bool(refused.json()["detail"])) == (400, True), query
        page = bob.get(address.replace("/api/v1", ""), query)
        assert page.status_code == 400
        assert bob.get(address.replace("/api/v1", "")[:-1] + ".csv", query).status_code == 400
    few = Membership.objects.create(study=other_study, user=people.bob, role=Role.READER)
    empty = bob.get(f"/studies/{few.study_id}/agreement/")
    assert empty.status_code == 200
    assert "Too few fields counted both ways" in empty.content.decode()


def test_plots_are_pictures_with_words_and_without_styles(
    bob: Client, study: Study, counted: list[Field]
) -> None:
    page = bob.get(f"/studies/{study.pk}/agreement/?cell_type=RBC").content.decode()
    assert page.count('<svg xmlns="http://www.w3.org/2000/svg" class="plot"') == 2
    assert 'style="' not in page
    for name in ("difference", "line"):
        answer = bob.get(f"/studies/{study.pk}/agreement/{name}.svg?cell_type=RBC")
        assert answer["Content-Type"] == "image/svg+xml"
        root = ElementTree.fromstring(answer.content)
        inside = {element.tag.rpartition("}")[2] for element in root.iter()}
        assert {"title", "desc", "circle", "line", "text"} <= inside
        assert "style" not in inside
        assert not any("style" in element.attrib for element in root.iter())
        assert "12 fields" in (root.findtext("{http://www.w3.org/2000/svg}desc") or "")
    assert bob.get(f"/studies/{study.pk}/agreement/other.svg").status_code == 404


def test_the_table_holds_what_the_page_shows_and_is_audited(
    bob: Client, study: Study, counted: list[Field]
) -> None:
    answer = bob.get(f"/studies/{study.pk}/agreement.csv?cell_type=RBC")
    rows = list(csv.DictReader(io.StringIO(answer.content.decode())))
    by = {row["name"]: row for row in rows}
    assert float(by["bias"]["value"]) == 0.5
    assert {row["level"] for row in rows} == {"figure", "range", "slide", "anchoring", "field"}
    points = [row for row in rows if row["level"] == "field"]
    assert [int(row["second_count"]) for row in points] == TRUTH
    assert {row["notice"] for row in rows} == {
        "For research use only. Not for use in diagnostic procedures."
    }
    entry = AuditEntry.objects.get(action="agreement.csv.export")
    assert (entry.study_id, entry.new["second"]) == (study.pk, "reference")


@pytest.mark.parametrize("end", ["agreement/", "agreement.csv", "agreement/line.svg"])
def test_pages_are_for_members_only(
    end: str,
    study: Study,
    counted: list[Field],
    people: People,
    client_of: Callable[[User | None], Client],
) -> None:
    address = f"/studies/{study.pk}/{end}"
    assert client_of(people.bob).get(address).status_code == 200
    assert client_of(people.charlie).get(address).status_code == 404
    assert client_of(None).get(address).status_code == 302
