"""Start-up checks: wrong configuration is refused with a sentence that says what to do."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from celery.schedules import crontab
from django.core.checks import ERROR, CheckMessage

from labsite.checks import configuration_holds
from labsite.schedule import beat_schedule, parse_schedule


def faults() -> dict[str | None, CheckMessage]:
    return {fault.id: fault for fault in configuration_holds() if fault.level >= ERROR}


def test_the_defaults_have_no_fault() -> None:
    assert faults() == {}


@pytest.mark.parametrize(
    "text", ["", "at night", "0 2 * *", "0 2 * * * *", "61 2 * * *", "0 25 * * *", "0 2 * * xyz"]
)
def test_a_schedule_that_is_no_time_is_refused(settings: Any, text: str) -> None:
    settings.RETRAIN_SCHEDULE = text
    message = faults()["labsite.E001"].msg
    assert f'RETRAIN_SCHEDULE is "{text}"' in message
    assert "0 2 * * *" in message
    assert "disable" in message


def test_a_schedule_becomes_celerys_clock() -> None:
    assert parse_schedule("30 2 * * 1-5") == crontab(minute="30", hour="2", day_of_week="1-5")
    assert parse_schedule("disable") is None


def test_the_scheduler_sweeps_always_and_retrains_when_told_to() -> None:
    assert set(beat_schedule("0 2 * * *")) == {"sweep", "retrain"}
    assert set(beat_schedule("disable")) == {"sweep"}
    # The check above refuses to start with this; reading the settings must not crash before it.
    assert set(beat_schedule("nonsense")) == {"sweep"}


@pytest.mark.parametrize(
    "name", ["MAX_UPLOAD_BYTES", "MAX_BODY_BYTES", "TRAINING_THREADS", "MAX_PIXELS"]
)
def test_a_limit_below_one_is_refused(settings: Any, name: str) -> None:
    setattr(settings, name, 0)
    assert f"{name} is 0" in faults()["labsite.E002"].msg


def test_a_heart_that_beats_too_slowly_is_refused(settings: Any) -> None:
    settings.HEARTBEAT_SECONDS, settings.WORKER_STALE_SECONDS = 10, 15
    assert "taken for dead" in faults()["labsite.E003"].msg


def test_a_folder_that_cannot_be_made_is_refused(settings: Any, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    settings.MEDIA_ROOT = tmp_path / "file" / "media"
    message = faults()["labsite.E004"].msg
    assert "MEDIA_ROOT" in message
    assert "DATA_DIR" in message


def test_more_pixels_than_the_regressor_takes_are_refused(settings: Any) -> None:
    settings.MAX_PIXELS = 100_000_001
    assert "at most 100000000 pixels" in faults()["labsite.E007"].msg
