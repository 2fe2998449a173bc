"""Start-up checks: a configuration that cannot work is refused with a sentence.

Django runs these before every command that matters (serve, migrate, check, ...).
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core import checks
from django.core.checks import CheckMessage, Error, register

from labsite.schedule import parse_schedule
from ml.pictures import MAX_PIXELS

POSITIVE_NUMBERS = (
    "MAX_UPLOAD_BYTES",
    "MAX_PIXELS",
    "MAX_ARCHIVE_FILES",
    "MAX_ARCHIVE_BYTES",
    "MAX_BODY_BYTES",
    "TILES_ABOVE_PIXELS",
    "INFERENCE_THREADS",
    "TRAINING_THREADS",
    "HEARTBEAT_SECONDS",
    "WORKER_STALE_SECONDS",
)
FOLDERS = ("DATA_DIR", "MEDIA_ROOT", "REGISTRY_ROOT", "TRAINING_ROOT")


@register
def configuration_holds(**_: Any) -> list[CheckMessage]:
    """Return every fault of the configuration, not only the first."""
    return [
        *schedule_is_a_time(),
        *numbers_are_positive(),
        *heart_beats_in_time(),
        *folders_can_be_written(),
        *base_model_is_there(),
        *words_are_compiled(),
    ]


def schedule_is_a_time() -> Iterator[CheckMessage]:
    """RETRAIN_SCHEDULE is cron's five fields or `disable`."""
    try:
        parse_schedule(settings.RETRAIN_SCHEDULE)
    except ValueError as problem:
        yield Error(str(problem), id="labsite.E001")


def numbers_are_positive() -> Iterator[CheckMessage]:
    """A limit of zero would refuse everything, or wait for ever."""
    for name in POSITIVE_NUMBERS:
        value = getattr(settings, name)
        if value < 1:
            yield Error(f"{name} is {value}: it has to be at least 1.", id="labsite.E002")
    if settings.MAX_PIXELS > MAX_PIXELS:
        yield Error(
            f"MAX_PIXELS is {settings.MAX_PIXELS}: at most {MAX_PIXELS} pixels of a picture can be "
            "counted.",
            id="labsite.E007",
        )


def heart_beats_in_time() -> Iterator[CheckMessage]:
    """A worker must be able to show itself twice before it is taken for dead."""
    if settings.WORKER_STALE_SECONDS < 2 * settings.HEARTBEAT_SECONDS:
        yield Error(
            f"WORKER_STALE_SECONDS is {settings.WORKER_STALE_SECONDS} and HEARTBEAT_SECONDS is "
            f"{settings.HEARTBEAT_SECONDS}: a healthy worker would be taken for dead. Make the "
            "first at least twice the second.",
            id="labsite.E003",
        )


def folders_can_be_written() -> Iterator[CheckMessage]:
    """Pictures and models have to go somewhere: better to learn it now than at the first upload."""
    for name in FOLDERS:
        folder = Path(getattr(settings, name))
        try:
            folder.mkdir(parents=True, exist_ok=True)
            writable = os.access(folder, os.W_OK | os.X_OK)
        except OSError:
            writable = False
        if not writable:
            yield Error(
                f"{folder} ({name}) cannot be written by this user: change its owner, or name "
                "another folder in DATA_DIR.",
                id="labsite.E004",
            )


def base_model_is_there() -> Iterator[CheckMessage]:
    """Without the base model nothing can be predicted; counting by hand still works."""
    bundle = Path(settings.BASE_BUNDLE)
    if not (bundle / "config.json").is_file():
        yield checks.Warning(
            f"there is no model in {bundle}: fields will get no predictions. Point BASE_BUNDLE "
            "at a model bundle.",
            id="labsite.W001",
        )


def words_are_compiled() -> Iterator[CheckMessage]:
    """Set-up compiles the translations; without them a language would fall back to English."""
    for code, name in settings.LANGUAGES:
        compiled = (
            Path(settings.LOCALE_PATHS[0]) / code / "LC_MESSAGES" / "django.mo",
            Path(settings.STATICFILES_DIRS[0]) / "words" / f"{code}.js",
        )
        if code != settings.LANGUAGE_CODE and not all(path.is_file() for path in compiled):
            yield Error(
                f"the words of {name} are not compiled: run `make setup`, or "
                "`python -m labsite.translations compile`.",
                id="labsite.E006",
            )
