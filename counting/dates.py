"""How moments are written for people: one way on every page, in every language."""

from __future__ import annotations

from datetime import datetime

from django.utils import timezone
from django.utils.formats import date_format


def moment(at: datetime) -> str:
    """Write day and time in the lab's time zone, the same way around everywhere (ISO 8601)."""
    return date_format(timezone.localtime(at), "Y-m-d H:i")
