"""The clock of the scheduler: what rings when."""

from __future__ import annotations

from typing import Any

from celery.schedules import ParseException, crontab

SWEEP_SECONDS = 10.0
OFF = "disable"


def parse_schedule(text: str) -> crontab | None:
    """Read `RETRAIN_SCHEDULE`: five cron fields, or `disable` for none.

    Raises ValueError with a sentence for the operator when it is neither.
    """
    if text.strip() == OFF:
        return None
    fields = text.split()
    if len(fields) == 5:
        minute, hour, day, month, weekday = fields
        try:
            return crontab(
                minute=minute,
                hour=hour,
                day_of_month=day,
                month_of_year=month,
                day_of_week=weekday,
            )
        except (ParseException, ValueError):
            pass
    raise ValueError(
        f'RETRAIN_SCHEDULE is "{text}", which is not a time: write five cron fields '
        f'(minute, hour, day, month, weekday), such as "0 2 * * *" for two at night, '
        f'or "{OFF}" to retrain only by hand.'
    )


def beat_schedule(retrain: str) -> dict[str, Any]:
    """Return Celery's beat schedule. An unreadable time is left out: the start-up check says so."""
    entries: dict[str, Any] = {
        # A message not taken within one round is stale: the next round brings the same news.
        "sweep": {
            "task": "counting.tasks.sweep",
            "schedule": SWEEP_SECONDS,
            "options": {"expires": SWEEP_SECONDS},
        },
    }
    try:
        when = parse_schedule(retrain)
    except ValueError:
        when = None
    if when is not None:
        entries["retrain"] = {"task": "counting.tasks.retrain_on_schedule", "schedule": when}
    return entries
