"""The time zone of a computer that nobody configures."""

from __future__ import annotations

from pathlib import Path
from zoneinfo import ZoneInfo


def machine_zone(clock: Path = Path("/etc/localtime")) -> str:
    """Return the name of the zone that `clock` is a link to, "UTC" where it tells none."""
    name = str(clock.resolve()).partition("/zoneinfo/")[2]
    try:
        return ZoneInfo(name).key
    except (OSError, ValueError, KeyError):  # no such zone, a folder of zones, no link at all
        return "UTC"
