"""Each page in Bahasa Indonesia: no English is left, and numbers have their comma."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from django.contrib.auth.models import User
from django.db import transaction
from django.http import HttpResponse
from django.test import Client

from counting.models import Field, JobState, Slide, Study, TrainingRun
from counting.services import calibrations, flags, readings, studies
from counting.services import training as training_service
from ml import gate
from tests.counting.api.test_permissions import TABLE as API_TABLE
from tests.counting.api.test_permissions import options
from tests.counting.conftest import PASSWORD, People, add_fields, count
from tests.counting.doors import ROLES, address_of
from tests.counting.pictures import smear_file
from tests.counting.views.test_permissions import TABLE
from tests.language import Detector, Words

pytestmark = pytest.mark.django_db

INDONESIAN = {"HTTP_ACCEPT_LANGUAGE": "id"}
# A number with a comma, where a program reads it: it would not understand.
WITH_COMMA = re.compile(r"-?\d+,\d+")
READ_BY_PROGRAMS = {"value", "max", "min", "step", "cx", "cy", "r", "x", "y", "width", "height"}


@pytest.fixture(scope="module")
def detector() -> Detector:
    return Detector()


@pytest.fixture
def busy(
    ids: dict[str, Any], people: People, slide: Slide, predict_all: Callable[[], int]
) -> dict[str, Any]:
    """One of everything, with enough in it that each page says all it can."""
    study = slide.study
    studies.update_study(
        study=study, actor=people.alice, readers_per_field=2, blind_share=0.0, queue_order="teach"
    )
    fields = add_fields(slide, people.bob, range(10, 18))
    predict_all()
    for number, field in enumerate(fields[:6]):
        count(field, people.bob, RBC=8 + number, WBC=1, PLT=2)
        count(field, people.alice, RBC=(9 if number else 30) + number, WBC=1, PLT=2)
    flags.flag(field=fields[7], actor=people.bob, reason="focus")
    flags.comment(field=fields[7], actor=people.bob, text="…")
    readings.save_reading(
        field=fields[6], reader=people.bob, counts={"RBC": 2}, method="typing", submit=False
    )
    calibration = study.calibrations.get()
    calibrations.add_samples(
        calibration=calibration,
        actor=people.rita,
        samples=[calibrations.Sample(f"K{n}", 2500.0 * n, 0.83 * n) for n in range(2, 8)],
    )
    _finish(TrainingRun.objects.get(study=study), study)
    return ids


def _finish(run: TrainingRun, study: Study) -> None:
    """Let earlier runs be over, one with a verdict and one with a fault, and one go on."""
    before = {"n": 6, "types": {"RBC": _errors(1.5), "WBC": _errors(0.5), "PLT": _errors(0.4)}}
    after = {"n": 6, "types": {"RBC": _errors(1.2), "WBC": _errors(0.5), "PLT": _errors(0.3)}}
    verdict = gate.judge(before, after, tolerance=0.1, min_fields=5)
    over: dict[str, Any] = {"study": study, "trigger": "manual", "data_hash": "y"}
    over |= {"reference_counts": 6, "champion": run.champion, "candidate": run.champion}
    TrainingRun.objects.create(
        **over,
        state=JobState.SUCCEEDED,
        step="Done",
        verdict=verdict.text,
        metrics={"champion": before, "candidate": after},
    )
    TrainingRun.objects.create(
        **over, state=JobState.FAILED, step="Failed", error="The run broke off: [Errno 28] x"
    )
    run.step = "Reading field 3 of 12, about 40 s left"
    run.save()


def _errors(mae: float) -> dict[str, Any]:
    return {"n": 6, "mae": mae, "rmse": mae, "bias": 0.1, "r2": 0.9, "mean": 12.0}


def test_no_page_has_english_left(
    busy: dict[str, Any],
    people: People,
    client_of: Callable[[User | None], Client],
    detector: Detector,
) -> None:
    english: dict[str, list[str]] = {}
    for name, method, form, *_wanted in TABLE:
        address = address_of(name, busy)
        for role in ROLES:
            for page in _visits(client_of(getattr(people, role, None)), method, address, form):
                words = Words(page)
                left = list(detector.english(words.found, _given(busy)))
                left += [
                    f"{where} {value}"
                    for tag, where, value in words.attributes
                    if where in READ_BY_PROGRAMS
                    and WITH_COMMA.fullmatch(value)
                    and (tag, where) != ("input", "value")
                ]
                if left:
                    english.setdefault(f"{method} {address}", []).extend(left)
    assert not english, json.dumps(english, indent=1, ensure_ascii=False)


def _given(ids: dict[str, Any]) -> list[str]:
    """What people called things: it stays as they wrote it."""
    return [
        "Ward 7",
        "no-such-token",
        "Smudge at the edge.",
        *Field.objects.values_list("name", flat=True),
    ]


def _visits(client: Client, method: str, address: str, form: dict[str, str]) -> Iterator[str]:
    """Yield the pages that come of a visit, and take back what it changed."""
    with transaction.atomic():
        answer = getattr(client, method)(address, form, follow=True, **INDONESIAN)
        if re.search("html|svg", answer.headers["Content-Type"]):
            yield answer.content.decode()
        transaction.set_rollback(True)


def test_no_answer_of_the_api_has_english_left(
    busy: dict[str, Any],
    people: People,
    client_of: Callable[[User | None], Client],
    detector: Detector,
) -> None:
    english: dict[str, list[str]] = {}
    for name, method, body, *_wanted in API_TABLE:
        if name == "api-schema":
            continue  # for programmers, in English
        address = address_of(name, busy)
        for role in ROLES:
            client = client_of(getattr(people, role, None))
            asked = options(name, method, body, busy, smear_file(2)[:300])
            said = list(_said(_ask(client, method, address, asked)))
            left = list(detector.english(said, _given(busy)))
            if left:
                english.setdefault(f"{method} {address}", []).extend(left)
    assert not english, json.dumps(english, indent=1, ensure_ascii=False)


def _ask(client: Client, method: str, address: str, asked: dict[str, Any]) -> Any:
    """Return the answer's JSON, and take back what the question changed."""
    with transaction.atomic():
        answer: HttpResponse = getattr(client, method)(address, **asked, **INDONESIAN)
        transaction.set_rollback(True)
    return answer.json() if "json" in answer.headers.get("Content-Type", "") else None


def _said(value: Any, key: str = "") -> Iterator[str]:
    """Yield the texts of an answer that are for people."""
    if isinstance(value, dict):
        for name, each in value.items():
            yield from _said(each, name)
    elif isinstance(value, list):
        for each in value:
            yield from _said(each, key)
    elif isinstance(value, str) and key not in ("code", "name", "log", "key", "state", "metrics"):
        yield value


def test_english_left_standing_would_be_found(
    busy: dict[str, Any], alice: Client, detector: Detector
) -> None:
    page = alice.get(f"/studies/{busy['study_id']}/").content.decode()
    found = list(detector.english(Words(page, "en").found, _given(busy)))
    assert {"Slides", "Start counting", "Red cells", "Members"} <= set(found)


def test_the_browser_decides_until_somebody_chooses(people: People) -> None:
    visitor = Client()
    assert "Sign in" in visitor.get("/accounts/login/").content.decode()
    page = visitor.get("/accounts/login/", headers={"accept-language": "id-ID,id;q=0.9"})
    assert '<html lang="id" ' in page.content.decode()
    assert "Kata sandi" in page.content.decode()

    chosen = visitor.post("/language/", {"language": "id", "next": "/accounts/login/?next=/"})
    assert chosen["Location"] == "/accounts/login/?next=/"
    assert "Kata sandi" in visitor.get("/accounts/login/").content.decode()
    visitor.post("/accounts/login/", {"username": "alice", "password": PASSWORD})
    assert "Studi" in visitor.get("/").content.decode()

    visitor.post("/language/", {"language": "en", "next": "/"})
    page = visitor.get("/", headers={"accept-language": "id"})
    assert '<html lang="en" ' in page.content.decode()


def test_nobody_is_led_elsewhere_by_the_switch() -> None:
    answer = Client().post("/language/", {"language": "id", "next": "https://elsewhere.example/"})
    assert answer["Location"] == "/"


def test_every_page_offers_each_language_in_its_own_words(alice: Client, study: Study) -> None:
    page = alice.get(f"/studies/{study.pk}/?x=1", **INDONESIAN).content.decode()
    assert re.search(r'value="id" lang="id" aria-current="true">Bahasa Indonesia</button>', page)
    assert 'value="en" lang="en">English</button>' in page
    assert f'name="next" value="/studies/{study.pk}/?x=1"' in page


def test_numbers_are_read_as_they_are_written(
    busy: dict[str, Any], alice: Client, people: People
) -> None:
    address = f"/calibrations/{busy['calibration_id']}/add/"
    page = alice.post(address, {"samples": "Z1; 7200; 2,35"}, follow=True, **INDONESIAN)
    assert "1 sampel ditambahkan." in page.content.decode()
    assert "2,35" in page.content.decode()
    # Seven thousand here, seven elsewhere.
    page = alice.post(address, {"samples": "Z2; 7.200; 2,4"}, follow=True, **INDONESIAN)
    told = "Baris 1: 7.200 dapat dibaca dengan dua cara: tulis 7200 atau 7,200."
    assert told in page.content.decode()
    page = alice.post(address, {"samples": "Z3; 7.200; 2.4"}, follow=True)
    assert "1 sample added." not in page.content.decode()  # 7.2 cells cannot be: per µL is asked


def test_files_for_programs_are_the_same_in_each_language(
    busy: dict[str, Any], alice: Client
) -> None:
    for address in (
        f"/api/v1/studies/{busy['study_id']}/counts.csv",
        f"/slides/{busy['slide_id']}/report.csv",
        f"/studies/{busy['study_id']}/agreement.csv",
    ):
        here, there = (alice.get(address, **more) for more in ({}, INDONESIAN))
        assert here.status_code == there.status_code == 200
        here, there = _body(here), _body(there)
        assert here == there
        assert len(here) > 100


def _body(answer: Any) -> str:
    content = b"".join(answer.streaming_content) if answer.streaming else answer.content
    return str(content.decode())


def test_the_pdf_speaks_the_readers_language(busy: dict[str, Any], alice: Client) -> None:
    address = f"/slides/{busy['slide_id']}/report.pdf"
    here, there = (alice.get(address, **more).content for more in ({}, INDONESIAN))
    assert here.startswith(b"%PDF")
    assert there.startswith(b"%PDF")
    assert b"Slide report: S1" in here
    assert b"Laporan sediaan: S1" in there


def test_a_new_name_of_a_cell_type_holds_in_each_language(
    alice: Client, study: Study, people: People
) -> None:
    address = f"/studies/{study.pk}/settings/"
    page = alice.get(address, **INDONESIAN).content.decode()
    assert 'value="Eritrosit"' in page
    form = {"name": "Ward 7", "counting_rule": "all", "readers_per_field": "1"}
    alice.post(address, {**form, "RBC-name": "Eritrosit", "PLT-name": "Keping"}, **INDONESIAN)
    names = dict(study.cell_types.values_list("code", "name"))
    assert names == {"RBC": "Red cells", "WBC": "White cells", "PLT": "Keping"}


def test_what_is_kept_is_kept_in_english(alice: Client, field: Field, people: People) -> None:
    count(field, people.bob, RBC=3)
    Slide.objects.update(held_out=False)
    answer = alice.post(f"/api/v1/studies/{field.study_id}/training-runs/", **INDONESIAN)
    assert answer.json()["step"] == "Menunggu proses pelatihan"
    assert TrainingRun.objects.get().step == "Waiting for the training worker"
    assert training_service.labelled_set(field.study).fields
