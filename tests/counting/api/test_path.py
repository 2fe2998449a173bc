"""The path through the API, as a script would walk it."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.management import call_command
from django.test import Client

from counting.models import AuditEntry, Field, ReferenceCount, Slide, Study
from tests.counting.conftest import PASSWORD, People, upload
from tests.counting.pictures import smear_file

pytestmark = pytest.mark.django_db


def test_a_token_opens_the_api_to_scripts(people: People) -> None:
    anyone = Client()
    answer = anyone.post("/api/v1/auth/token/", {"username": "alice", "password": PASSWORD})
    assert answer.status_code == 200
    token = answer.json()["token"]

    mine = anyone.get("/api/v1/studies/", headers={"authorization": f"Bearer {token}"})
    assert mine.status_code == 200

    assert anyone.get("/api/v1/studies/").status_code == 401
    for wrong in ("Bearer nonsense", "Bearer", "Bearer ä"):
        refused = anyone.get("/api/v1/studies/", headers={"authorization": wrong})
        assert refused.status_code == 401
        assert refused.json()["detail"]


def test_a_wrong_password_gives_no_token(people: People) -> None:
    answer = Client().post("/api/v1/auth/token/", {"username": "alice", "password": "guess"})
    assert answer.status_code == 401
    assert answer.json()["detail"] == "User name or password is wrong."


def test_a_study_starts_with_three_cell_types_a_champion_and_its_maker(alice: Client) -> None:
    answer = alice.post("/api/v1/studies/", {"name": "New"}, content_type="application/json")
    assert answer.status_code == 201
    made = answer.json()
    assert [row["code"] for row in made["cell_types"]] == ["RBC", "WBC", "PLT"]
    assert made["champion"]["number"] == 1
    assert made["role"] == "admin"
    assert (made["slides"], made["fields"], made["counted"]) == (0, 0, 0)


def test_only_staff_make_studies(bob: Client) -> None:
    answer = bob.post("/api/v1/studies/", {"name": "New"}, content_type="application/json")
    assert answer.status_code == 400
    assert "admin of this server" in answer.json()["detail"]


def test_settings_are_changed_and_audited(alice: Client, study: Study) -> None:
    address = f"/api/v1/studies/{study.pk}/"
    change = {
        "counting_rule": "top_left",
        "retrain_after": None,
        "cell_types": [{"code": "RBC", "key": "w"}, {"code": "WBC", "key": "r"}],
    }
    answer = alice.patch(address, change, content_type="application/json")
    assert answer.status_code == 200
    assert answer.json()["counting_rule"] == "top_left"
    assert {row["code"]: row["key"] for row in answer.json()["cell_types"]} == {
        "RBC": "w",
        "WBC": "r",
        "PLT": "p",
    }
    entry = AuditEntry.objects.get(action="study.update")
    assert (entry.old["counting_rule"], entry.new["counting_rule"]) == ("all", "top_left")

    for wrong in (
        {"counting_rule": "guess"},
        {"blind_share": 2},
        {"readers_per_field": 3},
        {"cell_types": [{"code": "RBC", "key": "p"}]},
        {"cell_types": [{"code": "XYZ", "key": "q"}]},
        {"cell_types": [{"code": "RBC", "color": "red"}]},
        {"cell_types": [{"code": "RBC", "key": "a"}]},
    ):
        refused = alice.patch(address, wrong, content_type="application/json")
        assert refused.status_code == 400, wrong
        assert refused.json()["detail"]
    pad = {"cell_types": [{"code": c, "key": k} for c, k in (("RBC", "2"), ("WBC", "1"))]}
    assert alice.patch(address, pad, content_type="application/json").status_code == 200


def test_slides_are_made_once_for_each_code(bob: Client, study: Study) -> None:
    body = {"study": study.pk, "code": "S1", "stain": "Wright", "microns_per_pixel": 0.1}
    made = bob.post("/api/v1/slides/", body, content_type="application/json")
    assert made.status_code == 201
    again = bob.post("/api/v1/slides/", body, content_type="application/json")
    assert again.status_code == 409
    assert again.json()["id"] == made.json()["id"]
    for wrong in ({"code": ""}, {"code": "x", "microns_per_pixel": -1}):
        refused = bob.post(
            "/api/v1/slides/", {"study": study.pk, **wrong}, content_type="application/json"
        )
        assert refused.status_code == 400


def test_a_field_is_uploaded_predicted_and_counted(
    bob: Client,
    slide: Slide,
    client_of: Callable[[User], Client],
    predict_all: Callable[[], int],
) -> None:
    made = bob.post("/api/v1/fields/", {"slide": slide.pk, "image": upload(smear_file(1))})
    assert made.status_code == 201
    body = made.json()
    assert (body["width"], body["height"], body["state"]) == (320, 240, "waiting")
    assert len(body["sha256"]) == 64
    address = f"/api/v1/fields/{body['id']}/"
    assert bob.get(address).json()["prediction"] is None

    assert predict_all() == 1
    seen = bob.get(address).json()
    assert seen["state"] == "predicted"
    counts = seen["prediction"]["counts"]
    assert set(counts) == {"RBC", "WBC", "PLT"}
    for count in counts.values():
        assert 0 <= count["low"] <= count["value"] <= count["high"]
        assert count["deviation"] > 0
    assert 0 <= seen["prediction"]["novelty"] <= 1
    assert seen["prediction"]["faults"] == []
    assert seen["reference"] is None

    reading = {
        "counts": {"RBC": 8, "WBC": 0, "PLT": 1},
        "marks": [{"cell_type": "PLT", "x": 10, "y": 20.5}],
        "method": "tally",
        "seconds": 12,
        "shown_prediction": seen["prediction"]["model_version"],
        "submit": True,
    }
    sent = bob.post(f"{address}readings/", reading, content_type="application/json")
    assert sent.status_code == 201
    counted = bob.get(address).json()
    assert counted["state"] == "counted"
    assert counted["reference"] == {"RBC": 8, "WBC": 0, "PLT": 1}
    assert counted["my_reading"]["method"] == "tally"


def test_the_same_picture_is_taken_once(bob: Client, field: Field, study: Study) -> None:
    other = bob.post(
        "/api/v1/slides/", {"study": study.pk, "code": "S2"}, content_type="application/json"
    ).json()
    # The same pixels in another container, on another slide of the study.
    again = bob.post(
        "/api/v1/fields/",
        {"slide": other["id"], "image": upload(smear_file(1, "TIFF"), "other.tiff")},
    )
    assert again.status_code == 409
    assert again.json()["id"] == field.pk
    assert "one.png on slide S1" in again.json()["detail"]
    assert Field.objects.count() == 1


def test_the_same_picture_in_another_study_is_no_duplicate(
    field: Field,
    other_study: Study,
    people: People,
    client_of: Callable[[User], Client],
) -> None:
    charlie = client_of(people.charlie)
    slide = charlie.post(
        "/api/v1/slides/", {"study": other_study.pk, "code": "S1"}, content_type="application/json"
    ).json()
    answer = charlie.post("/api/v1/fields/", {"slide": slide["id"], "image": upload(smear_file(1))})
    assert answer.status_code == 201


def test_a_draft_is_replaced_and_a_submitted_reading_is_not(bob: Client, field: Field) -> None:
    address = f"/api/v1/fields/{field.pk}/readings/"

    def send(rbc: int, submit: bool) -> dict[str, object]:
        body = {"counts": {"RBC": rbc}, "method": "typing", "submit": submit}
        answer = bob.post(address, body, content_type="application/json")
        assert answer.status_code == 201
        return dict(answer.json())

    assert [send(1, False)["revision"], send(2, False)["revision"]] == [1, 1]
    assert not ReferenceCount.objects.exists()
    assert send(3, True)["revision"] == 1
    assert send(4, True)["revision"] == 2
    kept = field.readings.order_by("revision").values_list("counts", "state")
    assert list(kept) == [({"RBC": 3}, "submitted"), ({"RBC": 4}, "submitted")]
    current = ReferenceCount.objects.get(superseded_at=None)
    assert current.counts == {"RBC": 4}
    assert ReferenceCount.objects.count() == 2
    entry = AuditEntry.objects.filter(action="reading.submit").last()
    assert entry is not None
    assert (entry.old["counts"], entry.new["counts"]) == ({"RBC": 3}, {"RBC": 4})


def test_submitting_names_the_next_field(bob: Client, slide: Slide, people: People) -> None:
    ids = [
        bob.post("/api/v1/fields/", {"slide": slide.pk, "image": upload(smear_file(seed))}).json()[
            "id"
        ]
        for seed in (1, 2)
    ]

    def submit(field_id: int) -> dict[str, object] | None:
        return bob.post(
            f"/api/v1/fields/{field_id}/readings/",
            {"counts": {"RBC": 1}, "method": "typing", "submit": True},
            content_type="application/json",
        ).json()["next"]

    following = submit(ids[0])
    assert following is not None
    assert following["field"] == ids[1]
    assert submit(ids[1]) is None
    left = bob.get(f"/api/v1/studies/{slide.study_id}/next/").json()
    assert left == {"field": None, "url": None, "remaining": 0}


def test_counts_come_as_csv_with_model_and_reader(
    bob: Client, field: Field, predict_all: Callable[[], int]
) -> None:
    predict_all()
    bob.post(
        f"/api/v1/fields/{field.pk}/readings/",
        {"counts": {"RBC": 8, "PLT": 1}, "method": "marks", "submit": True},
        content_type="application/json",
    )
    answer = bob.get(f"/api/v1/studies/{field.study_id}/counts.csv")
    assert answer["Content-Type"].startswith("text/csv")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    rows = list(csv.DictReader(io.StringIO(text)))
    by = {(row["level"], row["cell_type"]): row for row in rows}
    red = by["field", "RBC"]
    assert (red["count"], red["reader"], red["method"], red["model_version"]) == (
        "8",
        "bob",
        "marks",
        "v1",
    )
    assert by["field", "WBC"]["count"] == ""
    assert by["slide", "RBC"]["count"] == "8"
    assert by["slide", "RBC"]["predicted"] == red["predicted"]
    assert {row["notice"] for row in rows} == {
        "For research use only. Not for use in diagnostic procedures."
    }
    assert AuditEntry.objects.filter(action="counts.export").count() == 1


def test_the_csv_says_over_how_many_fields_each_total_goes(
    bob: Client, study: Study, slide: Slide, predict_all: Callable[[], int]
) -> None:
    made = [
        bob.post("/api/v1/fields/", {"slide": slide.pk, "image": upload(smear_file(n))}).json()
        for n in range(4)
    ]
    Field.objects.filter(pk__in=[row["id"] for row in made[:2]]).update(blind=True)
    predict_all()
    seen = [bob.get(f"/api/v1/fields/{row['id']}/").json() for row in made]
    shown = [row for row in seen if row["prediction"]]
    assert len(shown) == 2
    bob.post(
        f"/api/v1/fields/{shown[0]['id']}/readings/",
        {"counts": {"RBC": 8}, "submit": True},
        content_type="application/json",
    )
    answer = bob.get(f"/api/v1/studies/{study.pk}/counts.csv")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    rows = csv.DictReader(io.StringIO(text))
    tour = (settings.BASE_DIR / "docs" / "api.md").read_text()
    assert all(f"`{column}`" in tour for column in rows.fieldnames or [""])
    totals = {row["cell_type"]: row for row in rows if row["level"] == "slide"}
    red, white = totals["RBC"], totals["WBC"]
    assert (red["fields"], red["fields_counted"], red["count"]) == ("4", "1", "8")
    assert (white["fields_counted"], white["count"]) == ("0", "")
    assert red["fields_predicted"] == str(len(shown))
    predicted = sum(row["prediction"]["counts"]["RBC"]["value"] for row in shown)
    assert red["predicted"] == str(predicted)


def test_a_code_cannot_be_a_spreadsheet_formula(bob: Client, study: Study) -> None:
    bob.post(
        "/api/v1/slides/",
        {"study": study.pk, "code": "=cmd()"},
        content_type="application/json",
    )
    slide = Slide.objects.get()
    bob.post("/api/v1/fields/", {"slide": slide.pk, "image": upload(smear_file(1))})
    answer = bob.get(f"/api/v1/studies/{study.pk}/counts.csv")
    text = b"".join(answer.streaming_content).decode()  # type: ignore[attr-defined]
    assert ",'=cmd()," in text
    assert ",=cmd()," not in text


def test_a_blind_field_keeps_its_prediction_back_until_it_is_counted(
    bob: Client, alice: Client, study: Study, slide: Slide, predict_all: Callable[[], int]
) -> None:
    Study.objects.filter(pk=study.pk).update(blind_share=1.0)
    made = bob.post("/api/v1/fields/", {"slide": slide.pk, "image": upload(smear_file(1))}).json()
    predict_all()
    address = f"/api/v1/fields/{made['id']}/"
    hidden = bob.get(address).json()
    assert (hidden["blind"], hidden["prediction"], hidden["prediction_hidden"]) == (
        True,
        None,
        True,
    )
    assert bob.get(f"/api/v1/fields/?slide={slide.pk}").json()["results"][0]["prediction"] is None
    text = b"".join(
        bob.get(f"/api/v1/studies/{study.pk}/counts.csv").streaming_content  # type: ignore[attr-defined]
    ).decode()
    assert ",v1," not in text

    bob.post(
        f"{address}readings/",
        {"counts": {"RBC": 8}, "method": "typing", "submit": True},
        content_type="application/json",
    )
    assert bob.get(address).json()["prediction"] is not None
    assert alice.get(address).json()["prediction"] is None


def test_the_openapi_document_names_every_address(bob: Client) -> None:
    answer = bob.get("/api/v1/schema/")
    assert answer.status_code == 200
    text = answer.content.decode()
    for address in ("/fields/{field_id}/readings/", "/models/{model_id}/promote/", "/status/"):
        assert f"/api/v1{address}" in text


def test_the_openapi_document_is_made_without_a_warning() -> None:
    call_command("spectacular", "--validate", "--fail-on-warn", stdout=io.StringIO())
