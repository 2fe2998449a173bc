"""Alice owns the study, Rita reviews, Bob reads, Charlie is a stranger."""

from __future__ import annotations

import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.core.files.uploadedfile import SimpleUploadedFile
from django.test import Client
from django.utils import translation

from counting.models import (
    Field,
    ImportJob,
    Membership,
    ModelVersion,
    Role,
    Slide,
    Study,
    TileJob,
    TrainingRun,
)
from counting.services import calibrations, intake, readings, registry, slides, studies, tiles
from tests.counting.pictures import smear_file

PASSWORD = "count-the-cells-42"


@dataclass(frozen=True)
class People:
    alice: User
    rita: User
    bob: User
    charlie: User


@pytest.fixture(autouse=True)
def _own_files(tmp_path: Path, settings: Any) -> Iterator[None]:
    """Give each test its own pictures; the registry is shared, since bundles never change."""
    settings.MEDIA_ROOT = tmp_path / "media"
    settings.TRAINING_ROOT = tmp_path / "training"
    yield
    shutil.rmtree(tmp_path, ignore_errors=True)


@pytest.fixture(autouse=True)
def _own_language() -> Iterator[None]:
    """A request leaves its language in the thread, as Django does; the next test begins anew."""
    with translation.override("en"):
        yield


@pytest.fixture
def people(db: None) -> People:
    alice = User.objects.create_user("alice", password=PASSWORD, is_staff=True)
    others = (User.objects.create_user(name, password=PASSWORD) for name in ("rita", "bob"))
    charlie = User.objects.create_user("charlie", password=PASSWORD, is_staff=True)
    return People(alice, *others, charlie)


@pytest.fixture
def study(people: People) -> Study:
    made = studies.create_study(name="Ward 7", actor=people.alice)
    Membership.objects.create(study=made, user=people.rita, role=Role.REVIEWER)
    Membership.objects.create(study=made, user=people.bob, role=Role.READER)
    return made


@pytest.fixture
def slide(study: Study, people: People) -> Slide:
    return slides.create_slide(study=study, code="S1", actor=people.bob)


@pytest.fixture
def field(slide: Slide, people: People) -> Field:
    return intake.add_field(slide=slide, data=smear_file(1), name="one.png", actor=people.bob)


@pytest.fixture
def other_study(people: People) -> Study:
    """Charlie's own study, of which the others know nothing."""
    return studies.create_study(name="Elsewhere", actor=people.charlie)


@pytest.fixture
def client_of() -> Callable[[User | None], Client]:
    def sign_in(user: User | None) -> Client:
        client = Client()
        if user is not None:
            client.force_login(user, backend=settings.AUTHENTICATION_BACKENDS[-1])
        return client

    return sign_in


@pytest.fixture
def bob(people: People, client_of: Callable[[User], Client]) -> Client:
    return client_of(people.bob)


@pytest.fixture
def alice(people: People, client_of: Callable[[User], Client]) -> Client:
    return client_of(people.alice)


def upload(data: bytes, name: str = "field.png") -> SimpleUploadedFile:
    return SimpleUploadedFile(name, data)


def count(field: Field, reader: User, **counts: int) -> None:
    """Submit a reading as `reader`, in the place of whatever another reader counted."""
    readings.save_reading(field=field, reader=reader, counts=counts, method="typing", replace=True)


def add_fields(slide: Slide, actor: User, seeds: range) -> list[Field]:
    """Upload small smears, one for each seed."""
    return [
        intake.add_field(slide=slide, data=smear_file(seed), name=f"{seed}.png", actor=actor)
        for seed in seeds
    ]


def bare_fields(slide: Slide, number: int, *, blind: bool = False) -> list[Field]:
    """Make fields without pictures, many and fast, where nothing looks at one."""
    there = slide.fields.count()
    return [
        Field.objects.create(
            slide=slide,
            study=slide.study,
            name=f"{slide.code}-{n}",
            sha256=f"{slide.code}-{n}",
            width=320,
            height=240,
            uploaded_by=slide.created_by,
            blind=blind,
        )
        for n in range(there, there + number)
    ]


@pytest.fixture
def predict_all() -> Callable[[], int]:
    """Return a function that does the inference worker's work here: every waiting job."""
    from counting.models import JobState, PredictionJob
    from counting.services import predictions

    def work() -> int:
        written = 0
        while (job := PredictionJob.objects.filter(state=JobState.WAITING).first()) is not None:
            written += predictions.run_waiting(job.pk)
        return written

    return work


@pytest.fixture
def ids(field: Field, people: People) -> dict[str, Any]:
    """One of everything, in Alice's study: the parameters of addresses and their values."""
    study = field.study
    count(field, people.bob, RBC=3)
    champion = registry.champion(study)
    other = ModelVersion.objects.create(
        study=study, number=2, sha256=champion.sha256, parent=champion
    )
    run = TrainingRun.objects.create(
        study=study, trigger="manual", data_hash="x", reference_counts=1, champion=champion
    )
    job = ImportJob.objects.create(
        slide=field.slide, name="a.zip", requested_by=people.bob, archive="imports/a.zip"
    )
    calibration = calibrations.create_calibration(
        study=study, actor=people.rita, cell_type="WBC", microscope="M1", objective="100x"
    )
    tiles.run(TileJob.objects.create(field=field).pk)
    samples = calibrations.add_samples(
        calibration=calibration,
        actor=people.rita,
        samples=[calibrations.Sample("K1", 7200, 2.4)],
    )
    invitation, _token = studies.invite(study=study, actor=people.alice, role=Role.READER)
    return {
        "invitation_id": invitation.pk,
        "calibration_id": calibration.pk,
        "sample_id": samples[0].pk,
        "study_id": study.pk,
        "slide_id": field.slide_id,
        "field_id": field.pk,
        # Its one tile.
        "level": 9,
        "column": 0,
        "row": 0,
        "model_id": other.pk,
        "run_id": run.pk,
        "import_id": job.pk,
        "member_id": Membership.objects.get(study=study, user=people.rita).pk,
        "token": "no-such-token",
        "name": "difference",
    }
