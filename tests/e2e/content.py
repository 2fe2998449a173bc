"""A study in use, for tests of how pages look: run inside the installation, through its services.

stack.manage("shell", "-c", "from tests.e2e.content import fill; fill()")
"""

from __future__ import annotations

import json

from django.contrib.auth.models import User

from counting.models import (
    ImportJob,
    JobState,
    Membership,
    ModelVersion,
    PredictionJob,
    Role,
    TrainingRun,
)
from counting.services import (
    calibrations,
    flags,
    intake,
    predictions,
    readings,
    registry,
    slides,
    studies,
)
from tests.counting.pictures import smear_file

SLIDES, FIELDS = 3, 3


def fill() -> None:
    """Make the study and print the values of all parameters of addresses, as JSON.

    Three slides of predicted fields, counted by two readers who agree on most and differ on one;
    the last field of each slide waits for its count, and one of them is flagged.
    """
    admin = User.objects.get(username="admin")
    study = studies.create_study(name="Ward 7", actor=admin, readers_per_field=2)
    readers = [User.objects.create_user(name) for name in ("bob", "rita")]
    members = [
        Membership.objects.create(study=study, user=user, role=Role.READER) for user in readers
    ]
    made = []
    for number in range(SLIDES):
        slide = slides.create_slide(
            study=study, code=f"S{number + 1}", actor=admin, microns_per_pixel=0.1
        )
        for n in range(FIELDS):
            seed = FIELDS * number + n
            made.append(
                intake.add_field(
                    slide=slide, data=smear_file(seed), name=f"field-{seed}.png", actor=admin
                )
            )
    while (job := PredictionJob.objects.filter(state=JobState.WAITING).first()) is not None:
        predictions.run_waiting(job.pk)
    for number, field in enumerate(made):
        if number % FIELDS == FIELDS - 1:
            continue
        for turn, reader in enumerate(readers):
            red = 20 + 2 * number + (15 if number == 0 else 1) * turn
            readings.save_reading(
                field=field,
                reader=reader,
                counts={"RBC": red, "WBC": 1 + number % 2, "PLT": number + turn},
                method="typing",
                shown_prediction=field.predictions.first() if turn else None,
            )
    flags.flag(field=made[-1], actor=admin, reason="focus", note="Left half")
    calibration = calibrations.create_calibration(
        study=study, actor=admin, cell_type="WBC", microscope="M1", objective="100x"
    )
    samples = calibrations.add_samples(
        calibration=calibration,
        actor=admin,
        samples=[calibrations.Sample(f"K{n}", 7000 + 400 * n, 2.2 + 0.2 * n) for n in range(4)],
    )
    champion = registry.champion(study)
    other = ModelVersion.objects.create(
        study=study, number=2, sha256=champion.sha256, parent=champion
    )
    run = TrainingRun.objects.create(
        study=study, trigger="manual", data_hash="x", reference_counts=5, champion=champion
    )
    job = ImportJob.objects.create(
        slide=made[0].slide, name="a.zip", requested_by=admin, archive="imports/a.zip"
    )
    _invited, token = studies.invite(study=study, actor=admin, role=Role.READER)
    print(
        json.dumps(
            {
                "study_id": study.pk,
                "slide_id": made[0].slide_id,
                "field_id": made[FIELDS - 1].pk,
                "calibration_id": calibration.pk,
                "sample_id": samples[0].pk,
                "model_id": other.pk,
                "run_id": run.pk,
                "import_id": job.pk,
                "member_id": members[0].pk,
                "token": token,
                "name": "difference",
            }
        )
    )
